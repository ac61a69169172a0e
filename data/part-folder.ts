/**
 * Parts in a folder: one file each, named by what it was computed from, with a SHA-256 of its bytes at the end, so that
 * a torn or altered part is as good as none.
 */
import { hash } from "node:crypto";
import { open, readFile, stat, statfs, type FileHandle } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { PeError } from "../common/errors.ts";
import { writePiecesDurably } from "./durable.ts";
import { errnoOf } from "./errno.ts";
import { makeFolders } from "./folders.ts";
import { changeByLook } from "./part-change.ts";
import { assertPartName } from "./part-name.ts";
import type { PartStore } from "./part-store.ts";

const HASH_BYTES = 32;

/**
 * A folder as a store. It is never made here: a worker on a host without it would keep its parts where nobody looks for
 * them.
 */
export function folderPartStore(folder: string): PartStore {
  const store: PartStore = {
    url: pathToFileURL(folder).href,
    put: async (name, bytes, sha256) => {
      const path = partPath(folder, name);
      await assertFolder(folder);
      await writePiecesDurably(path, [bytes, sha256 ?? digest(bytes)]);
    },
    get: async (name) => await ofFolder(folder, readPart(folder, name)),
    getSlice: async (name, offset, into) => await ofFolder(folder, readPartSlice(folder, name, offset, into)),
    has: async (name) => await ofFolder(folder, isThere(partPath(folder, name))),
    change: async (name, change) => await changeByLook(store, name, change),
    freeBytes: async () => {
      const { bavail, bsize } = await ofFolder(folder, statfs(folder));
      return bavail * bsize;
    },
  };
  return store;
}

/** A folder that this user may not open is as good as none: it is not the fault of the one part that was asked for. */
async function ofFolder<Result>(folder: string, reading: Promise<Result>): Promise<Result> {
  return await reading.catch((error: unknown) => {
    throw ["EACCES", "EPERM", "ENOTDIR"].includes(errnoOf(error) ?? "") ? unreachable(folder, error) : error;
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    return (await stat(path)).size >= HASH_BYTES;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

async function assertFolder(folder: string): Promise<void> {
  const found = await stat(folder).catch((error: unknown) => {
    throw unreachable(folder, error);
  });
  if (!found.isDirectory()) throw unreachable(folder, new Error("it is no folder"));
}

function unreachable(folder: string, error: unknown): PeError {
  return new PeError(
    "PE_PARTS_UNREACHABLE",
    `Cannot store parts in "${folder}" on ${hostname()}: the folder is missing there, or cannot be opened; ` +
      `name a folder that every worker has (--parts), or leave parts to the scheduler`,
    { cause: error, details: { folder, host: hostname() } },
  );
}

/** Durable when it returns. @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE` */
export async function writePart(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await makeFolders(folder);
  await writePiecesDurably(partPath(folder, name), [bytes, digest(bytes)]);
}

/** The bytes of a part, or `undefined` when it is not there or not whole. */
export async function readPart(folder: string, name: string): Promise<Uint8Array | undefined> {
  let stored: Uint8Array;
  try {
    stored = await readFile(partPath(folder, name));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const bytes = stored.subarray(0, Math.max(0, stored.byteLength - HASH_BYTES));
  return digest(bytes).equals(stored.subarray(bytes.byteLength)) ? bytes : undefined;
}

/** Part of a part, for readers that need a slice of each of thousands. The caller has checked it whole before. */
export async function readPartSlice(folder: string, name: string, offset: number, into: Uint8Array): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(partPath(folder, name), "r");
    const { bytesRead } = await file.read(into, 0, into.byteLength, offset);
    if (bytesRead !== into.byteLength)
      throw new PeError(
        "PE_RESULTS_UNREADABLE",
        `Cannot read part "${name}": it ends after ${offset + bytesRead} bytes`,
      );
  } finally {
    await file?.close();
  }
}

function partPath(folder: string, name: string): string {
  assertPartName(name);
  return join(folder, name);
}

function digest(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}
