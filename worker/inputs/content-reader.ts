/** Reads an input file whole, checks that it is the file that was planned, and hashes it. Runs in a pool thread. */
import { createHash, hash } from "node:crypto";
import { closeSync, fstatSync, opendirSync, openSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { asPeError, PeError } from "../../common/errors.ts";
import { fetchInputObject, readVerifiedObject } from "../../data/input-object.ts";
import type { InputFile } from "../../data/inputs.ts";
import { isS3Url } from "../../data/objects/address.ts";
import type { PartStore } from "../../data/part-store.ts";
import { fetchUpload, isUploaded, readUpload, sha256OfUpload } from "../../data/uploads.ts";
import type { WantedFile } from "./content-wanted.ts";

/** A larger file is read in pieces by whoever needs them, and only hashed here. */
export const CONTENT_BYTES_MAX = 512 * 2 ** 20;

const PIECE_BYTES = 4 * 2 ** 20;

/** Gives memory of at least `bytes`; its first `bytes` are overwritten. */
export type Allocate<Memory extends ArrayBufferLike> = (bytes: number) => Uint8Array<Memory>;

/**
 * The content of `file` in memory from `allocate` (`undefined` when larger than `CONTENT_BYTES_MAX`) and its SHA-256.
 *
 * @throws {PeError} `PE_INPUT_CHANGED` when size or time are not the planned ones, `PE_SHARD_UNREADABLE` when it
 * cannot be read, `PE_INPUT_UNREACHABLE` when this host has nothing of the input.
 */
export function readContent<Memory extends ArrayBufferLike>(
  file: InputFile,
  allocate: Allocate<Memory>,
): { content: Uint8Array<Memory> | undefined; path?: string; sha256: string } {
  try {
    const handle = openInput(file);
    try {
      refuseChanged(file, handle);
      const content = file.bytes <= CONTENT_BYTES_MAX ? allocate(file.bytes).subarray(0, file.bytes) : undefined;
      if (content !== undefined) readInto(file, handle, content);
      const sha256 = content === undefined ? hashPieces(file, handle) : hash("sha256", content, "hex");
      refuseChanged(file, handle);
      return content === undefined ? { content, path: file.path, sha256 } : { content, sha256 };
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    throw asPeError(error, "PE_SHARD_UNREADABLE", `Cannot read "${file.name}"`);
  }
}

/** The same for an object of a store, which fits in memory. @throws {PeError} see `readInputObject`. */
export async function readObjectContent<Memory extends ArrayBufferLike>(
  file: InputFile,
  allocate: Allocate<Memory>,
): Promise<{ content: Uint8Array<Memory>; sha256: string }> {
  const { bytes, sha256 } = await readVerifiedObject(file, allocate);
  // The same memory, or the beginning of it.
  const content = bytes as Uint8Array<Memory>;
  return { content, sha256: sha256 ?? hash("sha256", content, "hex") };
}

/** Opens the store of parts that uploaded inputs are in. */
export type OpenStore = (url: string) => PartStore;

/** The content of an input and its SHA-256, or the file of this machine that its bytes lie in. */
export interface ReadInput<Memory extends ArrayBufferLike> {
  readonly content: Uint8Array<Memory> | undefined;
  readonly path?: string;
  readonly sha256: string;
}

/**
 * The content of a file, an object or an uploaded input, in memory from `allocate`, or in the file `scratch` where that is
 * given.
 *
 * @throws {PeError} those of `readContent`, `readInputObject` and `readUpload`; `PE_DISK_FULL`
 */
export async function readInput<Memory extends ArrayBufferLike>(
  file: WantedFile,
  openStore: OpenStore,
  allocate: Allocate<Memory>,
  scratch?: string,
): Promise<ReadInput<Memory>> {
  if (isUploaded(file.path)) return await readUploaded(file, openStore, allocate, scratch);
  if (scratch !== undefined)
    return { content: undefined, path: scratch, sha256: await fetchInputObject(file, scratch) };
  return isS3Url(file.path) ? await readObjectContent(file, allocate) : readContent(file, allocate);
}

async function readUploaded<Memory extends ArrayBufferLike>(
  file: WantedFile,
  openStore: OpenStore,
  allocate: Allocate<Memory>,
  scratch: string | undefined,
): Promise<ReadInput<Memory>> {
  if (file.store === undefined)
    throw new PeError("PE_PARAMETER", `Cannot read "${file.name}": its job has no store of parts that it could be in`);
  const store = openStore(file.store);
  if (scratch !== undefined) {
    await fetchUpload(store, file, scratch);
    return { content: undefined, path: scratch, sha256: sha256OfUpload(file) };
  }
  const content = allocate(file.bytes).subarray(0, file.bytes);
  await readUpload(store, file, content);
  return { content, sha256: sha256OfUpload(file) };
}

function openInput(file: InputFile): number {
  try {
    return openSync(file.path, "r");
  } catch (error) {
    const reason = whyUnreachable(rootOf(file));
    throw reason === undefined ? error : unreachable(file, reason, error);
  }
}

/** The folder that the names of the input start from. */
function rootOf({ path, name }: InputFile): string {
  return path.endsWith(name) ? path.slice(0, path.length - name.length) : path;
}

/** Why a host has nothing of an input; undefined where its folder holds something, and only a file of it is missing. */
function whyUnreachable(root: string): string | undefined {
  try {
    const folder = opendirSync(root);
    try {
      return folder.readSync() === null ? "the folder is empty there; is it mounted?" : undefined;
    } finally {
      folder.closeSync();
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function unreachable(file: InputFile, reason: string, cause: unknown): PeError {
  const { name } = file;
  const host = hostname();
  return new PeError(
    "PE_INPUT_UNREACHABLE",
    `Cannot read "${name}" on ${host}: the host has no such input, ${rootOf(file)}: ${reason}; ` +
      `put the input where every worker reads it under this path, or start workers only where it is`,
    { cause, details: { file: name, host } },
  );
}

function readInto(file: InputFile, handle: number, content: Uint8Array): void {
  let offset = 0;
  while (offset < content.byteLength) {
    const count = readSync(handle, content, offset, content.byteLength - offset, offset);
    if (count === 0) throw changed(file, `it ends after ${offset} of ${file.bytes} bytes`);
    offset += count;
  }
}

function hashPieces(file: InputFile, handle: number): string {
  const digest = createHash("sha256");
  const piece = new Uint8Array(PIECE_BYTES);
  for (let offset = 0; offset < file.bytes;) {
    const count = readSync(handle, piece, 0, Math.min(PIECE_BYTES, file.bytes - offset), offset);
    if (count === 0) throw changed(file, `it ends after ${offset} of ${file.bytes} bytes`);
    digest.update(piece.subarray(0, count));
    offset += count;
  }
  return digest.digest("hex");
}

function refuseChanged(file: InputFile, handle: number): void {
  const { size, mtimeMs } = fstatSync(handle);
  if (size !== file.bytes) throw changed(file, `it has ${size} bytes, planned were ${file.bytes}`);
  if (Math.floor(mtimeMs) !== file.modifiedMs) throw changed(file, "it was written since the job was planned");
}

function changed(file: InputFile, reason: string): PeError {
  return new PeError("PE_INPUT_CHANGED", `Cannot use "${file.name}": ${reason}; run the command again to plan anew`, {
    details: { file: file.name },
  });
}
