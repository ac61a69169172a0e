/** pe-client watch: live bars of jobs and workers. */
import { setTimeout as wait } from "node:timers/promises";
import { EXIT } from "../../../common/errors.ts";
import { JSON_OPTION, type CommandSpec } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import type { Client, ClusterStatus } from "../../client.ts";
import type { JobStatus } from "../../cluster-job.ts";
import { chooseJob, CLUSTER_OPTIONS, SHORT_ID, withCluster } from "../cluster.ts";
import { endedOf, hasEnded, JOB_HEAD, jobReasons, jobRow, stateOf } from "../job-state.ts";
import { formatBytes } from "../plan-text.ts";
import { leftText, paceOf, rateText, seen, type Pace, type Seen } from "../pace.ts";
import { bar } from "../progress.ts";
import { createScreen } from "../screen.ts";
import { table } from "../table.ts";

const LOOK_MS = 500;
const LINE_MS = 10_000;

export const watch: CommandSpec = {
  name: "watch",
  about:
    "Show bars of a job, or of all that have not ended, and of the workers, until they have; one line every 10 s " +
    "without a terminal.",
  argument: { name: "job", about: "id of a job, or its beginning (default: all that have not ended)", optional: true },
  options: [...CLUSTER_OPTIONS, JSON_OPTION],
  examples: ["pe-client watch", "pe-client watch 3f2a9c"],
  run: async (given, console) =>
    await withCluster(given, console, async ({ client }) => {
      const wanted = given.text("job");
      const id = wanted === undefined ? undefined : chooseJob((await client.status()).jobs, wanted);
      const signals = stopOnSignals(console, "no longer watching; the jobs go on");
      try {
        const jobs = await follow(client, id, console, signals.signal);
        const none = "nothing goes on; pe-client status lists the jobs that have ended";
        const text = jobs.length === 0 ? none : table(JOB_HEAD, jobs.map(jobRow));
        printResult(console, given.flag("json"), jobs, text);
        if (signals.signal.aborted) return EXIT.interrupted;
        return jobs.every((job) => stateOf(job) === "finished") ? EXIT.ok : EXIT.dataError;
      } finally {
        signals.release();
      }
    }),
};

/** Shows the job, or those that have not ended and those that come, until they have. @returns Their last state. */
async function follow(
  client: Client,
  id: string | undefined,
  console: Console,
  signal: AbortSignal,
): Promise<readonly JobStatus[]> {
  const screen = createScreen(console);
  const first = new Map<string, Seen>();
  /** Ended before anybody watched. */
  let old: ReadonlySet<string> | undefined;
  let toldMs = performance.now();
  for (;;) {
    const all = await client.status();
    const nowMs = performance.now();
    old ??= new Set(all.jobs.filter(hasEnded).map((job) => job.id));
    const jobs = all.jobs.filter((job) => (id === undefined ? !old!.has(job.id) || !hasEnded(job) : job.id === id));
    for (const job of jobs) if (!first.has(job.id)) first.set(job.id, seen(job, nowMs));
    const isOver = signal.aborted || jobs.every(hasEnded);
    const lines = jobs.map((job) => jobLine(job, paceOf(job, first.get(job.id)!, nowMs)));
    if (console.isTerminal) screen.draw([...lines, ...jobs.flatMap(jobReasons), "", ...all.workers.map(workerLine)]);
    else if (!isOver && nowMs - toldMs >= LINE_MS) {
      toldMs = nowMs;
      console.stderr(
        lines
          .filter((_, place) => !hasEnded(jobs[place]!))
          .map((line) => `${line}\n`)
          .join(""),
      );
    }
    if (isOver) return jobs;
    await wait(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

function jobLine(job: JobStatus, pace: Pace | undefined): string {
  const { id, tasks, counts } = job;
  const ended = endedOf(counts);
  const share = tasks === 0 ? 1 : ended / tasks;
  return [
    `${id.slice(0, SHORT_ID)} ${bar(share)} ${String(Math.floor(share * 100)).padStart(3)} %  ${stateOf(job)}`,
    `${ended}/${tasks} tasks`,
    ...(counts.erred > 0 ? [`${counts.erred} failed`] : []),
    ...(pace === undefined ? [] : [rateText(pace), leftText(pace)]),
  ].join("  ");
}

function workerLine({ name, state, slots, processing, finished, rssBytes }: ClusterStatus["workers"][number]): string {
  const busy = Math.min(processing, slots);
  return `${name.padEnd(SHORT_ID)} ${bar(slots === 0 ? 0 : busy / slots)} ${busy} of ${slots} threads, ${finished} finished, ${formatBytes(rssBytes)}, ${state}`;
}
