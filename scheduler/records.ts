/**
 * What the core writes down, as bytes of the journal, and back.
 *
 * A record of the journal is a frame with one record of the core. One that would be too large, such as ten million
 * cancelled tasks, becomes several records of fewer tasks each, which say the same. A snapshot is such frames one after the
 * other, each behind its length.
 */
import { asPeError, PeError } from "../common/errors.ts";
import { decodeFrame, encodeFrame } from "../protocol/codec.ts";
import { journalRecords, type JournalRecord } from "../protocol/journal-records.ts";
import { sliceOf } from "./core/finished.ts";

/** Of what the records say. Raised with every change of `protocol/journal-records.ts`, which only adds; a test holds it. */
export const JOURNAL_VERSION = 1;
/** The oldest that this program goes on with. */
export const JOURNAL_VERSION_MIN = 1;

/** A record that holds a request of a frame at its limit fits. */
const RECORD_BYTES_MAX = 2 << 20;
/** Columns and results of more than this are cut. */
const RECORD_BYTES_GOOD = 512 << 10;
/** A piece of a snapshot is closed at this size. */
const PIECE_BYTES_GOOD = 1 << 20;
const LENGTH_BYTES = 4;
const U32_BYTES = 4;

type RecordOf<Type> = Extract<JournalRecord, { readonly type: Type }>;

/** A record of the core as records of the journal, at least one. */
export function encodeRecord(record: JournalRecord): Uint8Array[] {
  return [...cut(record)].map((piece) => encodeFrame(journalRecords, [piece], RECORD_BYTES_MAX));
}

/** @throws {PeError} `PE_PROTOCOL` */
export function decodeRecord(bytes: Uint8Array): JournalRecord {
  const [record, ...more] = decodeFrame(journalRecords, bytes, RECORD_BYTES_MAX);
  if (record === undefined || more.length > 0)
    throw new PeError("PE_PROTOCOL", `Cannot decode record: its frame holds ${more.length + 1} messages, not one`);
  return record;
}

/** The records of a state, in pieces of about a megabyte, each encoded when it is asked for. */
export function* packSnapshot(records: Iterable<JournalRecord>): Iterable<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for (const record of records)
    for (const frame of encodeRecord(record)) {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32LE(frame.byteLength);
      gathered.push(length, frame);
      bytes += LENGTH_BYTES + frame.byteLength;
      if (bytes < PIECE_BYTES_GOOD) continue;
      yield Buffer.concat(gathered, bytes);
      [gathered, bytes] = [[], 0];
    }
  if (bytes > 0) yield Buffer.concat(gathered, bytes);
}

/** Views of the records in a snapshot. @throws {PeError} `PE_PROTOCOL` when it ends in the middle of one. */
export function* unpackSnapshot(bytes: Uint8Array): Iterable<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.byteLength;) {
    const start = at + LENGTH_BYTES;
    const end = start <= bytes.byteLength ? start + view.getUint32(at, true) : Infinity;
    if (end > bytes.byteLength)
      throw new PeError("PE_PROTOCOL", `Cannot decode snapshot: it ends in the middle of the record at byte ${at}`);
    yield bytes.subarray(start, end);
    at = end;
  }
}

/**
 * Decodes records as they are asked for.
 *
 * @throws {PeError} `PE_JOURNAL_CORRUPT`: the checksums were right, so another program wrote them.
 */
export function* decodeRecords(frames: Iterable<Uint8Array>, folder: string): Iterable<JournalRecord> {
  let number = 0;
  try {
    for (const frame of frames) {
      number++;
      yield decodeRecord(frame);
    }
  } catch (error) {
    const { message } = asPeError(error, "PE_UNEXPECTED", "Unexpected error");
    throw new PeError("PE_JOURNAL_CORRUPT", `Cannot read record ${number} of the journal "${folder}": ${message}`, {
      cause: error,
    });
  }
}

function* cut(record: JournalRecord): Iterable<JournalRecord> {
  if (record.type === "finished") yield* cutFinished(record);
  else if (record.type === "cancelled" || record.type === "retried") yield* cutTasks(record);
  else yield record;
}

function* cutFinished(record: RecordOf<"finished">): Iterable<JournalRecord> {
  const { tasks, ends, results } = record;
  const entryBytes = record.sizes === undefined ? 2 * U32_BYTES : 3 * U32_BYTES;
  if (results.byteLength + tasks.length * entryBytes <= RECORD_BYTES_GOOD) return void (yield record);
  for (let start = 0; start < tasks.length;) {
    const base = start === 0 ? 0 : ends[start - 1]!;
    let stop = start + 1;
    while (stop < tasks.length && ends[stop]! - base + (stop + 1 - start) * entryBytes <= RECORD_BYTES_GOOD) stop++;
    yield { type: "finished", job: record.job, ...sliceOf(record, start, stop) };
    start = stop;
  }
}

function* cutTasks(record: RecordOf<"cancelled" | "retried">): Iterable<JournalRecord> {
  const tasksMax = RECORD_BYTES_GOOD / U32_BYTES;
  const { tasks } = record;
  if (tasks.length <= tasksMax) return void (yield record);
  for (let start = 0; start < tasks.length; start += tasksMax)
    yield { ...record, tasks: tasks.subarray(start, start + tasksMax) };
}
