/** Submits a PE job to a scheduler, or joins it where it is known: by path, or with its shards uploaded. */
import { PeError } from "../../common/errors.ts";
import { openPartStore, SCHEDULERS_OWN, storeForJob } from "../../data/part-store.ts";
import { isUploaded } from "../../data/uploads.ts";
import type { PeJob } from "../../tasks/pe/plan.ts";
import type { ClusterJob, JobStatus } from "../cluster-job.ts";
import { openPeJob, type OpenOptions } from "./job-computing.ts";
import { readRecord, storeRecord, type JobRecord } from "./job-record.ts";
import type { Cluster, MapsOnCluster } from "./maps-on-cluster.ts";
import { checkUpload, uploadedJob, uploadFiles, type Uploading } from "./uploading.ts";

export interface Submitting extends Omit<OpenOptions, "parts" | "prepare"> {
  /** URL of the part store; by default that of the job where it is known, else the scheduler's own. */
  readonly parts?: string;
  /** Workers read the shards from the part store, where they are sent to; absent: each worker from its own disk, or S3. */
  readonly upload?: Uploading;
}

/**
 * Submits a job, or joins it where it is known. One that ended without success, and had its shards or parts elsewhere, is
 * forgotten first. With `upload` it resolves when the shards are in the store, unless the job needs them no more.
 *
 * @throws {PeError} `PE_JOB_CONFLICT` when it is known with its shards in another folder, or with another part store than
 *   is asked for; `PE_CONNECTION`; what the part store throws; with `upload` also what `uploadedJob` and `uploadFiles` throw
 */
export async function submitMaps(
  { client, access }: Cluster,
  record: JobRecord,
  { parts: wanted, upload, ...options }: Submitting,
): Promise<MapsOnCluster> {
  if (upload !== undefined) checkUpload(record.job);
  const asked: Asked = { root: record.job.common.root, parts: wanted, uploads: upload !== undefined };
  const known = await joinable(await client.findJob(record.job.id), asked);
  const parts = known?.parts ?? wanted ?? SCHEDULERS_OWN;
  const store = openPartStore(storeForJob(parts, record.job.id), access);
  const status = await known?.status();
  const reading = readingOf(known, status, asked);
  if (reading === "as known") {
    const stored = await readRecord(store, record.job.id);
    return { record: stored, ...(await openPeJob(client, stored.job, { ...options, parts })) };
  }
  const isSent = reading === "uploaded" && upload !== undefined;
  const job = isSent ? await uploadedJob(record.job, upload, known && rootOf(known)) : record.job;
  const prepare = isSent
    ? async (): Promise<void> =>
        void (await uploadFiles(store, job, { ...upload, verifies: (status?.counts.erred ?? 0) > 0 }))
    : undefined;
  // Before the job: whoever finds the job finds what it computes.
  await storeRecord(store, { ...record, job });
  return { record: { ...record, job }, ...(await openPeJob(client, job, { ...options, parts, prepare })) };
}

interface Asked {
  /** Where the shards are. */
  readonly root: string;
  readonly parts: string | undefined;
  readonly uploads: boolean;
}

/** The job that the scheduler knows, when it is to be joined. Where that came to nothing and this may not, it is forgotten. */
async function joinable(found: ClusterJob | undefined, asked: Asked): Promise<ClusterJob | undefined> {
  if (found === undefined) return undefined;
  const conflict = conflictWith(found, asked);
  const mayDoBetter = conflict !== undefined || (asked.uploads && !isUploaded(rootOf(found) ?? ""));
  if (mayDoBetter && isUnsuccessful(await found.status())) {
    await found.release();
    return undefined;
  }
  if (conflict !== undefined) throw conflict;
  return found;
}

/** Where the tasks of a job read its files. */
function rootOf({ common }: ClusterJob): string | undefined {
  return (common as Partial<PeJob["common"]> | undefined)?.root;
}

/** Ended, and not with all that it was for. */
function isUnsuccessful({ sealed, tasks, counts: { finished, erred, cancelled } }: JobStatus): boolean {
  return sealed && finished < tasks && finished + erred + cancelled === tasks;
}

/** The id says what is computed, not where it lies and goes: a job has one place of each. */
function conflictWith(found: ClusterJob, { root, parts, uploads }: Asked): PeError | undefined {
  const { id } = found;
  const refuse = (reason: string): PeError =>
    new PeError("PE_JOB_CONFLICT", `Cannot submit job ${id}${reason}, or forget it first: pe-client release ${id}`);
  if (parts !== undefined && found.parts !== parts)
    return refuse(
      ` with --parts ${parts}: it is known, and its results go to ${found.parts}; leave --parts out to join it`,
    );
  const there = rootOf(found);
  // What was uploaded every worker finds; who offers to upload does not insist on a folder.
  if (there === undefined || there === root || isUploaded(there) || uploads) return undefined;
  return refuse(` with its shards in "${root}": it is known with the same shards in "${there}"; name those to join it`);
}

/** Where the tasks read: in the folder that was named, from the store, or as the scheduler knows it already. */
function readingOf(
  known: ClusterJob | undefined,
  status: JobStatus | undefined,
  { root, uploads }: Asked,
): "in place" | "uploaded" | "as known" {
  if (known === undefined || status === undefined) return uploads ? "uploaded" : "in place";
  const there = rootOf(known) ?? root;
  if (there === root) return "in place";
  if (!uploads || !isUploaded(there)) return "as known";
  // What it has lost, or never got, is sent again; what has all its results needs nothing.
  const { sealed, tasks, counts } = status;
  return sealed && counts.finished === tasks ? "as known" : "uploaded";
}
