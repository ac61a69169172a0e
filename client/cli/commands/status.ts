/** pe-client status: the jobs and workers of a scheduler, or one job. */
import { setTimeout as wait } from "node:timers/promises";
import { counted } from "../../../common/counted.ts";
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult } from "../../../common/command-line/console.ts";
import type { Client, ClusterStatus } from "../../client.ts";
import type { JobStatus } from "../../cluster-job.ts";
import type { Cluster } from "../../maps/maps-on-cluster.ts";
import { chooseJob, CLUSTER_OPTIONS, withCluster } from "../cluster.ts";
import { firstError, jobsAbout, shardsOf, type About, type FirstError } from "../job-about.ts";
import { endedOf, JOB_HEAD, jobReasons, jobRow, stateOf } from "../job-state.ts";
import { jobOf } from "../jobs.ts";
import { leftText, paceOf, rateText, seen, type Pace } from "../pace.ts";
import { formatSeconds } from "../progress.ts";
import { table } from "../table.ts";
import { workersTable } from "../workers-table.ts";

/** Between two looks at jobs that run: what ends in it is their rate. */
const PACE_MS = 1000;
/** Of a list so many jobs, the last ones, say what they compute: each is asked for. */
const ABOUT_MAX = 20;

export const status: CommandSpec = {
  name: "status",
  about:
    "List the jobs of a scheduler, what they compute and how far they are, and its workers; or all about one job, and " +
    "its first error.",
  argument: { name: "job", about: "id of a job, or its beginning", optional: true },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client status", "pe-client status 3f2a9c --json"],
  run: async (given, console) =>
    await withCluster(given, console, async (cluster) => {
      const wanted = given.text("job");
      const first = await cluster.client.status();
      const id = wanted === undefined ? undefined : chooseJob(first.jobs, wanted);
      const { jobs, workers } = await looked(cluster.client, first, id);
      const [job] = jobs;
      if (id !== undefined && job !== undefined) {
        const told = { ...job, ...(await moreOf(cluster, job)) };
        printResult(console, given.flag("json"), told, jobText(told));
      } else printResult(console, given.flag("json"), { jobs, workers }, listText(jobs, workers));
      return EXIT.ok;
    }),
};

/** A job, and what is found out about it. */
type Looked = JobStatus & Partial<Pace> & { readonly about?: About };

/** The job of this id, or all; with the pace of those that run. */
async function looked(
  client: Client,
  first: ClusterStatus,
  id: string | undefined,
): Promise<{ readonly jobs: readonly Looked[]; readonly workers: ClusterStatus["workers"] }> {
  const firstMs = performance.now();
  const ofId = ({ jobs }: ClusterStatus): readonly JobStatus[] =>
    jobs.filter((job) => id === undefined || job.id === id);
  const before = new Map(ofId(first).map((job) => [job.id, seen(job, firstMs)]));
  const isRunning = ofId(first).some((job) => stateOf(job) === "running");
  if (isRunning) await wait(PACE_MS);
  const now = isRunning ? await client.status() : first;
  const nowMs = performance.now();
  const aboutJob = await jobsAbout(client);
  const jobs: Looked[] = [];
  for (const [place, job] of ofId(now).entries()) {
    const then = before.get(job.id);
    const about = place >= ofId(now).length - ABOUT_MAX ? await aboutJob(job) : undefined;
    jobs.push({ ...job, ...(then && paceOf(job, then, nowMs)), ...(about !== undefined && { about }) });
  }
  return { jobs, workers: now.workers };
}

async function moreOf(
  cluster: Cluster,
  { id, about = {} }: Looked,
): Promise<{ readonly about: About; readonly firstError?: FirstError }> {
  const job = await jobOf(cluster.client, id);
  const error = await firstError(job);
  const shards = job.parts === null ? {} : await shardsOf(cluster, id);
  return { about: { ...about, ...shards }, ...(error !== undefined && { firstError: error }) };
}

function jobText(job: Looked & { readonly about: About; readonly firstError?: FirstError }): string {
  const { id, kind, version, tasks, counts, about, firstError: error } = job;
  const share = tasks === 0 ? 100 : Math.floor((endedOf(counts) / tasks) * 100);
  const progress = [`${share} %`, ...paceTexts(job)].join(", ");
  const line = ([name, value]: readonly [string, string | number]): string => `${name.padEnd(12)}${value}`;
  return [
    `${id}: ${counted(tasks, "task")} of kind ${kind} (${version}), ${stateOf(job)}`,
    ...Object.entries(about).map(line),
    line(["progress", progress]),
    ...Object.entries(counts).map(line),
    ...(error === undefined ? [] : [line(["first error", `${error.key}: ${error.message} [${error.code}]`])]),
    ...jobReasons(job),
  ].join("\n");
}

function paceTexts({ perSecond, secondsLeft }: Partial<Pace>): string[] {
  if (perSecond === undefined || secondsLeft === undefined) return [];
  return [rateText({ perSecond, secondsLeft }), leftText({ perSecond, secondsLeft })];
}

function listText(jobs: readonly Looked[], workers: ClusterStatus["workers"]): string {
  const row = (job: Looked): (string | number)[] => {
    const { perSecond, secondsLeft, about = {} } = job;
    const pace = perSecond === undefined ? ["", ""] : [perSecond.toPrecision(3), formatSeconds(secondsLeft ?? 0)];
    const what = Object.entries(about).map(([name, value]) => `${name} ${value}`);
    return [...jobRow(job), ...pace, what.join("; ")];
  };
  return [
    jobs.length === 0 ? "no jobs" : table([...JOB_HEAD, "tasks/s", "left", "computes"], jobs.map(row)),
    ...jobs.flatMap(jobReasons),
    "",
    workersTable(workers),
  ].join("\n");
}
