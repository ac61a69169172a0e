/** pe-client release: forget a job. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { SCHEDULERS_OWN } from "../../../data/part-store.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { endedOf } from "../job-state.ts";
import { jobOf } from "../jobs.ts";

export const release: CommandSpec = {
  name: "release",
  about:
    "Let the scheduler forget a job that has ended, its list of results, and what its own store holds for that job alone. " +
    "Parts in other stores stay: submitted again, its tasks find them.",
  argument: { name: "job", about: "id of the job, or its beginning" },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client release 3f2a9c"],
  run: async (given, console) =>
    await withCluster(given, console, async ({ client }) => {
      const job = await jobOf(client, await findJobId(client, given.needed("job")));
      const status = await job.status();
      // One whose client has left while it sent shards has no tasks, and will get none by itself.
      if (endedOf(status.counts) < status.tasks) throw goesOn(job.id);
      await job.release();
      printResult(
        console,
        given.flag("json"),
        { job: job.id, parts: job.parts },
        `forgot ${job.id}${whatOfParts(job.parts)}`,
      );
      return EXIT.ok;
    }),
};

function whatOfParts(parts: string | null): string {
  if (parts === null) return "";
  return parts === SCHEDULERS_OWN ? ", and freed the parts that no other job needs" : `; its parts stay in ${parts}`;
}

function goesOn(id: string): PeError {
  return new PeError(
    "PE_JOB_NEEDED",
    `Cannot release job ${id}: not all of its tasks have ended; end it with pe-client cancel ${id}, or wait`,
  );
}
