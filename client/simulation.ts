/** Simulated shards: plans a simulation and computes it on all cores. Interrupted, the same request goes on. */
import { availableParallelism } from "node:os";
import { PeError } from "../common/errors.ts";
import {
  planSimulation,
  type SimulateJob,
  type SimulateRequest,
  type SimulateSummary,
} from "../tasks/simulate/index.ts";
import { createWorkerPool } from "../worker/pool.ts";
import { runOnBarePool } from "./bare-pool.ts";

export interface SimulationOptions {
  readonly threads?: number;
  readonly signal?: AbortSignal;
  onPlan?(job: SimulateJob): void;
  onProgress?(progress: { shardsDone: number; shards: number; file: string }): void;
}

export interface SimulationReport {
  readonly output: string;
  readonly shards: number;
  /** Of them, those that were there already. */
  readonly reused: number;
  readonly series: number;
  readonly bytes: number;
  readonly wallMs: number;
}

/**
 * Writes the shards of a simulation: identical values for the same request on every machine.
 *
 * @throws {PeError} `PE_PARAMETER`, `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`, `PE_INTERRUPTED`
 */
export async function simulateShards(
  request: SimulateRequest,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  const startMs = performance.now();
  const job = await planSimulation(request);
  options.onPlan?.(job);
  const threads = Math.min(options.threads ?? availableParallelism(), job.taskCount);
  const pool = createWorkerPool({ threads });
  const summaries: SimulateSummary[] = [];
  let failure: PeError | undefined;
  try {
    await runOnBarePool({
      job,
      tasks: Array.from({ length: job.taskCount }, (_, index) => index),
      taskCostMs: job.costEstimateMs / job.taskCount,
      pool,
      // A simulated shard is an object of its own, durable when its task ends.
      store: async () => undefined,
      onFinished: (_index, { summary }) => {
        summaries.push(summary as SimulateSummary);
        options.onProgress?.({ shardsDone: summaries.length, shards: job.taskCount, file: String(summary.file) });
      },
      onFailed: (_index, error) => {
        failure ??= PeError.fromRecord(error);
      },
      ...(options.signal !== undefined && { signal: options.signal }),
    });
  } finally {
    await pool.close();
  }
  if (failure !== undefined) throw failure;
  if (summaries.length < job.taskCount)
    throw new PeError(
      "PE_INTERRUPTED",
      `Stopped after ${summaries.length} of ${job.taskCount} shards; they are kept: run the same command again to go on`,
    );
  return {
    output: job.output,
    shards: job.taskCount,
    reused: summaries.filter(({ reused }) => reused).length,
    series: job.seriesCount,
    bytes: summaries.reduce((sum, { bytes }) => sum + bytes, 0),
    wallMs: Math.round(performance.now() - startMs),
  };
}
