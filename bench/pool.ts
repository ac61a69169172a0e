/**
 * Hand-over to the pool of threads alone: no-op tasks with parameters of about 70 bytes, no scheduler and no connection. As in a
 * worker, each thread has one frame and the next one. Then large results, and tasks that need them.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { encodeValue } from "../protocol/values.ts";
import { encodeJobCommon } from "../tasks/job-common.ts";
import type { Frame } from "../worker/threads/frame.ts";
import { createWorkerPool, type WorkerPool } from "../worker/threads/pool.ts";
import { median } from "./measure.ts";
import { runFrames } from "./pool-frames.ts";
import { measureValues, valuesTable, type ValueTimes } from "./pool-values.ts";

const FRAME_TASKS = [1, 10, 100, 256];
const VALUE_BYTES = [1_000_000, 15_000_000, 150_000_000];
const VALUE_ROUNDS = 15;
/** The place of the kinds of the tests, from the root of the repository. */
const KINDS = join("test", "fixtures", "kinds");

export interface PoolRate {
  readonly frameTasks: number;
  /** Median of the runs. */
  readonly tasksPerSecond: number;
  readonly microsecondsPerFrame: number;
}

export async function benchPool(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      threads: { type: "string", default: String(availableParallelism()) },
      tasks: { type: "string", default: "100000" },
      runs: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const pool = createWorkerPool({ threads: Number(values.threads), kinds: [KINDS] });
  const seconds = new Map<number, number[]>(FRAME_TASKS.map((frameTasks) => [frameTasks, []]));
  try {
    const tasksOf = (frameTasks: number): number => Math.min(Number(values.tasks), frameTasks * 5000);
    for (let run = -1; run < Number(values.runs); run++)
      for (const frameTasks of FRAME_TASKS) {
        const took = await runTasks(pool, tasksOf(frameTasks), frameTasks);
        // The first round warms.
        if (run >= 0) seconds.get(frameTasks)!.push(took / tasksOf(frameTasks));
      }
  } finally {
    await pool.close();
  }
  const rates = FRAME_TASKS.map((frameTasks): PoolRate => {
    const perTask = median(seconds.get(frameTasks)!);
    return {
      frameTasks,
      tasksPerSecond: Math.round(1 / perTask),
      microsecondsPerFrame: Math.round(perTask * frameTasks * 1e6 * Number(values.threads)),
    };
  });
  const times: ValueTimes[] = [];
  for (const bytes of VALUE_BYTES) times.push(await measureValues(bytes, VALUE_ROUNDS));
  console.log(
    values.json ? JSON.stringify({ rates, values: times }) : `${table(rates, pool.threads)}\n\n${valuesTable(times)}`,
  );
}

/** @returns Seconds. */
async function runTasks(pool: WorkerPool, count: number, frameTasks: number): Promise<number> {
  const common = encodeJobCommon({ parts: null, common: undefined });
  const parameters = encodeValue({ tag: 1, text: "some fifty characters of parameters, as a sweep has them" });
  let ended = 0;
  const startMs = performance.now();
  let next = 0;
  const nextFrame = (): Frame | undefined => {
    if (next === count) return undefined;
    const tasks = Array.from({ length: Math.min(frameTasks, count - next) }, () => ({
      task: next++,
      epoch: 1,
      attempt: 1,
      parameters,
      inputs: [],
    }));
    return { job: 1, id: "bench", kind: "noop", common, tasks };
  };
  await runFrames(pool, nextFrame, () => void ended++);
  if (ended !== count) throw new Error(`${ended} of ${count} tasks ended`);
  return (performance.now() - startMs) / 1000;
}

function table(rates: readonly PoolRate[], threads: number): string {
  return [
    `no-op tasks through ${threads} threads, median of the runs`,
    "tasks a frame    tasks/s    us a frame of one thread",
    ...rates.map(({ frameTasks, tasksPerSecond, microsecondsPerFrame }) =>
      [
        String(frameTasks).padStart(13),
        String(tasksPerSecond).padStart(10),
        String(microsecondsPerFrame).padStart(13),
      ].join(" "),
    ),
  ].join("\n");
}
