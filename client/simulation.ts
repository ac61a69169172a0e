/** Simulated shards: plans a simulation and computes it on all cores. Interrupted, the same request goes on. */
import { availableParallelism } from "node:os";
import { PeError } from "../common/errors.ts";
import {
  planSimulation,
  type SimulateJob,
  type SimulateRequest,
  type SimulateSummary,
} from "../tasks/simulate/index.ts";
import { Client } from "./client.ts";
import type { TaskEnd } from "./jobs/job-ends.ts";

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
  const { signal, threads = availableParallelism() } = options;
  const summaries: SimulateSummary[] = [];
  let failure: PeError | undefined;
  const take = (end: TaskEnd): void => {
    if (end.status === "erred") failure ??= PeError.fromRecord(end.error);
    if (end.status !== "finished") return;
    const summary = end.result as SimulateSummary;
    summaries.push(summary);
    options.onProgress?.({ shardsDone: summaries.length, shards: job.taskCount, file: summary.file });
  };
  const client = await Client.local({ threads: Math.min(threads, job.taskCount) });
  try {
    const { id, kind, version, common, taskCount } = job;
    // A simulated shard is an object of its own, durable when its task ends: nothing else needs to be kept.
    const opened = await client.openJob({
      id,
      kind,
      version,
      common,
      parts: null,
      taskCount,
      task: (index) => job.task(index),
      transient: true,
    });
    const onAbort = (): void => void client.drain().finally(() => opened.detach());
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted !== true) for await (const batch of opened.ends()) for (const end of batch) take(end);
    signal?.removeEventListener("abort", onAbort);
  } finally {
    await client.close();
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
