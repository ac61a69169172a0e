/**
 * Runs the tasks of a job on a pool of this process's threads: hands out frames, tells how tasks ended. No leases, no
 * attempts: a task that fails is told once and the rest goes on.
 */
import { pathToFileURL } from "node:url";
import { asPeError, ERROR_CODES, PeError, type ErrorCode, type ErrorRecord } from "../common/errors.ts";
import { decodeValue, encodeValue } from "../protocol/values.ts";
import { encodeJobCommon } from "../tasks/job-common.ts";
import type { Job, TaskResult } from "../tasks/kind.ts";
import type { Ended, WorkerPool } from "../worker/pool.ts";

/** Frames on their way per thread: one computes, one waits, so that a thread never idles while a part is stored. */
const FRAMES_PER_THREAD = 2;
/** Work that a frame should hold: hand-over costs some 50 us. */
const FRAME_TARGET_MS = 25;
const FRAME_TASKS_MAX = 64;

export interface BareRun {
  readonly job: Job;
  /** Tasks to run, by index. */
  readonly tasks: readonly number[];
  /** Estimated milliseconds of one task. */
  readonly taskCostMs: number;
  readonly pool: WorkerPool;
  readonly partsFolder?: string;
  /** Makes a note of a task whose part is durable. Its rejection ends the run: a task whose part is not stored is not finished. */
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
  const parts = run.partsFolder === undefined ? null : pathToFileURL(run.partsFolder).href;
  const common = encodeJobCommon({ parts, common: run.job.common });
  const failures: Error[] = [];
  const lane = async (): Promise<void> => {
    while (failures.length === 0 && run.signal?.aborted !== true) {
      const frame = queue.pop();
      if (frame === undefined) return;
      const unblamed = await runFrame(run, common, frame).catch((error: unknown) => {
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

/** @returns Tasks that a thread left behind when it died under an earlier one: nobody's fault, they run again. */
async function runFrame(run: BareRun, common: Uint8Array, indices: readonly number[]): Promise<readonly number[]> {
  const stores: Promise<void>[] = [];
  const left = new Set(indices);
  const onEnded = ({ done, failed }: Ended): void => {
    for (const { task, code, message, blameless } of failed) {
      left.delete(task);
      // No scheduler will try again: what is nobody's fault ends the run.
      if (blameless) stores.push(refused(new PeError(codeOf(code), message)));
      else run.onFailed(task, { code: codeOf(code), message, details: {} });
    }
    for (const { task, result, tookUs } of done) {
      left.delete(task);
      const told = resultOf(result);
      const stored = run.store(task, told).then(() => run.onFinished(task, told, tookUs / 1000));
      // A failure waits for the end of the frame; without a handler until then, Node would end the process.
      stored.catch(() => undefined);
      stores.push(stored);
    }
  };
  const tasks = indices.map((task) => ({
    task,
    attempt: 1,
    parameters: encodeValue(run.job.task(task)),
    inputs: [],
  }));
  const { id, kind } = run.job;
  const end = await run.pool.run({ job: 1, id, kind, common, tasks }, onEnded);
  await Promise.all(stores);
  const [blamed, ...rest] = left;
  if (end.type === "ended" || blamed === undefined) return [];
  const message = `Task ${blamed} ended its thread: ${end.reason}`;
  run.onFailed(blamed, { code: "PE_TASK_FAILED", message, details: { index: blamed } });
  return rest;
}

async function refused(error: PeError): Promise<void> {
  throw error;
}

/** A kind that stores a part names it in its result. */
function resultOf(bytes: Uint8Array): TaskResult {
  const summary = decodeValue(bytes) as Readonly<Record<string, unknown>>;
  return { summary, ...(typeof summary?.part === "string" && { part: { name: summary.part } }) };
}

function codeOf(code: string): ErrorCode {
  return Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : "PE_TASK_FAILED";
}
