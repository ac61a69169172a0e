/** What jobs compute and what went wrong first, for people who look at them. */
import * as v from "valibot";
import { counted } from "../../common/counted.ts";
import { PeError, type ErrorRecord } from "../../common/errors.ts";
import { formatRanges } from "../../common/ranges.ts";
import { createKinds, type Kinds } from "../../tasks/registry.ts";
import type { Client } from "../client.ts";
import type { ClusterJob, JobStatus } from "../cluster-job.ts";
import { findMaps, type Cluster } from "../maps/maps-on-cluster.ts";

/** By what it is called: `input`, `orders` and the like, as the kind says it. */
export type About = Readonly<Record<string, string>>;

/** @returns Tells what a job computes; nothing of a kind, or a version of it, that this program does not know. */
export async function jobsAbout(client: Client): Promise<(job: JobStatus) => Promise<About | undefined>> {
  const kinds = await createKinds();
  return async (status) => {
    if (kinds.version(status.kind) !== status.version) return undefined;
    const job = await client.findJob(status.id);
    return job && (await aboutOf(job, kinds));
  };
}

async function aboutOf({ kind: name, common }: ClusterJob, kinds: Kinds): Promise<About | undefined> {
  const kind = await kinds.load(name);
  return kind.common === undefined || v.is(kind.common, common) ? kind.describe?.(common) : undefined;
}

/** Of a job of maps also which shards: that is not in what its tasks share, but in its manifest. */
export async function shardsOf(cluster: Cluster, id: string): Promise<About> {
  try {
    const { manifest } = (await findMaps(cluster, id)).record.job;
    return { shards: `${formatRanges(manifest.shards)} of ${counted(manifest.source.files.length, "file")}` };
  } catch (error) {
    if (!(error instanceof PeError)) throw error;
    // No job of maps has no manifest; one whose store cannot be asked is told as such.
    return error.code === "PE_RESULTS_UNREADABLE" ? {} : { shards: `cannot be told: ${error.message}` };
  }
}

export interface FirstError extends ErrorRecord {
  readonly key: string;
}

/** Of the task with the lowest index that failed; undefined when none has. */
export async function firstError(job: ClusterJob): Promise<FirstError | undefined> {
  const { finished, erred, cancelled } = (await job.status()).counts;
  if (erred === 0) return undefined;
  let left = finished + erred + cancelled;
  // In the order of the tasks. What has been tried again since has not ended.
  for await (const ends of job.ends()) {
    const first = ends.find((end) => end.status === "erred");
    if (first !== undefined) return { key: `${job.id}/${first.index}`, ...first.error };
    left -= ends.length;
    if (left <= 0) break;
  }
  return undefined;
}
