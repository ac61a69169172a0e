/** A job of a scheduler by its id. */
import { PeError } from "../../common/errors.ts";
import type { Client } from "../client.ts";
import type { ClusterJob } from "../cluster-job.ts";

/** @throws {PeError} `PE_JOB_UNKNOWN` when it went in the meantime. */
export async function jobOf(client: Client, id: string): Promise<ClusterJob> {
  const job = await client.findJob(id);
  if (job !== undefined) return job;
  throw new PeError("PE_JOB_UNKNOWN", `Cannot find job "${id}": it was released a moment ago`);
}
