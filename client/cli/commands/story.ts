/** pe-client story: what happened to one task. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import type { Client } from "../../client.ts";
import { CLUSTER_OPTIONS, findJobId, withCluster } from "../cluster.ts";
import { jobOf } from "../jobs.ts";

export const story: CommandSpec = {
  name: "story",
  about: "Tell the last transitions of one task: when it was queued, who had it, how it ended.",
  argument: {
    name: "task",
    about: "JOB/INDEX, the job by its id or the beginning of it; or the key that a task was given",
  },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client story 3f2a9c/17"],
  run: async (given, console) => {
    const named = given.needed("task");
    return await withCluster(given, console, async ({ client }) => {
      const { lines, ...what } = await storyOf(client, named);
      const text = lines.length === 0 ? "nothing happened to it lately" : lines.join("\n");
      printResult(console, given.flag("json"), { ...what, story: lines }, text);
      return EXIT.ok;
    });
  },
};

type Told = ({ readonly job: string; readonly index: number } | { readonly key: string }) & {
  readonly lines: string[];
};

/** @throws {PeError} `PE_JOB_UNKNOWN` when there is neither such a key nor such a job. */
async function storyOf(client: Client, named: string): Promise<Told> {
  const ofKey = await client.story({ key: named }).catch((error: unknown) => {
    if (error instanceof PeError && error.code === "PE_JOB_UNKNOWN") return undefined;
    throw error;
  });
  if (ofKey !== undefined) return { key: named, lines: ofKey };
  const { id, index } = parseTask(named);
  const job = await jobOf(client, await findJobId(client, id));
  if (index >= job.taskCount)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot tell the story of task ${index}: job ${job.id} has tasks 0 to ${job.taskCount - 1}`,
    );
  return { job: job.id, index, lines: await job.story(index) };
}

/** Keys may look the same: those are asked for first. */
function parseTask(text: string): { id: string; index: number } {
  const match = /^(.+)\/(\d{1,8})$/.exec(text);
  if (match === null)
    throw new PeError(
      "PE_JOB_UNKNOWN",
      `Cannot find task "${text}": no task that somebody waits for has this key, and it is no job with an index, such as 3f2a9c/17`,
    );
  return { id: match[1]!, index: Number(match[2]) };
}
