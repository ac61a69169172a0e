/** A command's way to a scheduler, and the jobs that people name by the beginning of their ids. */
import { hostname, userInfo } from "node:os";
import { PeError } from "../../common/errors.ts";
import { nearest } from "../../common/nearest.ts";
import type { Given, OptionSpec } from "../../common/command-line/command.ts";
import type { Console } from "../../common/command-line/console.ts";
import { readAccess } from "../../protocol/access-file.ts";
import { Client } from "../client.ts";
import type { JobStatus } from "../cluster-job.ts";
import type { Cluster } from "../maps/maps-on-cluster.ts";
import { chosenAccessFile } from "./cluster-choice.ts";

export const CLUSTER_OPTIONS: readonly OptionSpec[] = [
  { flags: "--scheduler URL", about: "the scheduler, such as ws://127.0.0.1:8786 (default: that of the access file)" },
  { flags: "--access-file FILE", about: "its access file (default: where pe-scheduler on this machine wrote it)" },
  { flags: "--cluster NAME", about: "one that pe-client cluster started (default: the only one, where there is one)" },
];

/**
 * Connects as the options say, and closes the connection whatever happens.
 *
 * @param console Told when what the command waits for cannot go on.
 * @throws {PeError} `PE_CONNECTION`, `PE_ACCESS`
 */
export async function withCluster<Result>(
  given: Given,
  console: Console,
  use: (cluster: Cluster) => Promise<Result>,
): Promise<Result> {
  const cluster = await openCluster(given, console);
  try {
    return await use(cluster);
  } finally {
    await cluster.client.close();
  }
}

/** Of an error that nobody answers: here is more to be said. */
const QUESTION = "; is a scheduler running there?";

/** Says what is waited for, in place of a bar that may be there. */
export function tellWaiting(console: Console): (text: string) => void {
  return (text) => console.stderr(`${console.isTerminal ? "\r\u001B[K" : ""}waiting: ${text}\n`);
}

async function openCluster(given: Given, console: Console): Promise<Cluster> {
  const [file, asked] = [await chosenAccessFile(given), given.text("scheduler")];
  const { url, token, ca } = await readAccess({
    role: "client",
    ...(file !== undefined && { file }),
    ...(asked !== undefined && { url: asked }),
  });
  const options = { accessFile: file, name: clientName(), onWarning: tellWaiting(console) };
  const client = await Client.connect(url, options).catch((error: unknown) => {
    if (!(error instanceof PeError && error.message.endsWith(QUESTION))) throw error;
    const advice =
      "start one with pe-client cluster or pe-scheduler, or name another with --scheduler or --access-file";
    throw new PeError(error.code, `${error.message.slice(0, -QUESTION.length)}; ${advice}`, { cause: error });
  });
  const access = { schedulerUrl: url, ...(token !== undefined && { token }), ...(ca !== undefined && { ca }) };
  return { client, access };
}

/** Who asks, as the scheduler's log tells it. */
function clientName(): string {
  try {
    return `${userInfo().username}@${hostname()}`.slice(0, 100);
  } catch {
    return hostname().slice(0, 100);
  }
}

/**
 * The job that `text` is the id of, or the only beginning of.
 *
 * @throws {PeError} `PE_JOB_UNKNOWN` with ids that are like it, `PE_PARAMETER` when several begin so
 */
export async function findJobId(client: Client, text: string): Promise<string> {
  const { jobs } = await client.status();
  return chooseJob(jobs, text);
}

export function chooseJob(jobs: readonly Pick<JobStatus, "id">[], text: string): string {
  const ids = jobs.map(({ id }) => id);
  if (ids.includes(text)) return text;
  const begin = ids.filter((id) => id.startsWith(text));
  if (begin.length === 1) return begin[0]!;
  if (begin.length > 1)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot tell which job is "${text}": ${begin.slice(0, NEAR_MAX).join(", ")} begin so; give more of the id`,
    );
  const near = nearest(
    text,
    ids.map((id) => id.slice(0, Math.max(text.length, SHORT_ID))),
    NEAR_MAX,
  );
  const known = near.length === 0 ? "the scheduler has no jobs" : `known are such as ${near.join(", ")}`;
  throw new PeError("PE_JOB_UNKNOWN", `Cannot find job "${text}": ${known}; see pe-client status`);
}

const NEAR_MAX = 3;
/** Digits of an id that tables show: more than enough to tell the jobs of a scheduler apart. */
export const SHORT_ID = 12;
