/**
 * Inputs that a client has sent to the store of a job's parts, for workers that cannot see its disk.
 *
 * A file lies there in pieces, `input-<SHA-256 of the file>-<place>`: named by their content, so that what is there need not be
 * sent again, whoever sent it. Its path is `uploaded:<SHA-256>`, for jobs and workers alike; the SHA-256 of what is read
 * must be that.
 */
import { createHash, type Hash } from "node:crypto";
import { open } from "node:fs/promises";
import { asPeError, PeError } from "../common/errors.ts";
import { inLanes } from "../common/lanes.ts";
import type { InputFile } from "./inputs.ts";
import { isS3Url } from "./objects/address.ts";
import type { PartStore } from "./part-store.ts";

/** What is in memory at a time of each transfer; the least that is sent again after a lost connection. */
export const UPLOAD_PIECE_BYTES = 16 * 2 ** 20;
/** Of one input: no worker can compute from more. */
export const UPLOAD_BYTES_MAX = 2 ** 31 - 1;

const SCHEME = "uploaded:";

/** Root of an input whose files were uploaded: whence they came stays for people. */
export function uploadedRoot(root: string): string {
  return SCHEME + root;
}

/** Where an uploaded input was, on the machine that sent it; any other root as it is. */
export function rootBefore(root: string): string {
  return isUploaded(root) ? root.slice(SCHEME.length) : root;
}

/** Path of an uploaded file, wherever it came from. */
export function uploadedPath(sha256: string): string {
  return SCHEME + sha256;
}

/** Of a path or of a root. */
export function isUploaded(path: string): boolean {
  return path.startsWith(SCHEME);
}

/** Whether a file comes over a network, whichever host wants it. */
export function isRemote(path: string): boolean {
  return isS3Url(path) || isUploaded(path);
}

export function sha256OfUpload({ path }: InputFile): string {
  return path.slice(SCHEME.length);
}

/** Of a file: what its part is called, and where it lies in it. */
export interface Piece {
  readonly name: string;
  readonly start: number;
  readonly stop: number;
}

/** The pieces of a file, in their order. */
export function piecesOf(sha256: string, bytes: number): Piece[] {
  const count = Math.max(1, Math.ceil(bytes / UPLOAD_PIECE_BYTES));
  return Array.from({ length: count }, (_, place) => {
    const start = place * UPLOAD_PIECE_BYTES;
    return { name: `input-${sha256}-${place}`, start, stop: Math.min(start + UPLOAD_PIECE_BYTES, bytes) };
  });
}

/**
 * Reads an uploaded file whole, and checks that it is the one that was sent.
 *
 * @param into Of its length.
 * @throws {PeError} `PE_INPUT_UNREACHABLE` when the store has not all of it; what the store throws
 */
export async function readUpload(store: PartStore, file: InputFile, into: Uint8Array): Promise<void> {
  const hash = createHash("sha256");
  for await (const { start, bytes } of receivedPieces(store, file)) {
    into.set(bytes, start);
    hash.update(bytes);
  }
  assertWhole(store, file, hash);
}

/** The same into a new file of this machine, piece by piece. @throws {PeError} also `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE` */
export async function fetchUpload(store: PartStore, file: InputFile, path: string): Promise<void> {
  const hash = createHash("sha256");
  try {
    const target = await open(path, "w", 0o600);
    try {
      for await (const { bytes } of receivedPieces(store, file)) {
        hash.update(bytes);
        await target.writeFile(bytes);
      }
    } finally {
      await target.close();
    }
  } catch (error) {
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot copy "${file.name}" to "${path}"`);
  }
  assertWhole(store, file, hash);
}

async function* receivedPieces(
  store: PartStore,
  file: InputFile,
): AsyncGenerator<{ readonly start: number; readonly bytes: Uint8Array }> {
  for (const { name, start, stop } of piecesOf(sha256OfUpload(file), file.bytes)) {
    const bytes = await store.get(name);
    if (bytes?.byteLength !== stop - start) throw lacking(store, file, `it has no whole part ${name}`);
    yield { start, bytes };
  }
}

function assertWhole(store: PartStore, file: InputFile, hash: Hash): void {
  const found = hash.digest("hex");
  if (found !== sha256OfUpload(file)) throw lacking(store, file, `what it has has the SHA-256 ${found}`);
}

function lacking({ url }: PartStore, { name }: InputFile, reason: string): PeError {
  return new PeError(
    "PE_INPUT_UNREACHABLE",
    `Cannot read "${name}", which was uploaded to ${url}: ${reason}; submit it again with --upload`,
    { details: { file: name } },
  );
}

/** SHA-256 of a file, when it is the one that was planned. @throws {PeError} `PE_INPUT_CHANGED`, `PE_SHARD_UNREADABLE` */
export async function hashFile(file: InputFile, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const pieces = piecesOf("", file.bytes);
  await readPieces(file, pieces, (_, bytes) => {
    signal?.throwIfAborted();
    hash.update(bytes);
  });
  return hash.digest("hex");
}

export interface Sending {
  readonly signal?: AbortSignal;
  /** Reads what the store says it has, and sends again what is not whole. */
  readonly verifies?: boolean;
  /** A piece is in the store: `isSent` now, or it was there. */
  readonly onPiece?: (bytes: number, isSent: boolean) => void;
}

/**
 * Sends what the store has not got of a file. Durable when it resolves.
 *
 * @param sha256 Of the file, as `hashFile` tells it.
 * @throws {PeError} `PE_INPUT_CHANGED` when it is another file by now; `PE_DISK_FULL` and what else the store throws
 */
export async function sendFile(
  store: PartStore,
  file: InputFile,
  sha256: string,
  { signal, verifies, onPiece }: Sending = {},
): Promise<void> {
  const missing = await missingPieces(store, { ...file, version: sha256 }, verifies);
  const there = missing.reduce((rest, { start, stop }) => rest - (stop - start), file.bytes);
  if (there > 0) onPiece?.(there, false);
  await readPieces(file, missing, async ({ name, start, stop }, bytes) => {
    signal?.throwIfAborted();
    await store.put(name, bytes);
    onPiece?.(stop - start, true);
  });
}

/**
 * Pieces that the store has not got.
 *
 * @param file Its version is its SHA-256.
 * @param verifies Reads them: those that are not whole are missing too.
 */
export async function missingPieces(
  store: PartStore,
  { version, bytes }: InputFile,
  verifies = false,
): Promise<Piece[]> {
  const pieces = piecesOf(version!, bytes);
  const there = await inLanes(pieces, LOOKS_AT_ONCE, async ({ name }) =>
    verifies ? (await store.get(name)) !== undefined : await store.has(name),
  );
  return pieces.filter((_, place) => !there[place]!);
}

const LOOKS_AT_ONCE = 4;

/** Reads pieces of a file one after the other; their memory is used again. */
async function readPieces(
  file: InputFile,
  pieces: readonly Piece[],
  use: (piece: Piece, bytes: Uint8Array) => Promise<void> | void,
): Promise<void> {
  if (pieces.length === 0) return;
  const handle = await open(file.path, "r").catch((error: unknown) => {
    throw asPeError(error, "PE_SHARD_UNREADABLE", `Cannot read "${file.name}"`);
  });
  try {
    const memory = new Uint8Array(Math.max(...pieces.map(({ start, stop }) => stop - start)));
    for (const piece of pieces) {
      await assertUnchanged(file, handle);
      const bytes = memory.subarray(0, piece.stop - piece.start);
      for (let done = 0; done < bytes.byteLength;) {
        const { bytesRead } = await handle.read(bytes, done, bytes.byteLength - done, piece.start + done);
        if (bytesRead === 0) throw changed(file, `it ends after ${piece.start + done} of ${file.bytes} bytes`);
        done += bytesRead;
      }
      await assertUnchanged(file, handle);
      await use(piece, bytes);
    }
  } finally {
    await handle.close();
  }
}

async function assertUnchanged(file: InputFile, handle: Awaited<ReturnType<typeof open>>): Promise<void> {
  const { size, mtimeMs } = await handle.stat();
  if (size !== file.bytes) throw changed(file, `it has ${size} bytes, planned were ${file.bytes}`);
  if (Math.floor(mtimeMs) !== file.modifiedMs) throw changed(file, "it was written since the job was planned");
}

function changed({ name }: InputFile, reason: string): PeError {
  return new PeError("PE_INPUT_CHANGED", `Cannot upload "${name}": ${reason}; run the command again to plan anew`, {
    details: { file: name },
  });
}
