/** Journals in temporary folders, and a file system that fails on demand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { realFiles, type JournalFile, type JournalFiles } from "../../scheduler/journal/files.ts";
import { openJournal, type Journal, type JournalOptions } from "../../scheduler/journal/journal.ts";

/** A folder that is gone after `act`. */
export async function inFolder<Result>(act: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-journal-"));
  try {
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface Opened {
  readonly journal: Journal;
  readonly snapshot: string | undefined;
  readonly records: readonly string[];
  /** Sequence numbers that became durable, the latest last. */
  readonly durable: number[];
  readonly statuses: string[];
  readonly fatal: Error[];
}

/** Opens a journal of text records and reads what it holds. */
export async function openText(folder: string, options: Partial<JournalOptions> = {}): Promise<Opened> {
  const durable: number[] = [];
  const statuses: string[] = [];
  const fatal: Error[] = [];
  const { journal, recovered } = await openJournal(folder, {
    retryMs: 1,
    onDurable: (sequence) => durable.push(sequence),
    onStatus: (status) => statuses.push(status),
    onFatal: (error) => fatal.push(error),
    ...options,
  });
  const records: string[] = [];
  for await (const commit of recovered.records())
    for (const record of commit) records.push(Buffer.from(record).toString("utf8"));
  const snapshot = recovered.snapshot && Buffer.from(recovered.snapshot.bytes).toString("utf8");
  return { journal, snapshot, records, durable, statuses, fatal };
}

export const bytesOf = (...texts: readonly string[]): Uint8Array[] => texts.map((text) => Buffer.from(text));

/** Appends each text as a commit of its own, and waits until it is durable. */
export async function appendEach({ journal }: Opened, ...texts: readonly string[]): Promise<void> {
  for (const text of texts) {
    const sequence = journal.append(bytesOf(text));
    await until(() => journal.durable >= sequence);
  }
}

export async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; !condition(); attempt++) {
    if (attempt > 10_000) throw new Error("it does not happen");
    await new Promise((done) => setTimeout(done, attempt < 100 ? 0 : 1));
  }
}

export interface Faults {
  /** Called before each act on a file; an error that it throws is the act's. */
  before?: (act: "write" | "dataSync" | "open", path: string) => void;
  /** Bytes that one write takes. */
  bytesPerWrite?: number;
  writes: number;
  syncs: number;
}

export function errno(code: string): Error {
  return Object.assign(new Error(`${code}: made by the test`), { code });
}

/** The real file system with faults. */
export function faultyFiles(): { files: JournalFiles; faults: Faults } {
  const faults: Faults = { writes: 0, syncs: 0 };
  const wrap = (file: JournalFile, path: string): JournalFile => ({
    ...file,
    async write(bytes, offset, position) {
      faults.before?.("write", path);
      faults.writes++;
      const end = Math.min(bytes.byteLength, offset + (faults.bytesPerWrite ?? Infinity));
      return file.write(bytes.subarray(0, end), offset, position);
    },
    async dataSync() {
      faults.before?.("dataSync", path);
      faults.syncs++;
      await file.dataSync();
    },
  });
  const files: JournalFiles = {
    ...realFiles,
    async open(path, how) {
      faults.before?.("open", path);
      return wrap(await realFiles.open(path, how), path);
    },
  };
  return { files, faults };
}
