/**
 * The pool of threads without a scheduler: hands out frames of a PE job, waits for their ends, nothing more. No leases, no
 * journal, no attempts: what the scheduler costs is measured against this.
 */
import { asPeError, PeError } from "../common/errors.ts";
import { decodeValue, encodeValue } from "../protocol/values.ts";
import { encodeJobCommon } from "../tasks/job-common.ts";
import type { PeJob } from "../tasks/pe/plan.ts";
import type { PeSummary } from "../tasks/pe/run.ts";
import { createWorkerPool, type WorkerPool } from "../worker/pool.ts";

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
  const lane = async (): Promise<void> => {
    while (next < job.taskCount) {
      const start = next;
      next = Math.min(job.taskCount, start + frameTasks);
      const tasks = Array.from({ length: next - start }, (_, place) => ({
        task: start + place,
        attempt: 1,
        parameters: encodeValue(job.task(start + place)),
        inputs: [],
      }));
      const end = await pool.run({ job: 1, id: job.id, kind: job.kind, common, tasks }, ({ done, failed }) => {
        for (const { task, result } of done) summaries[task] = decodeValue(result) as PeSummary;
        for (const { task, message } of failed) throw new PeError("PE_TASK_FAILED", `Task ${task}: ${message}`);
      });
      if (end.type === "died") throw asPeError(new Error(end.reason), "PE_TASK_FAILED", "A thread died");
    }
  };
  await Promise.all(Array.from({ length: pool.threads }, lane));
  return summaries;
}
