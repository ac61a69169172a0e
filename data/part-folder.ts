/**
 * Parts in a folder: one file each, named by what it was computed from, with a SHA-256 of its bytes at the end, so that
 * a torn or altered part is as good as none.
 */
import { hash } from "node:crypto";
import { open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { PeError } from "../common/errors.ts";
import { writeDurably } from "./durable.ts";
import { makeFolders } from "./folders.ts";

const HASH_BYTES = 32;
const NAME_PATTERN = /^[a-z0-9][a-z0-9.-]{0,127}$/;

/** Durable when it returns. @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE` */
export async function writePart(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  await makeFolders(folder);
  await writeDurably(partPath(folder, name), Buffer.concat([bytes, digest(bytes)]));
}

/** The bytes of a part, or `undefined` when it is not there or not whole. */
export async function readPart(folder: string, name: string): Promise<Uint8Array | undefined> {
  let stored: Uint8Array;
  try {
    stored = await readFile(partPath(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
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
  if (!NAME_PATTERN.test(name))
    throw new PeError("PE_RESULTS_UNREADABLE", `Cannot use part name ${JSON.stringify(name)}`);
  return join(folder, name);
}

function digest(bytes: Uint8Array): Buffer {
  return hash("sha256", bytes, "buffer");
}
