/**
 * How records lie in a segment of the journal.
 *
 * A segment is a head and then frames. A frame is one group commit: the records that were made durable together, with
 * the sequence number of the first. The next frame is written only when this one is durable, so a frame that is not
 * whole can only be the last: a torn tail, of which nobody was told. A whole frame behind a broken one means that the
 * disk lost something it had confirmed.
 *
 * ```
 * head    magic 8 | format u32 | content u32 | first sequence u64 | salt u32 | crc u32
 * frame   crc u32 | body bytes u32 | first sequence u64 | records u32 | body
 * body    (bytes u32 | bytes), once a record
 * ```
 *
 * Little-endian. Checksums are CRC-32, those of frames seeded with the segment's salt: what a client puts into a record
 * cannot pass for a frame, nor can what an older file left on the disk.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../common/assert.ts";

/** Of the layout above; a journal of another one is refused. */
export const FORMAT_VERSION = 1;

export const HEAD_BYTES = 32;
export const FRAME_HEAD_BYTES = 20;
export const RECORD_HEAD_BYTES = 4;

/** Bytes of one record. */
export const RECORD_BYTES_MAX = 16 << 20;
/** Bytes of one frame; what waits beyond that goes into the next. */
export const FRAME_BYTES_MAX = 32 << 20;

export type FileSort = "segment" | "snapshot";

const MAGIC: Readonly<Record<FileSort, string>> = { segment: "PE-JRNL\n", snapshot: "PE-SNAP\n" };

/** `segment-0000000000000001.journal`; sorts by sequence number. */
export function fileName(sort: FileSort, sequence: number): string {
  return `${sort}-${String(sequence).padStart(16, "0")}.journal`;
}

/** The beginning of a file of the journal. */
export interface Head {
  readonly format: number;
  /** Version of what the records say; the journal does not look into them. */
  readonly content: number;
  /** Of the first record of a segment; of the last record in a snapshot. */
  readonly sequence: number;
  readonly salt: number;
}

export function encodeHead(sort: FileSort, { content, sequence, salt }: Omit<Head, "format">): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.write(MAGIC[sort], 0, "latin1");
  head.writeUInt32LE(FORMAT_VERSION, 8);
  head.writeUInt32LE(content, 12);
  writeSequence(head, sequence, 16);
  head.writeUInt32LE(salt, 24);
  head.writeUInt32LE(crc32(head.subarray(0, 28)), 28);
  return head;
}

/** Undefined when this is no whole head. One of another format has no fields but that that can be relied on. */
export function decodeHead(sort: FileSort, file: Buffer): Head | undefined {
  if (file.length < HEAD_BYTES || file.toString("latin1", 0, 8) !== MAGIC[sort]) return undefined;
  const format = file.readUInt32LE(8);
  const isWhole = file.readUInt32LE(28) === crc32(file.subarray(0, 28));
  if (!isWhole && format === FORMAT_VERSION) return undefined;
  return { format, content: file.readUInt32LE(12), sequence: readSequence(file, 16), salt: file.readUInt32LE(24) };
}

/** Completes a frame whose body is in place behind the room for its head. */
export function sealFrame(frame: Buffer, sequence: number, records: number, salt: number): void {
  assert(frame.length >= FRAME_HEAD_BYTES && frame.length <= FRAME_BYTES_MAX, "a frame has its head and its limit");
  frame.writeUInt32LE(frame.length - FRAME_HEAD_BYTES, 4);
  writeSequence(frame, sequence, 8);
  frame.writeUInt32LE(records, 16);
  frame.writeUInt32LE(crc32(frame.subarray(4), salt), 0);
}

export interface Frame {
  /** Of its first record. */
  readonly sequence: number;
  readonly records: number;
  /** Where it ends in the file. */
  readonly end: number;
}

/** The frame that begins at `at`, when it is whole. */
export function readFrame(file: Buffer, at: number, salt: number): Frame | undefined {
  if (file.length - at < FRAME_HEAD_BYTES) return undefined;
  const bodyBytes = file.readUInt32LE(at + 4);
  const end = at + FRAME_HEAD_BYTES + bodyBytes;
  if (end > file.length || end - at > FRAME_BYTES_MAX) return undefined;
  const records = file.readUInt32LE(at + 16);
  if (records * RECORD_HEAD_BYTES > bodyBytes) return undefined;
  if (file.readUInt32LE(at) !== crc32(file.subarray(at + 4, end), salt)) return undefined;
  return { sequence: readSequence(file, at + 8), records, end };
}

/** Views of the records of a whole frame that begins at `at`. */
export function recordsOf(file: Buffer, at: number, { records, end }: Frame): Uint8Array[] {
  const found = new Array<Uint8Array>(records);
  let place = at + FRAME_HEAD_BYTES;
  for (let index = 0; index < records; index++) {
    const bytes = file.readUInt32LE(place);
    place += RECORD_HEAD_BYTES;
    found[index] = file.subarray(place, place + bytes);
    place += bytes;
  }
  assert(place === end, "the records of a frame fill it");
  return found;
}

/** What a segment holds, as far as it is whole. */
export interface Scan {
  readonly frames: readonly { readonly at: number; readonly frame: Frame }[];
  /** Where the whole frames end; behind that lies a torn tail, or nothing. */
  readonly wholeBytes: number;
  /** Of the record that would come next. */
  readonly nextSequence: number;
  /** Where a whole frame lies behind a broken one. */
  readonly lostBefore: number | undefined;
}

/** Walks the frames of a segment whose head is whole. */
export function scanSegment(file: Buffer, { sequence, salt }: Pick<Head, "sequence" | "salt">): Scan {
  const frames: { at: number; frame: Frame }[] = [];
  let at = HEAD_BYTES;
  let next = sequence;
  for (;;) {
    const frame = readFrame(file, at, salt);
    if (frame === undefined || frame.sequence !== next) break;
    frames.push({ at, frame });
    next += frame.records;
    at = frame.end;
  }
  return { frames, wholeBytes: at, nextSequence: next, lostBefore: findFrame(file, at, next, salt) };
}

/** Where a whole frame with a later sequence number begins, at any byte from `start`. */
function findFrame(file: Buffer, start: number, sequence: number, salt: number): number | undefined {
  for (let at = start; at + FRAME_HEAD_BYTES <= file.length; at++) {
    // Sequence and length rule out nearly every place before a checksum is made.
    const found = readSequence(file, at + 8);
    if (found >= sequence && found - sequence <= file.length && readFrame(file, at, salt) !== undefined) return at;
  }
  return undefined;
}

function writeSequence(into: Buffer, sequence: number, at: number): void {
  assert(Number.isSafeInteger(sequence) && sequence >= 0, () => `${sequence} is no sequence number`);
  into.writeUInt32LE(sequence >>> 0, at);
  into.writeUInt32LE(Math.floor(sequence / 2 ** 32), at + 4);
}

function readSequence(from: Buffer, at: number): number {
  return from.readUInt32LE(at) + from.readUInt32LE(at + 4) * 2 ** 32;
}
