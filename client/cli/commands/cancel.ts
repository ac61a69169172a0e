/** pe-client cancel: end a job; what is finished stays. */
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { hasEnded } from "../job-state.ts";
import { jobOf } from "../jobs.ts";

export const cancel: CommandSpec = {
  name: "cancel",
  about: "Cancel the tasks of a job that are not finished. Submitting it again, or retry, goes on with them.",
  argument: { name: "job", about: "id of the job, or its beginning" },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client cancel 3f2a9c"],
  run: async (given, console) =>
    await withCluster(given, console, async ({ client }) => {
      const job = await jobOf(client, await findJobId(client, given.needed("job")));
      const before = await job.status();
      await job.cancel();
      const { counts } = await job.status();
      const numbers = `${counts.finished} of its tasks are finished, ${counts.erred} failed, ${counts.cancelled} cancelled`;
      const text = hasEnded(before)
        ? `nothing to cancel, ${job.id} has ended: ${numbers}`
        : `cancelled ${job.id}: ${numbers}; pe-client retry ${job.id} --failed goes on with it`;
      printResult(console, given.flag("json"), { job: job.id, counts }, text);
      return EXIT.ok;
    }),
};
