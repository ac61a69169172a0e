/** pe-client status: the jobs and workers of a scheduler, or one job. */
import { counted } from "../../../common/counted.ts";
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { chooseJob, CLUSTER_OPTIONS, withCluster } from "../cluster.ts";
import { JOB_HEAD, jobReasons, jobRow } from "../job-state.ts";
import { table } from "../table.ts";
import { workersTable } from "../workers-table.ts";

export const status: CommandSpec = {
  name: "status",
  about: "List the jobs of a scheduler and how far they are, and its workers; or one job.",
  argument: { name: "job", about: "id of a job, or its beginning", optional: true },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client status", "pe-client status 3f2a9c --json"],
  run: async (given, console) =>
    await withCluster(given, console, async ({ client }) => {
      const all = await client.status();
      const wanted = given.text("job");
      if (wanted !== undefined) {
        const id = chooseJob(all.jobs, wanted);
        const job = all.jobs.find((one) => one.id === id)!;
        const { counts, kind, version, tasks } = job;
        const numbers = Object.entries(counts).map(([state, count]) => `${state.padEnd(12)}${count}`);
        const text = [`${id}: ${counted(tasks, "task")} of kind ${kind} (${version})`, ...numbers, ...jobReasons(job)];
        printResult(console, given.flag("json"), job, text.join("\n"));
        return EXIT.ok;
      }
      const text = [
        all.jobs.length === 0 ? "no jobs" : table(JOB_HEAD, all.jobs.map(jobRow)),
        ...all.jobs.flatMap(jobReasons),
        "",
        workersTable(all.workers),
      ];
      printResult(console, given.flag("json"), all, text.join("\n"));
      return EXIT.ok;
    }),
};
