/** PE jobs on a cluster: attached to from anywhere, and their maps or result files made here. */
import { counted } from "../../common/counted.ts";
import { PeError, type ErrorRecord } from "../../common/errors.ts";
import type { MapSource } from "../../data/maps.ts";
import { openPartStore, SCHEDULERS_OWN, storeForJob, type PartAccess, type PartStore } from "../../data/part-store.ts";
import { mapKeys } from "../../tasks/pe/reduce.ts";
import type { Client } from "../client.ts";
import type { ClusterJob } from "../cluster-job.ts";
import { computedJob, partOfJob, restoreParts } from "./job-computing.ts";
import { storeEnds } from "./ends-record.ts";
import { followJob, type FollowedJob, type Following } from "./job-following.ts";
import { partsCopied, partsInPlace, type JobParts } from "./job-parts.ts";
import { readRecord, type JobRecord } from "./job-record.ts";
import { publishJob } from "./map-publishing.ts";
import type { MapJobReport } from "./map-report.ts";
import { describeMissing } from "./missing-cells.ts";
import { intoOutput } from "./maps-output.ts";
import { checkOutput } from "./output-check.ts";
import { writeResultFiles, type WrittenResults } from "./result-files.ts";
import { openWorkFolder } from "./work-folder.ts";

/** A scheduler, and what it takes to reach the parts of its jobs. */
export interface Cluster {
  readonly client: Client;
  readonly access: PartAccess;
}

/** A PE job of a scheduler, and what it computes. */
export interface MapsOnCluster {
  readonly record: JobRecord;
  readonly cluster: ClusterJob;
  /** Tasks that were finished when it was opened. */
  readonly before: number;
  /** Of an earlier try: failed or cancelled, running again. */
  readonly retried: number;
}

/** A job that somebody submitted. @throws {PeError} `PE_JOB_UNKNOWN`, `PE_RESULTS_UNREADABLE` when it is no job of maps. */
export async function findMaps({ client, access }: Cluster, id: string): Promise<MapsOnCluster> {
  const cluster = await client.findJob(id);
  if (cluster === undefined)
    throw new PeError(
      "PE_JOB_UNKNOWN",
      `Cannot find job "${id}": the scheduler does not know it; see pe-client status`,
    );
  const record = await readRecord(storeOf(cluster, access), id);
  const { counts } = await cluster.status();
  return { record, cluster, before: counts.finished, retried: 0 };
}

function storeOf({ id, parts }: ClusterJob, access: PartAccess): PartStore {
  if (parts === null)
    throw new PeError(
      "PE_RESULTS_UNREADABLE",
      `Cannot make maps of job ${id}: it stores no parts; it computes no maps`,
    );
  return openPartStore(parts, access);
}

export interface Collecting {
  /** The maps file, a path or `s3://bucket/key`: made, or merged into. */
  readonly output: string;
  readonly replace: boolean;
  /** Publishes what there is: cells of tasks that are not finished keep what they had. */
  readonly partial: boolean;
  /** Takes what has ended by now instead of waiting for the rest. */
  readonly now: boolean;
  readonly signal?: AbortSignal;
  readonly startMs: number;
  readonly planMs: number;
  onProgress?: Following["onProgress"];
  onPublish?(maps: number): void;
}

/** A report, and the cells that it leaves as they were: one line a file. */
export interface Collected {
  readonly report: MapJobReport;
  readonly missing: readonly string[];
}

/**
 * Waits for the end of a job, computes again what was lost of its parts, and publishes its maps.
 *
 * @throws {PeError} `PE_INCOMPLETE` naming the cells of tasks that are not finished, unless `partial`; `PE_INTERRUPTED`
 *   when `signal` aborted: the job goes on
 */
export async function collectMaps(cluster: Cluster, maps: MapsOnCluster, collecting: Collecting): Promise<Collected> {
  const { output, replace, startMs, planMs } = collecting;
  const { job } = maps.record;
  const check = async (path: string): Promise<MapSource> => await checkOutput(path, job.manifest, replace);
  return await intoOutput(output, check, async ({ keptBeside, publish }) => {
    const work = await openWorkFolder(keptBeside, job.id);
    const store = storeOf(maps.cluster, cluster.access);
    const parts = store.url === SCHEDULERS_OWN ? partsCopied(store, work.partsFolder) : partsInPlace(store);
    const startedMs = performance.now();
    const followed = await follow(cluster, maps, parts, collecting);
    await commitEnds(cluster, maps, followed);
    const tasks = [...followed.ends.keys()].toSorted((a, b) => a - b);
    const missing = describeMissing(job, followed.ends);
    if (tasks.length === 0 || (missing.length > 0 && !collecting.partial)) throw incomplete(maps, followed, missing);
    const threads = await slotsOf(cluster.client);
    const computed = computedJob(partOfJob(job, tasks), renumber(followed, tasks), {
      threads,
      wallMs: performance.now() - startedMs,
    });
    collecting.onPublish?.(mapKeys(job.manifest).length);
    const report = await publish(async (path, source) => {
      return await publishJob(computed, { path, output, source, replace, parts, startMs, planMs });
    });
    await work.remove(computed.ends.flatMap((end) => ("part" in end ? [end.part] : [])));
    return { report, missing };
  });
}

/** Waits for the end of jobs of task lines and writes the result files that they ask for. @throws {PeError} As `collectMaps`. */
export async function collectResults(
  cluster: Cluster,
  jobs: readonly MapsOnCluster[],
  collecting: Pick<Collecting, "partial" | "now" | "signal" | "onProgress">,
): Promise<WrittenResults> {
  const series = new Set<string>();
  const written: WrittenResults[] = [];
  for (const maps of jobs) {
    const parts = partsInPlace(storeOf(maps.cluster, cluster.access));
    const followed = await follow(cluster, maps, parts, collecting);
    await commitEnds(cluster, maps, followed);
    const missing = describeMissing(maps.record.job, followed.ends);
    if (missing.length > 0 && !collecting.partial) throw incomplete(maps, followed, missing);
    written.push(await writeResultFiles(maps.record, followed, parts, series));
  }
  return {
    files: written.flatMap(({ files }) => files),
    series: series.size,
    problems: written.flatMap(({ problems }) => problems),
    missing: written.flatMap(({ missing }) => missing),
  };
}

async function follow(
  { client }: Cluster,
  { record: { job }, cluster, before }: MapsOnCluster,
  parts: JobParts,
  { now, signal, onProgress, output }: Pick<Collecting, "now" | "signal" | "onProgress"> & Partial<Collecting>,
): Promise<FollowedJob> {
  const { counts } = await cluster.status();
  const followed = await followJob(cluster, job, {
    before,
    ...(now && { until: counts.finished + counts.erred + counts.cancelled }),
    ...(signal !== undefined && { signal }),
    ...(onProgress !== undefined && { onProgress }),
    onPart: (name) => parts.want(name),
  });
  if (signal?.aborted === true) throw left(cluster.id, followed.ends.size, job.taskCount, output);
  await restoreParts(client, job, followed, parts, { cluster, ...(signal !== undefined && { signal }) });
  return followed;
}

/** Who may only read the parts, or finds no room, has the maps all the same: `reduce` then looks at the parts. */
const NOT_STORED = new Set(["PE_PARTS_UNREACHABLE", "PE_OUTPUT_UNWRITABLE", "PE_DISK_FULL"]);

/** So that the parts alone tell that the job is complete. */
async function commitEnds(
  { access }: Cluster,
  { record: { job }, cluster: { parts } }: MapsOnCluster,
  { ends }: FollowedJob,
): Promise<void> {
  try {
    await storeEnds(openPartStore(storeForJob(parts!, job.id), access), job, ends);
  } catch (error) {
    if (!(error instanceof PeError) || !NOT_STORED.has(error.code)) throw error;
  }
}

/** By places among `tasks` instead of indices of the job. */
function renumber(followed: FollowedJob, tasks: readonly number[]): FollowedJob {
  const places = new Map(tasks.map((index, place) => [index, place]));
  const move = <Value>(map: Map<number, Value>): Map<number, Value> =>
    new Map([...map].map(([index, value]) => [places.get(index)!, value]));
  return {
    ...followed,
    ends: move(followed.ends),
    summaries: move(followed.summaries),
    foundBefore: new Set([...followed.foundBefore].map((index) => places.get(index)!)),
  };
}

async function slotsOf(client: Client): Promise<number> {
  const { workers } = await client.status();
  return workers.reduce((sum, { slots }) => sum + slots, 0);
}

function left(id: string, done: number, tasks: number, output: string | undefined): PeError {
  const again = `pe-client attach ${id}${output === undefined ? "" : ` --output ${output}`}`;
  return new PeError(
    "PE_INTERRUPTED",
    `Stopped waiting for job ${id} after ${done} of ${tasks} tasks; it goes on: ${again} waits again, ` +
      `pe-client cancel ${id} ends it`,
    { details: { job: id, done, tasks } },
  );
}

const FILES_TOLD_MAX = 8;

/** Why the job has no maps: cancelled, ended early by an error, or not at its end. */
function incomplete(
  { record, cluster: { id } }: MapsOnCluster,
  followed: FollowedJob,
  missing: readonly string[],
): PeError {
  const { job } = record;
  const first = firstError(followed);
  const isCancelled = followed.cancelled.size > 0;
  const told = first && `the first of ${counted(errorsOf(followed).length, "error")}: ${first.message}`;
  const because = followed.because ?? told;
  const more = missing.length > FILES_TOLD_MAX ? `, and ${missing.length - FILES_TOLD_MAX} more files` : "";
  const what = `${job.taskCount - followed.ends.size} of ${job.taskCount} tasks are ${isCancelled ? "cancelled" : "not finished"}`;
  const advice = isCancelled
    ? `submit it again or pe-client retry ${id} --failed to go on`
    : `wait with pe-client attach ${id}`;
  const code =
    first?.code === "PE_INPUT_UNREACHABLE" || first?.code === "PE_PARTS_UNREACHABLE" ? first.code : "PE_INCOMPLETE";
  return new PeError(
    code,
    `Cannot make all maps of job ${id}: ${what}${because === undefined ? "" : ` (${because})`}; ${advice}, or --partial to leave NaN in the cells of ` +
      `${missing.slice(0, FILES_TOLD_MAX).join(", ")}${more}`,
    { details: { job: id, missing } },
  );
}

function firstError(followed: FollowedJob): ErrorRecord | undefined {
  const errors = errorsOf(followed);
  // What ended the job early says more than what failed before.
  return errors.find(({ code }) => code.endsWith("_UNREACHABLE")) ?? errors[0];
}

function errorsOf({ ends }: FollowedJob): ErrorRecord[] {
  return [...ends.values()].flatMap((end) => ("error" in end ? [end.error] : []));
}
