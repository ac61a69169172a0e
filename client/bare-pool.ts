/**
 * Runs the tasks of a job on a pool of this process's threads: hands out frames, stores parts, tells how tasks ended.
 * No leases, no attempts: a task that fails is told once and the rest goes on.
 */
import { asPeError, type ErrorRecord } from "../common/errors.ts";
import type { Job, TaskResult } from "../tasks/kind.ts";
import type { TaskOutcome, WorkerPool } from "../worker/pool.ts";

/** Frames on their way per thread: one computes, one waits, so that a thread never idles while a part is stored. */
const FRAMES_PER_THREAD = 2;
/** Work that a frame should hold: hand-over costs some 50 us. */
const FRAME_TARGET_MS = 25;
const FRAME_TASKS_MAX = 64;

export interface BareRun {
  readonly job: Job<unknown>;
  /** Tasks to run, by index. */
  readonly tasks: readonly number[];
  /** Estimated milliseconds of one task. */
  readonly taskCostMs: number;
  readonly pool: WorkerPool;
  readonly partsFolder?: string;
  /** Makes the result of a task durable. Its rejection ends the run: a task whose part is not stored is not finished. */
  store(index: number, result: TaskResult): Promise<void>;
  onFinished(index: number, result: TaskResult, tookMs: number): void;
  onFailed(index: number, error: ErrorRecord): void;
  /** Stops handing out; tasks that were handed out finish. */
  readonly signal?: AbortSignal;
}

/**
 * Resolves when every task ended, or, after an abort, when those handed out did.
 *
 * @throws {PeError} What `store` threw.
 */
export async function runOnBarePool(run: BareRun): Promise<void> {
  const frameTasks = Math.min(
    FRAME_TASKS_MAX,
    Math.max(1, Math.floor(FRAME_TARGET_MS / Math.max(run.taskCostMs, 1e-3))),
  );
  const queue = frames(run.tasks, frameTasks);
  const failures: Error[] = [];
  const lane = async (): Promise<void> => {
    while (failures.length === 0 && run.signal?.aborted !== true) {
      const frame = queue.pop();
      if (frame === undefined) return;
      const unblamed = await runFrame(run, frame).catch((error: unknown) => {
        failures.push(asPeError(error, "PE_OUTPUT_UNWRITABLE", "Cannot store a part"));
        return [];
      });
      if (unblamed.length > 0) queue.push([...unblamed]);
    }
  };
  await Promise.all(Array.from({ length: run.pool.threads * FRAMES_PER_THREAD }, lane));
  if (failures[0] !== undefined) throw failures[0];
}

/** Last frame first, so that `pop` hands out in order. */
function frames(tasks: readonly number[], frameTasks: number): number[][] {
  const pieces: number[][] = [];
  for (let start = 0; start < tasks.length; start += frameTasks) pieces.push(tasks.slice(start, start + frameTasks));
  return pieces.toReversed();
}

async function runFrame(run: BareRun, indices: readonly number[]): Promise<readonly number[]> {
  const stores: Promise<void>[] = [];
  const onOutcome = (outcome: TaskOutcome): void => {
    if (outcome.type === "failed") return run.onFailed(outcome.index, outcome.error);
    const { index, result, tookMs } = outcome;
    const stored = run.store(index, result).then(() => run.onFinished(index, result, tookMs));
    // A failure waits for the end of the frame; without a handler until then, Node would end the process.
    stored.catch(() => undefined);
    stores.push(stored);
  };
  const tasks = indices.map((index) => ({ index, parameters: run.job.task(index) }));
  const { job, partsFolder } = run;
  const unblamed = await run.pool.run(
    { kind: job.kind, tasks, ...(partsFolder !== undefined && { partsFolder }) },
    onOutcome,
  );
  await Promise.all(stores);
  return unblamed;
}
