/**
 * The main job: shards in, maps out, resumable. Plans, computes what is missing, reduces, publishes, verifies, and tells.
 */
import { availableParallelism } from "node:os";
import { PeError, type ErrorRecord } from "../common/errors.ts";
import { acquireLock } from "../data/lock.ts";
import type { MapSource } from "../data/maps.ts";
import { publishMaps, type Published } from "../data/maps.ts";
import { KERNEL_VERSION } from "../kernel/index.ts";
import { planPe, type PeJob, type PeRequest } from "../tasks/pe/plan.ts";
import { mapKeys, reducePe, type ReducedJob, type TaskEnd } from "../tasks/pe/reduce.ts";
import type { PeSummary } from "../tasks/pe/run.ts";
import { createWorkerPool } from "../worker/pool.ts";
import { runOnBarePool } from "./bare-pool.ts";
import { buildReport, type MapJobReport } from "./map-report.ts";
import { checkOutput, withHashes } from "./output-check.ts";
import { packageVersion } from "../common/version.ts";
import { openWorkFolder, type WorkFolder } from "./work-folder.ts";

export interface MapJobOptions extends PeRequest {
  /** The maps file: made, or merged into. */
  readonly output: string;
  /** Threads that compute; as many as the machine has cores by default. */
  readonly threads?: number;
  /** Replaces maps of another input under the same names instead of refusing. */
  readonly replace?: boolean;
  /** Stops after the tasks under way; what is finished is kept for the next run. */
  readonly signal?: AbortSignal;
  onPlan?(job: PeJob, finishedBefore: number): void;
  onProgress?(progress: MapJobProgress): void;
  /** All is computed; the maps are written and verified next. */
  onPublish?(maps: number): void;
}

export interface MapJobProgress {
  readonly tasksDone: number;
  readonly tasks: number;
  /** Of `tasksDone`, those an earlier run finished. */
  readonly tasksBefore: number;
  /** Series whose values are computed, those of an earlier run included. */
  readonly seriesDone: number;
  readonly seriesBefore: number;
  readonly seriesEstimate: number;
  /** File of the task that finished last. */
  readonly file: string;
}

/**
 * Computes the maps of a request and writes them to `options.output`. Interrupted at any point and called again, it goes
 * on where it was: every value is bit-identical to an undisturbed run.
 *
 * @throws {PeError} Whatever keeps the job as a whole from ending; a bad series or file does not: the report names it.
 */
export async function computeMaps(options: MapJobOptions): Promise<MapJobReport> {
  const startMs = performance.now();
  const job = await planPe(options);
  const planMs = performance.now() - startMs;
  const lock = await acquireLock(options.output);
  try {
    const source = await checkOutput(options.output, job.manifest, options.replace === true);
    const work = await openWorkFolder(options.output, job);
    try {
      const computed = await compute(job, work, options);
      const reduceStartMs = performance.now();
      options.onPublish?.(mapKeys(job.manifest).length);
      const { reduced, published } = await publish(job, work, source, computed.ends, options);
      const publishMs = performance.now() - reduceStartMs;
      await work.remove();
      const timing = { wallMs: performance.now() - startMs, planMs, computeMs: computed.wallMs, publishMs };
      return await buildReport({ job, output: options.output, source, reduced, published, computed, timing });
    } finally {
      await work.close();
    }
  } finally {
    await lock.release();
  }
}

/** How the tasks of a job ended in this run. */
export interface ComputedJob {
  readonly ends: readonly TaskEnd[];
  readonly summaries: readonly PeSummary[];
  /** Series computed by this run. */
  readonly seriesNow: number;
  readonly finishedBefore: number;
  readonly threads: number;
  readonly wallMs: number;
}

async function compute(job: PeJob, work: WorkFolder, options: MapJobOptions): Promise<ComputedJob> {
  const startMs = performance.now();
  const threads = options.threads ?? availableParallelism();
  const ends = new Map<number, TaskEnd>(work.finished.map(({ index, part }) => [index, { part }]));
  const summaries = work.finished.map(({ summary }) => summary as PeSummary);
  options.onPlan?.(job, ends.size);
  const before = { tasks: ends.size, series: summaries.reduce((sum, { series }) => sum + series, 0) };
  let seriesDone = before.series;
  const tell = (file: string): void =>
    options.onProgress?.({
      tasksDone: ends.size,
      tasks: job.taskCount,
      tasksBefore: before.tasks,
      seriesDone,
      seriesBefore: before.series,
      seriesEstimate: job.seriesEstimate,
      file,
    });
  const missing = Array.from({ length: job.taskCount }, (_, index) => index).filter((index) => !ends.has(index));
  if (missing.length > 0) {
    const pool = createWorkerPool({ threads: Math.min(threads, missing.length) });
    try {
      await runOnBarePool({
        job,
        tasks: missing,
        taskCostMs: job.costEstimateMs / job.taskCount,
        pool,
        partsFolder: work.partsFolder,
        store: async (index, result) => await work.store(index, result),
        onFinished: (index, { part, summary }) => {
          ends.set(index, { part: part!.name });
          summaries.push(summary as PeSummary);
          seriesDone += (summary as PeSummary).series;
          tell(job.task(index).file.name);
        },
        onFailed: (index, error) => {
          const file = job.task(index).file.name;
          ends.set(index, { error: nameFile(error, file) });
          tell(file);
        },
        ...(options.signal !== undefined && { signal: options.signal }),
      });
    } finally {
      await pool.close();
    }
  }
  if (ends.size < job.taskCount) throw interrupted(options.output, ends.size, job.taskCount);
  return {
    ends: Array.from({ length: job.taskCount }, (_, index) => ends.get(index)!),
    summaries,
    seriesNow: seriesDone - before.series,
    finishedBefore: before.tasks,
    threads,
    wallMs: performance.now() - startMs,
  };
}

/** A pool knows tasks by number; the user knows files. */
function nameFile(error: ErrorRecord, file: string): ErrorRecord {
  const message = error.message.includes(file) ? error.message : `Cannot compute "${file}": ${error.message}`;
  return { ...error, message, details: { file, ...error.details } };
}

async function publish(
  job: PeJob,
  work: WorkFolder,
  source: MapSource,
  ends: readonly TaskEnd[],
  options: MapJobOptions,
): Promise<{ reduced: ReducedJob; published: Published }> {
  const reduced = await reducePe(job.manifest, ends, {
    read: async (name) => {
      const bytes = await work.readPart(name);
      if (bytes === undefined)
        throw new PeError(
          "PE_RESULTS_UNREADABLE",
          `Cannot read part "${name}" in "${work.path}": it is gone or altered; run the command again`,
        );
      return bytes;
    },
    readSlice: async (name, offset, into) => await work.readPartSlice(name, offset, into),
  });
  const published = await publishMaps(options.output, {
    xSize: job.manifest.grid.xSize,
    ySize: job.manifest.grid.ySize,
    source: withHashes(source, reduced.hashes),
    software: `pe-cluster ${packageVersion()}`,
    kernel: KERNEL_VERSION,
    dateIso: new Date().toISOString(),
    coordinates: reduced.coordinates,
    owners: reduced.owners,
    maps: reduced.maps,
    replace: options.replace === true,
  });
  return { reduced, published };
}

function interrupted(output: string, done: number, tasks: number): PeError {
  return new PeError(
    "PE_INTERRUPTED",
    `Stopped after ${done} of ${tasks} tasks; they are kept in "${output}.work": run the same command again to go on`,
    { details: { done, tasks } },
  );
}

export type { MapJobReport };
