/**
 * The journal on this machine's disk: durable records a second with so many outstanding, beside the disk's own rate of
 * commits (one write and one fdatasync after the other), and the time to read a million records back.
 */
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openJournal } from "../scheduler/journal/journal.ts";

/** Bytes of a record, as a report of a small task has them. */
const RECORD_BYTES = 80;
const OUTSTANDING = [64, 4096] as const;
const REPLAYED = 1_000_000;

interface Round {
  /** Commits a second of the bare disk, with as many bytes as 64 records have. */
  readonly bareCommits: number;
  /** Records a second, by number outstanding. */
  readonly records: Readonly<Record<number, number>>;
  readonly replayMs: number;
}

export async function benchJournal(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      folder: { type: "string", default: tmpdir() },
      runs: { type: "string", default: "5" },
      seconds: { type: "string", default: "1" },
      json: { type: "boolean", default: false },
    },
  });
  const rounds: Round[] = [];
  for (let run = 0; run < Number(values.runs); run++)
    rounds.push(await oneRound(values.folder, Number(values.seconds) * 1000));
  console.log(values.json ? JSON.stringify(rounds) : table(rounds, values.folder));
}

async function oneRound(parent: string, forMs: number): Promise<Round> {
  const folder = await mkdtemp(join(parent, "pe-cluster-bench-journal-"));
  try {
    const bareCommits = await commitBare(join(folder, "bare"), forMs);
    const records: Record<number, number> = {};
    for (const outstanding of OUTSTANDING)
      records[outstanding] = await appendSteadily(join(folder, String(outstanding)), outstanding, forMs);
    return { bareCommits, records, replayMs: await replay(join(folder, "replay")) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function commitBare(path: string, forMs: number): Promise<number> {
  const file = await open(path, "w");
  const bytes = Buffer.alloc(64 * RECORD_BYTES, 7);
  const start = performance.now();
  let commits = 0;
  for (; performance.now() - start < forMs; commits++) {
    await file.write(bytes, 0, bytes.length, commits * bytes.length);
    await file.datasync();
  }
  const rate = (commits / (performance.now() - start)) * 1000;
  await file.close();
  return rate;
}

/** Each record that became durable is followed by another. */
async function appendSteadily(folder: string, outstanding: number, forMs: number): Promise<number> {
  const record = new Uint8Array(RECORD_BYTES).fill(7);
  let before = 0;
  let rate = 0;
  let start = 0;
  const { promise, done, fail } = promised();
  const { journal } = await openJournal(folder, {
    onFatal: fail,
    onDurable(sequence) {
      const elapsed = performance.now() - start;
      if (elapsed < forMs) for (; before < sequence; before++) journal.append([record]);
      else if (rate === 0) {
        rate = (sequence / elapsed) * 1000;
        done();
      }
    },
  });
  start = performance.now();
  for (let count = 0; count < outstanding; count++) journal.append([record]);
  await promise;
  await journal.close();
  return rate;
}

function promised(): { promise: Promise<void>; done: () => void; fail: (error: Error) => void } {
  let done: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = reject;
  });
  return { promise, done, fail };
}

async function replay(folder: string): Promise<number> {
  const record = new Uint8Array(RECORD_BYTES).fill(7);
  const options = { onDurable: () => undefined, onFatal: (error: Error) => console.error(error) };
  const { journal } = await openJournal(folder, options);
  for (let count = 0; count < REPLAYED; count += 1000) {
    journal.append(new Array<Uint8Array>(1000).fill(record));
    // A commit each, as many clients make them.
    if (count % 10_000 === 0) await new Promise((done) => setImmediate(done));
  }
  await journal.close();
  const start = performance.now();
  const opened = await openJournal(folder, options);
  let bytes = 0;
  for await (const commit of opened.recovered.records()) for (const each of commit) bytes += each.byteLength;
  const took = performance.now() - start;
  await opened.journal.close();
  if (bytes !== REPLAYED * RECORD_BYTES) throw new Error(`${bytes} bytes came back`);
  return took;
}

function table(rounds: readonly Round[], folder: string): string {
  const line = (what: string, of: (round: Round) => number): string => {
    const values = rounds.map(of).toSorted((a, b) => a - b);
    const median = values[values.length >> 1]!;
    return `${what.padEnd(44)} ${median.toFixed(0)} (${values[0]!.toFixed(0)} to ${values.at(-1)!.toFixed(0)})`;
  };
  return [
    `journal in ${folder}, records of ${RECORD_BYTES} bytes; medians (range) of ${rounds.length} interleaved runs`,
    line("bare write + fdatasync a second", ({ bareCommits }) => bareCommits),
    ...OUTSTANDING.map((count) => line(`durable records/s, ${count} outstanding`, ({ records }) => records[count]!)),
    ...OUTSTANDING.map((count) =>
      line(`  of what ${count} a bare commit give, %`, (round) =>
        Math.round((round.records[count]! / (round.bareCommits * count)) * 100),
      ),
    ),
    line(`${REPLAYED} records verified and read back, ms`, ({ replayMs }) => replayMs),
  ].join("\n");
}
