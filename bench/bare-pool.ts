/**
 * The pool of threads without a scheduler: hands out frames of a PE job, waits for their ends, nothing more. No leases, no
 * journal, no attempts: what the scheduler costs is measured against this.
 */
import { decodeValue, encodeValue } from "../protocol/values.ts";
import { encodeJobCommon } from "../tasks/job-common.ts";
import type { PeJob } from "../tasks/pe/plan.ts";
import type { PeSummary } from "../tasks/pe/run.ts";
import type { Frame } from "../worker/threads/frame.ts";
import { createWorkerPool, type WorkerPool } from "../worker/threads/pool.ts";
import { runFrames } from "./pool-frames.ts";

/** Work that a frame should hold: hand-over costs some 50 us. */
const FRAME_TARGET_MS = 25;
const FRAME_TASKS_MAX = 64;

export interface BareRun {
  readonly job: PeJob;
  readonly threads: number;
  /** Where parts go. */
  readonly partsUrl: string;
}

/**
 * Computes all tasks of a job.
 *
 * @returns What they told, by index, and milliseconds from the first frame to the last end, without the threads' start.
 * @throws {PeError} When a task fails.
 */
export async function runOnBarePool({ job, threads, partsUrl }: BareRun): Promise<{
  summaries: PeSummary[];
  wallMs: number;
}> {
  const pool = createWorkerPool({ threads });
  try {
    await pool.listKinds();
    const startMs = performance.now();
    const summaries = await runAll(pool, job, partsUrl);
    return { summaries, wallMs: performance.now() - startMs };
  } finally {
    await pool.close();
  }
}

async function runAll(pool: WorkerPool, job: PeJob, partsUrl: string): Promise<PeSummary[]> {
  const costMs = Math.max(job.costEstimateMs / job.taskCount, 1e-3);
  const frameTasks = Math.min(FRAME_TASKS_MAX, Math.max(1, Math.floor(FRAME_TARGET_MS / costMs)));
  const common = encodeJobCommon({ parts: partsUrl, common: job.common });
  const summaries: PeSummary[] = [];
  let next = 0;
  const nextFrame = (): Frame | undefined => {
    if (next === job.taskCount) return undefined;
    const start = next;
    next = Math.min(job.taskCount, start + frameTasks);
    const tasks = Array.from({ length: next - start }, (_, place) => ({
      task: start + place,
      epoch: 1,
      attempt: 1,
      parameters: encodeValue(job.task(start + place)),
      inputs: [],
    }));
    return { job: 1, id: job.id, kind: job.kind, common, tasks };
  };
  await runFrames(pool, nextFrame, ({ task, result }) => (summaries[task] = decodeValue(result) as PeSummary));
  return summaries;
}
