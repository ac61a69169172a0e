/** A snapshot file: a head, the bytes, and their checksum; there whole or not at all. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { createDurably, TEMPORARY, type JournalFiles } from "./files.ts";
import { encodeHead, fileName, HEAD_BYTES } from "./framing.ts";

const CHECKSUM_BYTES = 4;

/** Writes the state after record `sequence`; nothing is left of it when it throws. */
export async function writeSnapshot(
  files: JournalFiles,
  folder: string,
  content: number,
  sequence: number,
  pieces: Iterable<Uint8Array>,
): Promise<void> {
  const path = join(folder, fileName("snapshot", sequence));
  try {
    await createDurably(files, folder, path, framed(content, sequence, pieces));
  } catch (error) {
    await files.remove(`${path}${TEMPORARY}`).catch(() => undefined);
    throw error;
  }
}

/** Head, pieces and checksum of a snapshot, each made when it is asked for. */
function* framed(content: number, sequence: number, pieces: Iterable<Uint8Array>): Iterable<Uint8Array> {
  const salt = randomBytes(4).readUInt32LE();
  yield encodeHead("snapshot", { content, sequence, salt });
  let crc = salt;
  for (const piece of pieces) {
    crc = crc32(piece, crc);
    yield piece;
  }
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32LE(crc);
  yield checksum;
}

/** The bytes of a snapshot whose head is whole; undefined when they are not those that were written. */
export function snapshotBytes(file: Buffer, salt: number): Uint8Array | undefined {
  const end = file.length - CHECKSUM_BYTES;
  if (end < HEAD_BYTES || file.readUInt32LE(end) !== crc32(file.subarray(HEAD_BYTES, end), salt)) return undefined;
  return file.subarray(HEAD_BYTES, end);
}
