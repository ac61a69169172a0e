/**
 * What the scheduler costs by itself: its real shell with a journal on this disk, a client that holds nothing and zero
 * workers, all in one process, every message through bytes. Time and memory a task, whether the last tenth of a million
 * tasks is as fast as the first, and the same with a thousand workers. Time includes the other sides' share: it is an upper bound.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { clientToScheduler, schedulerToClient } from "../protocol/client-link.ts";
import { pair } from "../protocol/memory.ts";
import { schedulerToWorker, workerToScheduler } from "../protocol/worker-link.ts";
import { startScheduler, type Scheduler } from "../scheduler/scheduler.ts";
import { median } from "./measure.ts";
import { PlainClient, type PlainJob } from "./plain-client.ts";
import { keepBeating, startZeroWorker, type ZeroWorker, type ZeroWorkerOptions } from "./zero-worker.ts";

const KIND = { kind: "zero", version: "1" };
const RESULT_BYTES = 60;

interface Load extends Pick<PlainJob, "parameterBytes" | "keyed"> {
  readonly name: string;
  readonly workers: number;
  /** A thousand workers could not be fed with shorter tasks: each would be handed all it can hold, and so the whole job at once. */
  readonly tookUs: number;
}

export interface LoadFigures {
  /** Microseconds from the first hand-out to the end, durable and told, a task; all sides of it. */
  readonly usPerTask: number;
  /** Appending and its acknowledgement, which is durable. */
  readonly appendUsPerTask: number;
  /** Of the scheduler, without the bytes of parameters and results: the larger of all queued and all finished. */
  readonly bytesPerTask: number;
  /** Rate of the last tenth of the tasks over that of the first. */
  readonly lastOverFirst: number;
  /** Rate of the slowest tenth over that of the fastest. */
  readonly slowestOverFastest: number;
}

const LOADS: readonly Load[] = [
  { name: "array job", parameterBytes: 0, keyed: false, workers: 2, tookUs: 10 },
  { name: "70 B of parameters a task", parameterBytes: 70, keyed: false, workers: 2, tookUs: 10 },
  { name: "and keys of the user's own", parameterBytes: 70, keyed: true, workers: 2, tookUs: 10 },
  { name: "array job, 1,000 workers", parameterBytes: 0, keyed: false, workers: 1000, tookUs: 1000 },
];

export async function benchSchedulerLoad(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      tasks: { type: "string", default: "1000000" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
    },
  });
  const tasks = Number(values.tasks);
  // V8 compiles what is hot in a first run, which does not count.
  for (const load of LOADS) await runLoad(load, Math.min(tasks, 50_000));
  const found = new Map<string, LoadFigures[]>(LOADS.map(({ name }) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const load of LOADS) found.get(load.name)!.push(await runLoad(load, tasks));
  console.log(values.json ? JSON.stringify(Object.fromEntries(found)) : table(found, tasks));
}

async function runLoad(load: Load, tasks: number): Promise<LoadFigures> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-load-"));
  try {
    const { parameterBytes, keyed, workers, tookUs } = load;
    const before = memoryBytes();
    const scheduler = await startScheduler({ journal: join(folder, "journal"), onFatal: fail });
    const client = connectClient(scheduler);
    let zeroWorkers: ZeroWorker[] = [];
    let stopBeating: () => void = () => undefined;
    let queuedBytes = 0;
    let startMs = 0;
    let answered = 0;
    // When a tenth was answered, not when the client heard of it: that goes by commits, of which there are few.
    const marksMs: number[] = [];
    const onAnswered = (count: number): void => {
      answered += count;
      while (answered >= ((marksMs.length + 1) * tasks) / 10) marksMs.push(performance.now());
    };
    const job = { id: "load", ...KIND, tasks, parameterBytes, keyed, results: true };
    const { appendedMs } = await client.run(job, async () => {
      queuedBytes = memoryBytes() - before - tasks * parameterBytes;
      startMs = performance.now();
      zeroWorkers = await Promise.all(
        Array.from({ length: workers }, (_, place) => connectWorker(scheduler, place, { tookUs, onAnswered })),
      );
      stopBeating = keepBeating(zeroWorkers);
    });
    const endMs = performance.now();
    const finishedBytes = memoryBytes() - before - tasks * RESULT_BYTES;
    stopBeating();
    client.close();
    for (const worker of zeroWorkers) worker.close();
    await scheduler.close();
    const tenths = marksMs.map((markMs, place) => markMs - (marksMs[place - 1] ?? startMs));
    return {
      usPerTask: ((endMs - startMs) * 1000) / tasks,
      appendUsPerTask: (appendedMs * 1000) / tasks,
      bytesPerTask: Math.max(queuedBytes, finishedBytes) / tasks,
      lastOverFirst: tenths[0]! / tenths[9]!,
      slowestOverFastest: Math.min(...tenths) / Math.max(...tenths),
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

function connectClient(scheduler: Scheduler): PlainClient {
  const [near, far] = pair({ link: { out: clientToScheduler, in: schedulerToClient }, codec: true });
  scheduler.acceptClient(far);
  return new PlainClient(near);
}

function connectWorker(
  scheduler: Scheduler,
  place: number,
  options: Pick<ZeroWorkerOptions, "tookUs" | "onAnswered">,
): Promise<ZeroWorker> {
  const [near, far] = pair({ link: { out: workerToScheduler, in: schedulerToWorker }, codec: true });
  scheduler.acceptWorker(far);
  return startZeroWorker(near, { name: `zero-${place}`, ...KIND, resultBytes: RESULT_BYTES, ...options });
}

function fail(error: Error): never {
  throw error;
}

/** Bytes in use, outside of the heap too. */
function memoryBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function table(found: ReadonlyMap<string, readonly LoadFigures[]>, tasks: number): string {
  const columns: readonly [string, (figures: LoadFigures) => number, digits: number][] = [
    ["us a task", ({ usPerTask }) => usPerTask, 2],
    ["append us", ({ appendUsPerTask }) => appendUsPerTask, 2],
    ["B a task", ({ bytesPerTask }) => bytesPerTask, 0],
    ["last/first", ({ lastOverFirst }) => lastOverFirst, 2],
    ["slowest/fastest", ({ slowestOverFastest }) => slowestOverFastest, 2],
  ];
  const rows = [...found].map(([name, rounds]) =>
    [name.padEnd(28), ...columns.map(([title, of, digits]) => cell(title, median(rounds.map(of)), digits))].join(" "),
  );
  return [
    `${tasks} tasks, results of ${RESULT_BYTES} B, journal on; medians of ${[...found.values()][0]!.length} rounds`,
    ["".padEnd(28), ...columns.map(([title]) => title.padStart(10))].join(" "),
    ...rows,
  ].join("\n");
}

function cell(title: string, value: number, digits: number): string {
  return value.toFixed(digits).padStart(Math.max(10, title.length));
}
