/**
 * What the scheduler's core costs by itself: an array job through a zero worker, which says `done` to whatever it is handed.
 * Memory a task (results left out), time a task, and whether the last tenth is as fast as the first. `npm run bench:cores`; with
 * `-- --document` the page of the simulation is told.
 */
import type { SchedulerToWorker, WorkerToScheduler } from "../protocol/worker-link.ts";
import type { ClientToScheduler } from "../protocol/client-link.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { createSchedulerCore } from "../scheduler/core/core.ts";
import type { SchedulerEffect } from "../scheduler/core/events.ts";
import { print } from "../test/support/pages/printed.ts";

const OPTIONS = { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: [] };
const CLIENT = 1;

interface Measured {
  readonly bytesPerTask: number;
  readonly microsecondsPerTask: number;
  readonly lastOverFirst: number;
}

function collect(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** Bytes in use, outside of the heap too. */
function memoryBytes(): number {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

interface Load {
  readonly name: string;
  readonly count: number;
  readonly keyed?: boolean;
  readonly resultBytes?: number;
  readonly workers?: number;
  /** What the zero worker says that a task took: decides how many it is given ahead. */
  readonly tookUs?: number;
}

function measure({ count, keyed = false, resultBytes = 60, workers = 2, tookUs = 10 }: Load): Measured {
  const before = memoryBytes();
  const { core } = createSchedulerCore({ records: [], sequence: 0 }, 0);
  const inbox: { link: number; message: WorkerToScheduler }[] = [];
  let nowMs = 0;
  const answer = (effects: readonly SchedulerEffect[]): void => {
    for (const effect of effects)
      if (effect.type === "to-worker") zeroWorker(effect.link, effect.message, { resultBytes, tookUs }, inbox);
  };
  const settle = (): void => {
    const { durability } = core.state;
    if (durability.durable < durability.written)
      answer(core.step({ type: "durable", sequence: durability.written }, nowMs));
  };
  const say = (message: ClientToScheduler): void => {
    answer(core.step({ type: "client-said", link: CLIENT, message }, nowMs));
    settle();
  };
  say({ type: "hello", protocol: PROTOCOL_VERSION, software: "bench", name: "bench" });
  say({
    type: "open",
    request: 1,
    id: "array",
    kind: "k",
    version: "1",
    common: new Uint8Array(0),
    maxFails: 0,
    transient: false,
  });
  for (let from = 0; from < count; from += keyed ? 4096 : count) {
    const size = keyed ? Math.min(4096, count - from) : count;
    const keys = keyed ? { keys: Array.from({ length: size }, (_, place) => `parameter-sweep-${from + place}`) } : {};
    say({ type: "append", request: 2, job: 1, from, count: size, options: OPTIONS, ...keys });
  }
  say({ type: "seal", request: 3, job: 1, tasks: count });
  say({ type: "watch", request: 4, job: 1, results: true });
  const queued = memoryBytes() - before;
  const startMs = performance.now();
  for (let link = 10; link < 10 + workers; link++) answer(core.step(registration(link), nowMs));
  const marks: number[] = [];
  for (let turn = 0; inbox.length > 0; turn++) {
    nowMs += 0.5;
    const turnInbox = inbox.splice(0);
    for (const { link, message } of turnInbox) {
      answer(core.step({ type: "worker-said", link, message }, nowMs));
      while (core.state.counters.finished >= ((marks.length + 1) * count) / 10) marks.push(performance.now());
    }
    settle();
  }
  if (core.state.counters.finished !== count)
    throw new Error(`${core.state.counters.finished} of ${count} tasks finished`);
  const [first, last] = [marks[0]! - startMs, marks[9]! - marks[8]!];
  const finished = memoryBytes() - before - count * resultBytes;
  return {
    bytesPerTask: Math.max(queued, finished) / count,
    microsecondsPerTask: ((marks[9]! - startMs) * 1000) / count,
    lastOverFirst: first / last,
  };
}

function registration(link: number) {
  const message = {
    type: "register",
    protocol: PROTOCOL_VERSION,
    software: "bench",
    name: `zero-${link}`,
    instance: String(link),
    slots: 4,
    kinds: [{ name: "k", version: "1" }],
    resources: [],
    holds: false,
  } as const;
  return { type: "worker-said", link, message } as const;
}

/** Says `done` to all it is handed, without doing anything. */
function zeroWorker(
  link: number,
  message: SchedulerToWorker,
  { resultBytes, tookUs }: { readonly resultBytes: number; readonly tookUs: number },
  inbox: { link: number; message: WorkerToScheduler }[],
): void {
  if (message.type !== "assign") return;
  const { job, tasks, attempts } = message;
  const ends = new Uint32Array(tasks.length);
  for (let place = 0; place < tasks.length; place++) ends[place] = (place + 1) * resultBytes;
  const done = {
    type: "done" as const,
    job,
    tasks,
    attempts,
    epochs: new Uint32Array(tasks.length).fill(1),
    took: new Uint32Array(tasks.length).fill(tookUs),
    ends,
    results: new Uint8Array(tasks.length * resultBytes),
  };
  inbox.push({ link, message: done });
}

const COUNT = 1_000_000;
/** The least memory and time of them counts, and the median of the ratios. */
const ROUNDS = 3;
const LOADS: readonly Load[] = [
  { name: "warm-up", count: COUNT / 4 },
  { name: "warm-up with keys", count: COUNT / 4, keyed: true },
  { name: "array job, no results", count: COUNT, resultBytes: 0 },
  { name: "array job", count: COUNT },
  { name: "tasks with keys", count: COUNT, keyed: true },
  // Tasks of a millisecond, of which a worker is given some twenty a slot: what another worker costs is another message.
  { name: "1 ms tasks, 2 workers", count: COUNT, tookUs: 1000 },
  { name: "1 ms tasks, 30 workers", count: COUNT, tookUs: 1000, workers: 30 },
  { name: "1 ms tasks, 1000 workers", count: COUNT, tookUs: 1000, workers: 1000 },
];
const lines = LOADS.map((load) => {
  const rounds = Array.from({ length: ROUNDS }, () => {
    collect();
    return measure(load);
  });
  const { name } = load;
  const bytesPerTask = Math.min(...rounds.map((round) => round.bytesPerTask));
  const microsecondsPerTask = Math.min(...rounds.map((round) => round.microsecondsPerTask));
  const lastOverFirst = rounds.map((round) => round.lastOverFirst).toSorted((a, b) => a - b)[ROUNDS >> 1]!;
  const line =
    `${name.padEnd(26)} ${bytesPerTask.toFixed(0).padStart(5)} B a task  ${microsecondsPerTask.toFixed(2).padStart(6)} us a task  ` +
    `rate of the last tenth ${lastOverFirst.toFixed(2)} of the first`;
  console.log(line);
  return line;
});
if (process.argv.includes("--document"))
  print("docs/simulation-of-the-scheduler.md", "measured cost", ["```text", ...lines, "```"].join("\n"));
