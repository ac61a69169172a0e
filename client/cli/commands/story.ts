/** pe-client story: what happened to one task. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { jobOf } from "../jobs.ts";

export const story: CommandSpec = {
  name: "story",
  about: "Tell the last transitions of one task: when it was queued, who had it, how it ended.",
  argument: { name: "task", about: "JOB/INDEX, the job by its id or the beginning of it" },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client story 3f2a9c/17"],
  run: async (given, console) => {
    const { id, index } = parseTask(given.needed("task"));
    return await withCluster(given, async ({ client }) => {
      const job = await jobOf(client, await findJobId(client, id));
      if (index >= job.taskCount)
        throw new PeError(
          "PE_PARAMETER",
          `Cannot tell the story of task ${index}: job ${job.id} has tasks 0 to ${job.taskCount - 1}`,
        );
      const lines = await job.story(index);
      const text = lines.length === 0 ? "nothing happened to it lately" : lines.join("\n");
      printResult(console, given.flag("json"), { job: job.id, index, story: lines }, text);
      return EXIT.ok;
    });
  },
};

function parseTask(text: string): { id: string; index: number } {
  const match = /^(.+)\/(\d{1,8})$/.exec(text);
  if (match === null)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read task "${text}": expected a job and the index of a task, such as 3f2a9c/17`,
    );
  return { id: match[1]!, index: Number(match[2]) };
}
