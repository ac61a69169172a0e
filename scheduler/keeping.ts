/**
 * Where the records of the core are kept: in a journal, or nowhere. The core numbers its records, and is told up to which
 * of them all are durable.
 */
import { asPeError, PeError } from "../common/errors.ts";
import { asWriteError } from "../data/durable.ts";
import type { JournalRecord } from "../protocol/journal-records.ts";
import { openJournal, type Journal, type JournalOptions, type JournalStatus } from "./journal/journal.ts";
import {
  decodeRecords,
  encodeRecord,
  JOURNAL_VERSION,
  JOURNAL_VERSION_MIN,
  packSnapshot,
  unpackSnapshot,
} from "./records.ts";

/** What keeping tells. Never called from within a call of its own. */
export interface KeepingEvents {
  readonly onDurable: (sequence: number) => void;
  readonly onStatus: (status: JournalStatus) => void;
  /** The disk failed: nothing becomes durable any more. */
  readonly onFatal: (error: PeError) => void;
}

export interface Keeping {
  /** Number of the last record of earlier lives. */
  readonly sequence: number;
  /** Records of earlier lives, decoded as they are read. Once, before anything is appended: then they are let go. */
  recover(): Iterable<JournalRecord>;
  /** Keeps the record whose number is one above that of the one before. @throws {PeError} `PE_DISK_FULL` */
  append(record: JournalRecord): void;
  /** Whether so much was appended that a snapshot is worth its cost. */
  readonly isSnapshotDue: boolean;
  /**
   * Keeps a state, whose records must not change any more, in place of all that was appended, which is durable. Written
   * piece by piece while other things go on.
   *
   * @throws {PeError} `PE_DISK_FULL`
   */
  snapshot(records: readonly JournalRecord[]): Promise<void>;
  /** Bytes that wait for the disk. */
  readonly waitingBytes: number;
  readonly health: KeepingHealth | undefined;
  /** @throws {PeError} `PE_DISK_FULL` when what was appended could not be made durable. */
  close(): Promise<void>;
}

export interface KeepingHealth {
  readonly status: JournalStatus;
  readonly records: number;
  readonly bytesWaiting: number;
  readonly bytesSinceSnapshot: number;
}

/** Nothing is kept: records count as durable in the next turn of the event loop. */
export function keepNothing(events: Pick<KeepingEvents, "onDurable">): Keeping {
  let written = 0;
  let isTelling = false;
  const tell = (): void => {
    isTelling = false;
    events.onDurable(written);
  };
  return {
    sequence: 0,
    recover: () => [],
    append() {
      written++;
      if (!isTelling) setImmediate(tell);
      isTelling = true;
    },
    isSnapshotDue: false,
    snapshot: () => Promise.resolve(),
    waitingBytes: 0,
    health: undefined,
    close: () => Promise.resolve(),
  };
}

/** So much is replayed in a second or two. A larger state gets a snapshot when as much was appended as it takes. */
export const SNAPSHOT_AFTER_BYTES = 64 << 20;
/** After a disk was full. */
const RETRY_AFTER_MS = 60_000;

export type KeepingOptions = KeepingEvents &
  Pick<JournalOptions, "files" | "retryMs"> & { readonly snapshotAfterBytes?: number };

/**
 * Keeps records in the journal of a folder.
 *
 * @throws {PeError} as `openJournal`
 */
export async function keepInJournal(folder: string, options: KeepingOptions): Promise<Keeping> {
  const sequences = new Sequences();
  const { files, retryMs, snapshotAfterBytes = SNAPSHOT_AFTER_BYTES } = options;
  const opening = openJournal(folder, {
    ...(files !== undefined && { files }),
    ...(retryMs !== undefined && { retryMs }),
    content: JOURNAL_VERSION,
    contentMin: JOURNAL_VERSION_MIN,
    onDurable: (durable) => options.onDurable(sequences.ofCore(durable)),
    onStatus: options.onStatus,
    onFatal: (error) => options.onFatal(failed(folder, error)),
  });
  const { journal, recovered } = await opening.catch((error: unknown) => {
    throw asOpenError(error, folder);
  });
  const snapshot = recovered.snapshot?.bytes ?? new Uint8Array(0);
  const tail: Uint8Array[] = [];
  try {
    for await (const commit of recovered.records()) for (const frame of commit) tail.push(frame);
  } catch (error) {
    await journal.close();
    throw error;
  }
  const frames = function* (): Iterable<Uint8Array> {
    yield* unpackSnapshot(snapshot);
    yield* tail;
  };
  return new JournalKeeping(journal, sequences, snapshotAfterBytes, {
    records: decodeRecords(frames(), folder),
    bytesSince: tail.reduce((sum, { byteLength }) => sum + byteLength, 0),
    snapshotBytes: snapshot.byteLength,
  });
}

class JournalKeeping implements Keeping {
  readonly sequence: number;
  readonly #journal: Journal;
  readonly #sequences: Sequences;
  readonly #snapshotAfterBytes: number;
  #records: Iterable<JournalRecord>;
  #bytesSince: number;
  #snapshotBytes: number;
  #retryAtMs = 0;

  constructor(
    journal: Journal,
    sequences: Sequences,
    snapshotAfterBytes: number,
    start: { records: Iterable<JournalRecord>; bytesSince: number; snapshotBytes: number },
  ) {
    this.#journal = journal;
    this.#sequences = sequences;
    this.#snapshotAfterBytes = snapshotAfterBytes;
    this.sequence = journal.last;
    this.#records = start.records;
    this.#bytesSince = start.bytesSince;
    this.#snapshotBytes = start.snapshotBytes;
  }

  recover(): Iterable<JournalRecord> {
    const records = this.#records;
    this.#records = [];
    return records;
  }

  append(record: JournalRecord): void {
    const pieces = encodeRecord(record);
    // Tasks begin before they are durable, and the result of a quick one shares their commit.
    const last = this.#journal.append(pieces, record.type === "appended");
    if (pieces.length > 1) this.#sequences.wasCut(last, pieces.length);
    for (const { byteLength } of pieces) this.#bytesSince += byteLength;
  }

  get isSnapshotDue(): boolean {
    const { status, isTakingSnapshot } = this.#journal;
    return (
      this.#bytesSince >= Math.max(this.#snapshotAfterBytes, this.#snapshotBytes) &&
      status === "open" &&
      !isTakingSnapshot &&
      performance.now() >= this.#retryAtMs
    );
  }

  async snapshot(records: readonly JournalRecord[]): Promise<void> {
    const since = this.#bytesSince;
    this.#bytesSince = 0;
    let bytes = 0;
    const pieces = function* (): Iterable<Uint8Array> {
      for (const piece of packSnapshot(records)) {
        bytes += piece.byteLength;
        yield piece;
      }
    };
    try {
      await this.#journal.snapshot(pieces(), this.#journal.durable);
      this.#snapshotBytes = bytes;
    } catch (error) {
      this.#bytesSince += since;
      this.#retryAtMs = performance.now() + RETRY_AFTER_MS;
      throw error;
    }
  }

  get waitingBytes(): number {
    return this.#journal.waitingBytes;
  }

  get health(): KeepingHealth {
    const { status, last, waitingBytes } = this.#journal;
    return { status, records: last, bytesWaiting: waitingBytes, bytesSinceSnapshot: this.#bytesSince };
  }

  async close(): Promise<void> {
    await this.#journal.close();
  }
}

/** The journal's numbers of records as the core's: a record that was cut has several there. */
class Sequences {
  /** Records of the journal beyond those of the core, among the durable ones. */
  #surplus = 0;
  /** Cut records that are not durable, oldest first. */
  readonly #cuts: { readonly last: number; readonly pieces: number }[] = [];

  wasCut(last: number, pieces: number): void {
    this.#cuts.push({ last, pieces });
  }

  /** Of the last record of the core that is durable as a whole when those of the journal up to `durable` are. */
  ofCore(durable: number): number {
    for (let first = this.#cuts[0]; first !== undefined && first.last <= durable; first = this.#cuts[0]) {
      this.#surplus += first.pieces - 1;
      this.#cuts.shift();
    }
    const next = this.#cuts[0];
    return (next === undefined ? durable : Math.min(durable, next.last - next.pieces)) - this.#surplus;
  }
}

function asOpenError(error: unknown, folder: string): unknown {
  if (!(error instanceof PeError) || error.code !== "PE_OUTPUT_BUSY") return asWriteError(error, folder);
  const { holder = "another process, which does not say which" } = error.details;
  return new PeError(
    error.code,
    `Cannot open the journal "${folder}": ${String(holder)} has it; stop that scheduler, or name another folder`,
    { cause: error, details: { folder, holder } },
  );
}

function failed(folder: string, error: Error): PeError {
  const { message } = asPeError(error, "PE_UNEXPECTED", "the disk failed");
  return new PeError(
    "PE_JOURNAL_FAILED",
    `Cannot keep the journal "${folder}": ${message}; nothing more was confirmed. Check the disk, then start again`,
    { cause: error },
  );
}
