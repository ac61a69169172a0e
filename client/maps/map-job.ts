/**
 * The main job on this machine: shards in, maps out, resumable. The same steps as on a cluster, with scheduler and worker
 * in this process: plan, open the job, follow it, reduce, publish, verify, tell.
 */
import { availableParallelism } from "node:os";
import { PeError } from "../../common/errors.ts";
import type { MapSource } from "../../data/maps.ts";
import { openPartStore } from "../../data/part-store.ts";
import { planPe, type PeJob, type PeRequest } from "../../tasks/pe/plan.ts";
import { mapKeys } from "../../tasks/pe/reduce.ts";
import { Client } from "../client.ts";
import { computedJob, openPeJob, restoreParts } from "./job-computing.ts";
import { watchDisk, type DiskWatch } from "./disk-watch.ts";
import { followJob, type FollowedJob, type JobProgress } from "./job-following.ts";
import { partsInPlace, type JobParts } from "./job-parts.ts";
import { publishJob } from "./map-publishing.ts";
import type { ComputedJob, MapJobReport } from "./map-report.ts";
import { intoOutput } from "./maps-output.ts";
import { checkOutput } from "./output-check.ts";
import { openWorkFolder, type WorkFolder } from "./work-folder.ts";

export interface MapJobOptions extends PeRequest {
  /** The maps file, a path or `s3://bucket/key`: made, or merged into. */
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
  /** Nothing goes on now, and why: a store is away. A warning of the process by default. */
  onWarning?(text: string): void;
}

export type MapJobProgress = JobProgress;

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
  const { output, replace = false } = options;
  const check = async (path: string): Promise<MapSource> => await checkOutput(path, job.manifest, replace);
  return await intoOutput(output, check, async ({ keptBeside, publish }) => {
    const work = await openWorkFolder(keptBeside, job.id);
    const parts = partsInPlace(openPartStore(work.partsUrl));
    const computed = await compute(job, work, parts, options);
    options.onPublish?.(mapKeys(job.manifest).length);
    const report = await publish(async (path, source) => {
      return await publishJob(computed, { path, output, source, replace, parts, startMs, planMs });
    });
    await work.remove(computed.ends.flatMap((end) => ("part" in end ? [end.part] : [])));
    return report;
  });
}

async function compute(job: PeJob, work: WorkFolder, parts: JobParts, options: MapJobOptions): Promise<ComputedJob> {
  const { threads = availableParallelism() } = options;
  const startMs = performance.now();
  const disk = watchDisk(work.partsFolder, partBytes(job));
  const place = { work, parts, disk, threads: Math.min(threads, job.taskCount) };
  try {
    const followed = await afresh(work, async () => await computeFollowed(job, place, options));
    return computedJob(job, followed, { threads, wallMs: performance.now() - startMs });
  } finally {
    disk.stop();
  }
}

/**
 * A journal that cannot be read, or that is of a folder that was moved, costs nothing but looking at the inputs again: the
 * parts are found.
 */
async function afresh<Result>(work: WorkFolder, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof PeError && USELESS_JOURNAL.has(error.code))) throw error;
    await work.forgetProgress();
    return await act();
  }
}

const USELESS_JOURNAL: ReadonlySet<string> = new Set(["PE_JOURNAL_CORRUPT", "PE_JOURNAL_VERSION", "PE_JOB_CONFLICT"]);

async function computeFollowed(job: PeJob, place: Place, options: MapJobOptions): Promise<FollowedJob> {
  const client = await Client.local({
    threads: place.threads,
    journal: place.work.journal,
    // No other job comes.
    keepsInputs: false,
    ...(options.onWarning !== undefined && { onWarning: (text: string) => options.onWarning!(text) }),
  });
  try {
    return await Promise.race([place.disk.full, follow(client, job, place, options)]);
  } finally {
    await client.close();
  }
}

interface Place {
  readonly work: WorkFolder;
  readonly parts: JobParts;
  readonly disk: DiskWatch;
  readonly threads: number;
}

async function follow(
  client: Client,
  job: PeJob,
  { work, parts, disk }: Place,
  options: MapJobOptions,
): Promise<FollowedJob> {
  const { signal } = options;
  const { cluster, before } = await openPeJob(client, job, { parts: work.partsUrl });
  options.onPlan?.(job, before);
  const followed = await followJob(cluster, job, {
    before,
    ...(signal !== undefined && { signal }),
    onAbort: async () => await client.drain(),
    onPart: () => disk.stored(),
    onProgress: (progress) => options.onProgress?.(progress),
  });
  // What this process has just stored needs no second look; what it found does.
  if (cluster.known) await restoreParts(client, job, followed, parts, { cluster, ...(signal && { signal }) });
  if (followed.ends.size < job.taskCount) throw interrupted(work, followed.ends.size, job.taskCount);
  return followed;
}

/** About what the part of a task takes. */
function partBytes({ manifest, seriesEstimate, taskCount }: PeJob): number {
  const bytesPerSeries = 24 + 9 * mapKeys(manifest).length;
  return 4096 + Math.ceil((seriesEstimate / taskCount) * bytesPerSeries);
}

function interrupted({ path }: WorkFolder, done: number, tasks: number): PeError {
  return new PeError(
    "PE_INTERRUPTED",
    `Stopped after ${done} of ${tasks} tasks; they are kept in "${path}": run the same command again to go on`,
    { details: { done, tasks } },
  );
}

export type { MapJobReport };
