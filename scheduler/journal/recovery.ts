/**
 * What a journal's folder holds when a scheduler starts on it: the last snapshot and the records after it.
 *
 * Everything is verified before anything is handed out. A torn tail is cut off; whatever else is not as it was
 * confirmed, a checksum, a missing segment, another version, is refused and left as it is.
 */
import { join } from "node:path";
import { PeError } from "../../common/errors.ts";
import { TEMPORARY, type JournalFiles } from "./files.ts";
import { decodeHead, FORMAT_VERSION, HEAD_BYTES, recordsOf, scanSegment, type FileSort, type Head } from "./framing.ts";
import { snapshotBytes } from "./snapshot.ts";

export interface Segment {
  readonly path: string;
  /** Sequence number of its first record. */
  readonly first: number;
}

/** The state to begin with. */
export interface Recovered {
  /** State after record `sequence`, as it was given to `snapshot()`. */
  readonly snapshot: { readonly bytes: Uint8Array; readonly sequence: number } | undefined;
  /** Number of records after the snapshot. */
  readonly count: number;
  /** The records after the snapshot, in order, as many at once as were committed at once; views of memory of their own. */
  readonly records: () => AsyncGenerator<readonly Uint8Array[]>;
}

export interface Recovery {
  readonly recovered: Recovered;
  readonly nextSequence: number;
  /** In order; the last is written on. */
  readonly segments: readonly Segment[];
  readonly last: SegmentEnd | undefined;
  /** Files of before the snapshot, and unfinished ones. */
  readonly leftovers: readonly string[];
}

const NAME = /^(segment|snapshot)-(\d{16})\.journal$/;

/** Versions of what records say that can be read, both inclusive. */
export interface Contents {
  readonly min: number;
  readonly max: number;
}

/**
 * Reads and verifies the folder; changes nothing in it.
 *
 * @throws {PeError} `PE_JOURNAL_CORRUPT`, `PE_JOURNAL_VERSION`
 */
export async function recover(files: JournalFiles, folder: string, content: Contents): Promise<Recovery> {
  const names = (await files.list(folder)).toSorted();
  const found = (sort: FileSort): Segment[] =>
    names.flatMap((name) => {
      const match = NAME.exec(name);
      return match?.[1] === sort ? [{ path: join(folder, name), first: Number(match[2]) }] : [];
    });
  const snapshots = found("snapshot");
  const newest = snapshots.at(-1);
  const snapshot = newest === undefined ? undefined : await readSnapshot(files, newest, content);
  const since = snapshot?.sequence ?? 0;
  const all = found("segment");
  // A segment whose successor begins within the snapshot is a part of it.
  const segments = all.filter((_, index) => !(index + 1 < all.length && all[index + 1]!.first <= since + 1));
  const scans = await scanAll(files, segments, content, since);
  // Before a snapshot is made, the segment that follows it is there.
  if (newest !== undefined && scans.length === 0)
    throw corrupt(newest.path, 0, "the segment that follows it is missing");
  const leftovers = [
    ...snapshots.slice(0, -1).map(({ path }) => path),
    ...all.filter((segment) => !segments.includes(segment)).map(({ path }) => path),
    ...names.filter((name) => name.endsWith(`.journal${TEMPORARY}`)).map((name) => join(folder, name)),
  ];
  const nextSequence = scans.at(-1)?.nextSequence ?? since + 1;
  return {
    recovered: {
      snapshot,
      count: nextSequence - since - 1,
      records: () => readRecords(files, segments, scans, since),
    },
    nextSequence,
    segments,
    last: scans.at(-1),
    leftovers,
  };
}

async function readSnapshot(
  files: JournalFiles,
  { path, first: sequence }: Segment,
  content: Contents,
): Promise<{ bytes: Uint8Array; sequence: number }> {
  const file = await files.read(path);
  const bytes = snapshotBytes(file, headOf("snapshot", path, file, sequence, content).salt);
  if (bytes === undefined) throw corrupt(path, HEAD_BYTES, "the snapshot is not the one that was written");
  return { bytes, sequence };
}

/** Where a segment that was verified is written on. */
export interface SegmentEnd {
  /** Version of what its records say. */
  readonly content: number;
  /** Behind the last whole frame. */
  readonly wholeBytes: number;
  readonly salt: number;
  /** Something that is no frame follows. */
  readonly isTorn: boolean;
  /** The last frame; empty when there is none. */
  readonly lastFrame: Uint8Array;
}

interface Verified extends SegmentEnd {
  readonly nextSequence: number;
}

async function scanAll(
  files: JournalFiles,
  segments: readonly Segment[],
  content: Contents,
  since: number,
): Promise<Verified[]> {
  const scans: Verified[] = [];
  for (const [index, { path, first }] of segments.entries()) {
    const expected = scans.at(-1)?.nextSequence;
    if (expected === undefined ? first > since + 1 : first !== expected)
      throw corrupt(path, 0, `records ${expected ?? since + 1} to ${first - 1} are missing before it`);
    const file = await files.read(path);
    const head = headOf("segment", path, file, first, content);
    const { frames, wholeBytes, nextSequence, lostBefore } = scanSegment(file, head);
    const isTorn = wholeBytes < file.length;
    if (lostBefore !== undefined) throw corrupt(path, wholeBytes, `a whole frame follows at byte ${lostBefore}`);
    const isLast = index === segments.length - 1;
    if (isTorn && !isLast) throw corrupt(path, wholeBytes, "a later segment follows");
    // Copied: a view would keep the whole file in memory.
    const lastFrame = Uint8Array.from(isLast ? file.subarray(frames.at(-1)?.at ?? wholeBytes, wholeBytes) : []);
    scans.push({ content: head.content, wholeBytes, nextSequence, salt: head.salt, isTorn, lastFrame });
  }
  const end = scans.at(-1)?.nextSequence;
  if (end !== undefined && end <= since)
    throw corrupt(segments.at(-1)!.path, 0, `it ends with record ${end - 1}, before the snapshot of record ${since}`);
  return scans;
}

async function* readRecords(
  files: JournalFiles,
  segments: readonly Segment[],
  scans: readonly Verified[],
  since: number,
): AsyncGenerator<readonly Uint8Array[]> {
  for (const [index, { path, first }] of segments.entries()) {
    const { salt, wholeBytes } = scans[index]!;
    const file = (await files.read(path)).subarray(0, wholeBytes);
    const { frames, wholeBytes: readable } = scanSegment(file, { sequence: first, salt });
    if (readable !== wholeBytes) throw corrupt(path, readable, "it changed while it was read");
    for (const { at, frame } of frames) {
      const records = recordsOf(file, at, frame);
      const known = Math.max(0, since + 1 - frame.sequence);
      if (known < records.length) yield known === 0 ? records : records.slice(known);
    }
  }
}

function headOf(sort: FileSort, path: string, file: Buffer, sequence: number, content: Contents): Head {
  const head = decodeHead(sort, file);
  if (head === undefined) throw corrupt(path, 0, `the head of the ${sort} is damaged`);
  if (head.format !== FORMAT_VERSION) throw otherVersion(path, "format", head.format, FORMAT_VERSION);
  if (head.content < content.min || head.content > content.max)
    throw otherVersion(path, "content", head.content, content.max);
  if (head.sequence !== sequence) throw corrupt(path, 0, `it is the ${sort} of record ${head.sequence}`);
  return head;
}

function corrupt(path: string, offset: number, reason: string): PeError {
  const text = `Cannot read the journal "${path}" from byte ${offset}: ${reason}; the disk lost what it had confirmed. `;
  const advice = "Nothing was changed: put back a copy of the folder, or begin with an empty one";
  return new PeError("PE_JOURNAL_CORRUPT", text + advice, { details: { path, offset } });
}

function otherVersion(path: string, what: "format" | "content", found: number, known: number): PeError {
  const message =
    `Cannot read the journal "${path}": its ${what} has version ${found}, this program reads version ${known}; ` +
    "finish its jobs with the program that wrote it, or begin with an empty folder";
  return new PeError("PE_JOURNAL_VERSION", message, { details: { path, found, known } });
}
