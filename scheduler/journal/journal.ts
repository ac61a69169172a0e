/**
 * The journal: records that are still there after any crash, in order, and snapshots that make the old ones needless.
 *
 * Group commit: one write and one fdatasync are under way, and the next takes all that was appended meanwhile; so the
 * cost of a commit is shared by as many as wait for it. A record that nobody waits for yet goes with the next commit of one
 * that somebody does, or alone after a moment. A full disk is waited out: nothing is confirmed, and nothing
 * lost. A failed fsync ends the journal for good: the next one would succeed without having written anything.
 */
import { join } from "node:path";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { assert } from "../../common/assert.ts";
import { PeError } from "../../common/errors.ts";
import { errnoOf } from "../../data/errno.ts";
import { acquireLock, type Lock } from "../../data/lock.ts";
import { Batch } from "./batch.ts";
import { realFiles, type JournalFiles } from "./files.ts";
import { fileName, RECORD_HEAD_BYTES } from "./framing.ts";
import { recover, type Recovered } from "./recovery.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { writeSnapshot } from "./snapshot.ts";

/** A segment that is larger gets no more frames. */
export const SEGMENT_BYTES_GOOD = 64 << 20;
/** Bytes that may wait for a disk that is full or slow. Who appends stops taking in work well before. */
export const WAITING_BYTES_MAX = 512 << 20;
const DISK_FULL_RETRY_MS = 1000;
/** A patient record waits so long for an urgent one, unless so much waits that a commit of its own is worth it. */
const PATIENT_MS = 2;
const PATIENT_BYTES_MAX = 64 << 10;

export type JournalStatus = "open" | "disk-full" | "failed" | "closed";

export interface JournalOptions {
  /** Version of what the records say: a journal of a later one is refused. */
  readonly content?: number;
  /** The oldest one that the reader of the records understands; else their own alone. */
  readonly contentMin?: number;
  /** The record of this sequence number, and all before it, are on the disk. */
  readonly onDurable: (sequence: number) => void;
  /** The disk failed: nothing is confirmed any more, and the process must end. Called once. */
  readonly onFatal: (error: Error) => void;
  readonly onStatus?: (status: JournalStatus) => void;
  readonly segmentBytes?: number;
  readonly retryMs?: number;
  readonly files?: JournalFiles;
}

/** A journal, and what its folder held when it was opened. */
export interface OpenedJournal {
  readonly journal: Journal;
  /** Large: let it go when it was read. Reading it ends before the first snapshot is taken. */
  readonly recovered: Recovered;
}

/**
 * Opens the journal of a folder, which is made when it is not there. It has one owner at a time.
 *
 * @throws {PeError} `PE_OUTPUT_BUSY` when another process has it, `PE_JOURNAL_CORRUPT`, `PE_JOURNAL_VERSION`,
 * `PE_DISK_FULL`
 */
export async function openJournal(folder: string, options: JournalOptions): Promise<OpenedJournal> {
  const { files = realFiles, content = 1, contentMin = content } = options;
  await files.makeFolder(folder);
  const lock = await acquireLock(join(folder, "journal"));
  try {
    const { recovered, nextSequence, segments, last, leftovers } = await recover(files, folder, {
      min: contentMin,
      max: content,
    });
    for (const path of leftovers) await files.remove(path);
    const writer = new SegmentWriter(files, folder, content, segments);
    if (last !== undefined) await writer.reopen(last);
    // What is appended to an older one is of a version that its head does not name.
    if (last?.content !== content) await writer.beginSegment(nextSequence);
    const journal = new Journal({ ...options, files, content }, folder, lock, writer, nextSequence, recovered);
    return { journal, recovered };
  } catch (error) {
    await lock.release();
    throw isFull(error) ? diskFull(`Cannot open the journal "${folder}"`, error) : error;
  }
}

type Chosen = JournalOptions & { readonly files: JournalFiles; readonly content: number };

export class Journal {
  readonly #options: Chosen;
  readonly #folder: string;
  readonly #lock: Lock;
  readonly #writer: SegmentWriter;
  #status: JournalStatus = "open";
  #last: number;
  #durable: number;
  /** What was appended and is not being written, oldest first; the last one gathers. */
  readonly #waiting: Batch[] = [new Batch()];
  #spare: Batch | undefined;
  #waitingBytes = 0;
  /** Commits, one after the other until nothing urgent waits. */
  #commits: Promise<void> | undefined;
  /** Whether something urgent waits. */
  #isDue = false;
  #whenPatienceEnds: NodeJS.Timeout | undefined;
  /** What touches the segments, one act after the other. */
  #acts: Promise<unknown> = Promise.resolve();
  #snapshot: Promise<void> | undefined;
  #snapshotPath: string | undefined;
  readonly #closing = new AbortController();

  /** Use `openJournal`. */
  constructor(
    options: Chosen,
    folder: string,
    lock: Lock,
    writer: SegmentWriter,
    nextSequence: number,
    { snapshot }: Recovered,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#lock = lock;
    this.#writer = writer;
    this.#last = nextSequence - 1;
    this.#durable = nextSequence - 1;
    if (snapshot !== undefined) this.#snapshotPath = this.#pathOfSnapshot(snapshot.sequence);
  }

  get status(): JournalStatus {
    return this.#status;
  }

  /** Sequence number of the last record appended; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Sequence number of the last record that is on the disk. */
  get durable(): number {
    return this.#durable;
  }

  /** Whether one is being taken. */
  get isTakingSnapshot(): boolean {
    return this.#snapshot !== undefined;
  }

  /** Bytes appended that are not on the disk. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Appends records, whose bytes it copies. Returns the sequence number of the last: when `onDurable` names it or a later
   * one, they are durable.
   *
   * @param isPatient They may wait a moment for others, with which they share a commit.
   * @throws {PeError} `PE_DISK_FULL` when more waits than memory should hold.
   */
  append(records: readonly Uint8Array[], isPatient = false): number {
    assert(!this.#closing.signal.aborted, "a closed journal takes no records");
    if (this.#waitingBytes > WAITING_BYTES_MAX)
      throw diskFull(`Cannot append to the journal: ${this.#waitingBytes} bytes wait for the disk`);
    for (const record of records) this.#gather(record);
    if (!isPatient || this.#waitingBytes > PATIENT_BYTES_MAX) this.#commitSoon();
    else if (!this.#isDue) this.#whenPatienceEnds ??= setTimeout(() => this.#commitSoon(), PATIENT_MS);
    return this.#last;
  }

  /**
   * Stores the state after record `upToSequence`, which is durable; then removes the files of older records. A piece of the
   * state is asked for when the one before is written, so that nobody waits for all of them.
   *
   * @throws {PeError} `PE_DISK_FULL`: the old snapshot and all records since are then still there.
   */
  async snapshot(pieces: Iterable<Uint8Array>, upToSequence: number): Promise<void> {
    assert(upToSequence > 0 && upToSequence <= this.#durable, () => `record ${upToSequence} is not durable`);
    assert(this.#snapshot === undefined, "one snapshot at a time");
    assert(!this.#closing.signal.aborted && this.#status !== "failed", "a journal that has ended takes no snapshot");
    this.#snapshot = this.#takeSnapshot(pieces, upToSequence);
    try {
      await this.#snapshot;
    } catch (error) {
      if (isFull(error)) throw diskFull(`Cannot take a snapshot of the journal "${this.#folder}"`, error);
      this.#fail(error);
      throw error;
    } finally {
      this.#snapshot = undefined;
    }
  }

  /**
   * Makes durable what was appended, and gives the folder back.
   *
   * @throws {PeError} `PE_DISK_FULL` when the disk stays full: what is not durable was confirmed to nobody.
   */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#snapshot?.catch(() => undefined);
    this.#commitSoon();
    await this.#commits;
    const isComplete = this.#durable === this.#last;
    // All records are durable by now: a mark that cannot be written is none that anybody misses.
    await this.#writer.close(this.#last + 1, isComplete && this.#status === "open").catch(() => undefined);
    await this.#lock.release();
    if (this.#status === "failed") return;
    this.#setStatus("closed");
    if (!isComplete) throw diskFull(`Cannot write the end of the journal "${this.#folder}"`);
  }

  #gather(record: Uint8Array): void {
    if (!this.#waiting.at(-1)!.add(record)) {
      const batch = new Batch();
      batch.add(record);
      this.#waiting.push(batch);
    }
    this.#last++;
    this.#waitingBytes += record.byteLength + RECORD_HEAD_BYTES;
  }

  #commitSoon(): void {
    clearTimeout(this.#whenPatienceEnds);
    this.#whenPatienceEnds = undefined;
    this.#isDue = this.#waiting[0]!.records > 0;
    // What this turn of the event loop appends is one commit.
    if (this.#isDue) this.#commits ??= nextTurn().then(() => this.#commitAll());
  }

  async #commitAll(): Promise<void> {
    let isGoingOn = true;
    while (isGoingOn && this.#isDue) isGoingOn = await this.#act(() => this.#commit());
    // Who is still waiting after a failure waits for ever: the process ends.
    if (isGoingOn) this.#commits = undefined;
  }

  /** False when the journal has ended. */
  async #commit(): Promise<boolean> {
    const batch = this.#waiting.shift()!;
    this.#isDue = this.#waiting.length > 0;
    if (!this.#isDue) this.#waiting.push(this.#spare ?? new Batch());
    this.#spare = undefined;
    if (!(await this.#persist(() => this.#writer.write(batch, this.#durable + 1)))) return false;
    this.#durable += batch.records;
    this.#waitingBytes -= batch.bodyBytes;
    batch.clear();
    this.#spare = batch;
    this.#options.onDurable(this.#durable);
    if (this.#writer.bytes < (this.#options.segmentBytes ?? SEGMENT_BYTES_GOOD)) return true;
    return this.#persist(() => this.#writer.beginSegment(this.#durable + 1));
  }

  /** Until it succeeds, as long as the disk is merely full; false when the journal has ended. */
  async #persist(act: () => Promise<void>): Promise<boolean> {
    const { retryMs = DISK_FULL_RETRY_MS } = this.#options;
    for (;;) {
      try {
        await act();
        this.#setStatus("open");
        return true;
      } catch (error) {
        if (!isFull(error)) this.#fail(error);
        if (this.#status === "failed") return false;
        this.#setStatus("disk-full");
      }
      // Who closes tries once more, and waits no longer.
      if (this.#closing.signal.aborted) return false;
      await sleep(retryMs, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  async #takeSnapshot(pieces: Iterable<Uint8Array>, upToSequence: number): Promise<void> {
    const { files, content } = this.#options;
    // Later records go to a new segment, so that those of the old ones can be removed whole.
    await this.#act(() => this.#writer.beginSegment(this.#durable + 1));
    await writeSnapshot(files, this.#folder, content, upToSequence, pieces);
    const old = this.#snapshotPath;
    this.#snapshotPath = this.#pathOfSnapshot(upToSequence);
    if (old !== undefined && old !== this.#snapshotPath) await files.remove(old);
    await this.#act(() => this.#writer.removeUpTo(upToSequence));
  }

  /** One after the other: a segment is not left while it is written to. */
  #act<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#acts.then(act);
    this.#acts = result.catch(() => undefined);
    return result;
  }

  #fail(error: unknown): void {
    if (this.#status === "failed") return;
    this.#setStatus("failed");
    this.#options.onFatal(error instanceof Error ? error : new Error(String(error)));
  }

  #setStatus(status: JournalStatus): void {
    if (this.#status === status) return;
    this.#status = status;
    this.#options.onStatus?.(status);
  }

  #pathOfSnapshot(sequence: number): string {
    return join(this.#folder, fileName("snapshot", sequence));
  }
}

function isFull(error: unknown): boolean {
  const code = errnoOf(error);
  return code === "ENOSPC" || code === "EDQUOT";
}

function diskFull(what: string, cause?: unknown): PeError {
  return new PeError("PE_DISK_FULL", `${what}: the disk is full; make room`, { cause });
}
