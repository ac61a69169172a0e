/** One PE job on any cluster, that of this process or another: opened or joined, and its parts made whole. */
import { hash } from "node:crypto";
import { PeError } from "../../common/errors.ts";
import { storeForJob } from "../../data/part-store.ts";
import type { PeJob } from "../../tasks/pe/plan.ts";
import type { Client } from "../client.ts";
import type { ClusterJob, JobDescription } from "../cluster-job.ts";
import { followJob, type FollowedJob } from "./job-following.ts";
import type { JobParts } from "./job-parts.ts";
import type { ComputedJob } from "./map-report.ts";

export interface OpenOptions {
  /** URL of the part store. */
  readonly parts: string;
  readonly priority?: number;
  /** After more failed tasks than this the rest is cancelled. */
  readonly maxFails?: number;
  /** As of a `JobDescription`. */
  readonly prepare?: (() => Promise<void>) | undefined;
}

export interface OpenedJob {
  readonly cluster: ClusterJob;
  /** Tasks that were finished by then. */
  readonly before: number;
  /** Failed and cancelled tasks of an earlier try that run again. */
  readonly retried: number;
}

/**
 * Opens the job, or joins it where it is known. What failed or was cancelled in a job that has ended runs again: whoever
 * asks for it once more wants it done.
 *
 * @throws {PeError} `PE_JOB_CONFLICT` when the job is known with another input folder or part store; `PE_CONNECTION`
 */
export async function openPeJob(client: Client, job: PeJob, options: OpenOptions): Promise<OpenedJob> {
  const cluster = await client.openJob(describe(job, options));
  if (!cluster.known) return { cluster, before: 0, retried: 0 };
  const { counts } = await cluster.status();
  const unfinished = counts.waiting + counts.queued + counts.processing;
  const failed = counts.erred + counts.cancelled;
  const retried = unfinished === 0 && failed > 0 ? await cluster.retryFailed() : 0;
  return { cluster, before: counts.finished, retried };
}

function describe(job: PeJob, { parts, priority, maxFails, prepare }: OpenOptions): JobDescription {
  const { id, kind, version, taskCount, common } = job;
  return {
    id,
    kind,
    version,
    common,
    parts,
    taskCount,
    task: (index) => job.task(index),
    ...(job.groupOf !== undefined && { groupOf: (index: number) => job.groupOf!(index) }),
    ...(job.labelOf !== undefined && { labelOf: (index: number) => job.labelOf!(index) }),
    ...(maxFails !== undefined && { maxFails }),
    ...(priority !== undefined && { options: { priority } }),
    ...(prepare !== undefined && { prepare }),
    transient: false,
  };
}

/** Parts may be lost again while they are made again, but not for ever. */
const TRIES_MAX = 3;

/**
 * Computes tasks again whose parts are gone or altered, by a job of their own, so that others who wait for this one are
 * not disturbed. What they give is put into `followed`.
 *
 * @throws {PeError} `PE_RESULTS_UNREADABLE` when parts do not stay.
 */
export async function restoreParts(
  client: Client,
  job: PeJob,
  followed: FollowedJob,
  parts: JobParts,
  { cluster, signal }: { cluster: ClusterJob; signal?: AbortSignal },
): Promise<void> {
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const tasks = await tasksWithoutPart(followed, parts);
    if (tasks.length === 0) return;
    const again = await openAgain(client, job, tasks, cluster);
    const result = await followJob(again, partOfJob(job, tasks), { before: 0, ...(signal && { signal }) });
    for (const index of tasks)
      for (const known of [followed.ends, followed.summaries, followed.foundBefore]) known.delete(index);
    for (const [place, end] of result.ends) followed.ends.set(tasks[place]!, end);
    for (const [place, summary] of result.summaries) followed.summaries.set(tasks[place]!, summary);
    if (signal?.aborted === true) return;
    await again.release();
  }
  throw new PeError(
    "PE_RESULTS_UNREADABLE",
    `Cannot keep the parts of job ${job.id} in "${cluster.parts}": they were computed ${TRIES_MAX} times and are gone again`,
  );
}

async function tasksWithoutPart({ ends }: FollowedJob, parts: JobParts): Promise<number[]> {
  const finished = [...ends].flatMap(([index, end]) => ("part" in end ? [{ index, part: end.part }] : []));
  const missing = new Set(await parts.missing(finished.map(({ part }) => part)));
  return finished.flatMap(({ index, part }) => (missing.has(part) ? [index] : [])).toSorted((a, b) => a - b);
}

/** A job of some tasks of another; one that an interrupted run left is begun anew. */
async function openAgain(
  client: Client,
  job: PeJob,
  tasks: readonly number[],
  { parts }: ClusterJob,
): Promise<ClusterJob> {
  const id = `${job.id}-again-${hash("sha256", JSON.stringify(tasks), "hex").slice(0, 12)}`;
  // What it computes is the first job's, and goes with that.
  const description = describe({ ...partOfJob(job, tasks), id }, { parts: storeForJob(parts!, job.id) });
  const opened = await client.openJob(description);
  if (!opened.known) return opened;
  await opened.release();
  return await client.openJob(description);
}

/** The job of some tasks only, as if it were cut into these. */
export function partOfJob(job: PeJob, tasks: readonly number[]): PeJob {
  const [groupOf, labelOf] = [job.groupOf?.bind(job), job.labelOf?.bind(job)];
  return {
    ...job,
    manifest: { ...job.manifest, tasks: tasks.map((index) => job.manifest.tasks[index]!) },
    taskCount: tasks.length,
    task: (place) => job.task(tasks[place]!),
    ...(groupOf !== undefined && { groupOf: (place: number) => groupOf(tasks[place]!) }),
    ...(labelOf !== undefined && { labelOf: (place: number) => labelOf(tasks[place]!) }),
  };
}

/** A job whose tasks have all ended, finished or erred, as its reduction wants it. */
export function computedJob(
  job: PeJob,
  { ends, summaries, foundBefore }: FollowedJob,
  { threads, wallMs }: { threads: number; wallMs: number },
): ComputedJob {
  let seriesNow = 0;
  for (const [index, { series }] of summaries) if (!foundBefore.has(index)) seriesNow += series;
  return {
    job,
    ends: Array.from({ length: job.taskCount }, (_, index) => ends.get(index)!),
    summaries: [...summaries.values()],
    seriesNow,
    finishedBefore: foundBefore.size,
    threads,
    wallMs,
  };
}
