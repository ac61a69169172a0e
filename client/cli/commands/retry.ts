/** pe-client retry: run failed and cancelled tasks of a job again. */
import { counted } from "../../../common/counted.ts";
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { jobOf } from "../jobs.ts";

export const retry: CommandSpec = {
  name: "retry",
  about: "Run the tasks of a job again that failed or were cancelled. What is finished stays.",
  argument: { name: "job", about: "id of the job, or its beginning" },
  options: [
    { flags: "--failed", about: "those that failed or were cancelled", required: true },
    ...CLUSTER_OPTIONS,
    JSON_OPTION,
  ],
  examples: ["pe-client retry 3f2a9c --failed"],
  run: async (given, console) =>
    await withCluster(given, console, async ({ client }) => {
      const job = await jobOf(client, await findJobId(client, given.needed("job")));
      const retried = await job.retryFailed();
      const text =
        retried === 0
          ? `no task of ${job.id} failed or was cancelled`
          : `${counted(retried, "task")} of ${job.id} ${retried === 1 ? "runs" : "run"} again; pe-client attach ${job.id} waits for the end`;
      printResult(console, given.flag("json"), { job: job.id, retried }, text);
      return EXIT.ok;
    }),
};
