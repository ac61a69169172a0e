/** A cluster in a Slurm: workers are jobs of arrays, the scheduler is a process on this machine, or a job as well. */
import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Given } from "../../common/command-line/command.ts";
import { counted } from "../../common/counted.ts";
import { PeError } from "../../common/errors.ts";
import { makeFolders } from "../../data/folders.ts";
import { readAccessFile } from "../../protocol/access-file.ts";
import { whyNoAnswer } from "./answering.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { Engine, ManagedCluster, Member } from "./engine.ts";
import {
  makeClusterAccess,
  ownScheduler,
  removeClusterAccess,
  startOwnScheduler,
  stopOwnScheduler,
} from "./own-scheduler.ts";
import { lastWords } from "./programs.ts";
import { addressForNodes } from "./slurm-address.ts";
import { endJobs, jobsNamed, submitJob, tryJob, type SlurmJob } from "./slurm-queue.ts";
import {
  sbatchArguments,
  schedulerJobOptions,
  schedulerScript,
  workerJobOptions,
  workerName,
  workerScript,
  type SlurmOptions,
} from "./slurm-scripts.ts";

/** Tells the jobs of this cluster from those of another one of the same name, such as of another state folder. */
export interface Kept {
  readonly id: string;
}

type Cluster = ManagedCluster<SlurmOptions, Kept>;

/** Slurm takes arrays of 1001 where nobody has set another limit. */
const ARRAY_MAX = 1000;
const LOOK_MS = 1000;
/** From the begin of its job to an answer of the scheduler. */
const ANSWER_MS = 60_000;
/** Until its job has written where it runs. */
const NOWHERE = "not-started-yet.invalid";
/** Of a scheduler in a job, on whose node nobody can look for a free one. */
const PORTS = [20_000, 30_000] as const;

export const slurm: Engine<SlurmOptions, Kept> = {
  name: "slurm",
  where: "in Slurm",
  options: [
    {
      flags: "--time TIME",
      about: "of each worker's job, such as 4:00:00; workers leave before, their tasks go on elsewhere",
    },
    { flags: "--partition NAME", about: "Slurm's, for all jobs" },
    { flags: "--mem SIZE", about: "memory of each worker's job, such as 32G" },
    {
      flags: "--sbatch-args ARGS",
      about: 'more options for sbatch, such as "--account=lab --qos=long"; several times, too',
      repeatable: true,
    },
    {
      flags: "--leave-within SECONDS",
      about: "so long before its time ends a worker takes no more work (default: 60)",
    },
    { flags: "--scheduler-in-job", about: "run the scheduler in a job, where nothing may run on this machine" },
    {
      flags: "--scheduler-args ARGS",
      about: 'options for sbatch for its job in place of --sbatch-args, such as "--time=2-00:00:00"',
      repeatable: true,
    },
    { flags: "--address HOST", about: "of this machine, as nodes reach it (default: towards Slurm's controller)" },
    { flags: "--node FILE", about: "Node on the nodes (default: the one that runs this)" },
  ],
  examples: [
    "pe-client cluster slurm start --workers 8 --threads 16 --time 4:00:00",
    'pe-client cluster slurm start --workers 2 --partition short --mem 32G --sbatch-args "--account=lab"',
  ],
  joinSeconds: 300,

  read: async (given) => await Promise.resolve({ options: readOptions(given), workers: 1 }),

  start: async (cluster) => {
    if (cluster.kept() === undefined) {
      await tryJob(workerJobOptions(cluster, 1), workerScript(cluster));
      await cluster.keep({ id: randomBytes(4).toString("hex") });
    }
    await makeFolders(clusterFiles(cluster.folder).logs, 0o700);
    if (cluster.options.schedulerInJob) return await startSchedulerJob(cluster);
    const { address = await addressForNodes() } = cluster.options;
    await startOwnScheduler(cluster, { hosts: [address] });
  },

  scale: async (cluster, workers, drainSeconds) => {
    const live = (await jobsNamed(workerJobs(cluster))).filter(isLive);
    if (live.length > workers) await endJobs(workerJobs(cluster), surplus(live, live.length - workers), drainSeconds);
    for (let missing = workers - live.length; missing > 0; missing -= ARRAY_MAX) await submit(cluster, missing);
  },

  list: async (cluster, words) => {
    const jobs = await jobsNamed(workerJobs(cluster));
    const live = jobs.filter(isLive);
    const missing = Math.max(0, cluster.workers - live.length);
    // What ended last is in the place of those that are missing.
    const ended = missing === 0 ? [] : jobs.filter((job) => !isLive(job)).slice(-missing);
    const scheduler = cluster.options.schedulerInJob
      ? await schedulerMember(cluster, words)
      : await ownScheduler(cluster, words);
    const workers = [...live, ...ended].map(async (job) => await workerMember(cluster, job, words));
    return [scheduler, ...(await Promise.all(workers))];
  },

  stop: async (cluster, { drainSeconds }) => {
    if (cluster.kept() !== undefined) {
      await endJobs(workerJobs(cluster), (await jobsNamed(workerJobs(cluster))).filter(isLeft), drainSeconds);
      const own = (await jobsNamed(schedulerJobs(cluster))).filter(isLeft);
      await endJobs(schedulerJobs(cluster), own, drainSeconds);
    }
    await stopOwnScheduler(cluster, drainSeconds);
    await removeClusterAccess(cluster);
  },
};

/** @throws {PeError} `PE_PARAMETER` */
function readOptions(given: Given): SlurmOptions {
  const time = given.parsed("time", readTime);
  const leaveWithin = given.parsed("leave-within", readSeconds);
  const [memory, address] = [given.text("mem"), given.text("address")];
  const schedulerInJob = given.flag("scheduler-in-job");
  const schedulerSbatch = given.has("scheduler-args")
    ? given.texts("scheduler-args").flatMap((text) => sbatchArguments("--scheduler-args", text))
    : undefined;
  if (schedulerSbatch !== undefined && !schedulerInJob)
    throw new PeError("PE_PARAMETER", "Cannot use --scheduler-args without --scheduler-in-job");
  if (address !== undefined && schedulerInJob)
    throw new PeError("PE_PARAMETER", "Cannot use --address with --scheduler-in-job: it is where its job runs");
  const partition = given.text("partition");
  return {
    ...(time !== undefined && { time }),
    ...(memory !== undefined && { memory }),
    ...(leaveWithin !== undefined && { leaveWithin }),
    ...(partition !== undefined && { partition }),
    ...(schedulerSbatch !== undefined && { schedulerSbatch }),
    ...(address !== undefined && { address }),
    schedulerInJob,
    node: given.text("node") ?? process.execPath,
    sbatch: given.texts("sbatch-args").flatMap((text) => sbatchArguments("--sbatch-args", text)),
  };
}

/** Minutes, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS`. */
function readTime(text: string): string {
  if (/^(\d+-\d+(:\d+){0,2}|\d+(:\d+){0,2})$/.test(text)) return text;
  throw new PeError("PE_PARAMETER", `Cannot read --time "${text}": expected a time such as 4:00:00 or 1-00:00:00`);
}

function readSeconds(text: string): string {
  if (/^[1-9]\d{0,4}$/.test(text)) return text;
  throw new PeError("PE_PARAMETER", `Cannot read --leave-within ${text}: expected seconds, such as 60`);
}

function workerJobs(cluster: Cluster): string {
  return `pe-${cluster.name}-${cluster.kept()!.id}`;
}

function schedulerJobs(cluster: Cluster): string {
  return `${workerJobs(cluster)}-scheduler`;
}

/** Runs, or will. */
function isLive({ phase }: SlurmJob): boolean {
  return phase === "waiting" || phase === "running";
}

function isLeft({ phase }: SlurmJob): boolean {
  return phase !== "over";
}

/** Those that have not begun first, then the newest. */
function surplus(jobs: readonly SlurmJob[], count: number): readonly SlurmJob[] {
  const waiting = jobs.filter(({ phase }) => phase === "waiting");
  const running = jobs.filter(({ phase }) => phase === "running");
  return [...running, ...waiting].slice(-count);
}

async function submit(cluster: Cluster, missing: number): Promise<void> {
  const count = Math.min(missing, ARRAY_MAX);
  const id = await submitJob(workerJobs(cluster), workerJobOptions(cluster, count), workerScript(cluster));
  cluster.tell(`submitted job ${id} for ${counted(count, "worker")}`);
}

async function workerMember(cluster: Cluster, job: SlurmJob, words: boolean): Promise<Member> {
  const log = join(clusterFiles(cluster.folder).logs, `worker-${job.id}.log`);
  return await jobMember({ role: "worker", name: workerName(cluster.name, job.id) }, job, log, words);
}

async function schedulerMember(cluster: Cluster, words: boolean): Promise<Member> {
  const job = (await jobsNamed(schedulerJobs(cluster))).at(-1);
  const who = { role: "scheduler", name: "scheduler" } as const;
  if (job === undefined) return { ...who, host: "", state: "gone", reason: "its job has ended" };
  return await jobMember(who, job, schedulerLog(cluster, job), words);
}

function schedulerLog({ folder }: Cluster, { id }: SlurmJob): string {
  return join(clusterFiles(folder).logs, `scheduler-${id}.log`);
}

async function jobMember(
  who: Pick<Member, "role" | "name">,
  job: SlurmJob,
  log: string,
  words: boolean,
): Promise<Member> {
  const state = job.phase === "running" || job.phase === "waiting" ? job.phase : "gone";
  const why = [...(state === "waiting" ? [] : [job.state]), job.reason].filter((text) => text !== "").join(": ");
  return {
    ...who,
    host: job.nodes || "no node yet",
    process: `job ${job.id}`,
    state,
    ...(job.state !== "RUNNING" && why !== "" && { reason: state === "gone" ? `${why}; see ${log}` : why }),
    ...(words && { words: await lastWords(log) }),
  };
}

/** Submits the scheduler's job where there is none, and waits until it answers: in a full queue, as long as that takes. */
async function startSchedulerJob(cluster: Cluster): Promise<void> {
  const { access } = clusterFiles(cluster.folder);
  if ((await readAccessFile(access)) === undefined)
    await makeClusterAccess(cluster, [NOWHERE], cluster.port ?? randomInt(...PORTS));
  const port = Number(new URL((await readAccessFile(access))!.url).port);
  if (!(await jobsNamed(schedulerJobs(cluster))).some(isLive)) {
    const id = await submitJob(schedulerJobs(cluster), schedulerJobOptions(cluster), schedulerScript(cluster, port));
    cluster.tell(`submitted job ${id} for the scheduler`);
  }
  let [told, runsSinceMs] = ["", 0];
  for (;;) {
    const job = (await jobsNamed(schedulerJobs(cluster))).at(-1);
    if (job === undefined || !isLive(job)) throw await notUp(cluster, job, `its job has ended (${job?.state ?? ""})`);
    const how = job.phase === "waiting" ? `waits${job.reason && `: ${job.reason}`}` : `runs on ${job.nodes}`;
    if (how !== told) cluster.tell(`the scheduler's job ${job.id} ${how}`);
    told = how;
    if (job.phase === "running") {
      runsSinceMs ||= performance.now();
      if (await answers(access)) return;
      if (performance.now() - runsSinceMs > ANSWER_MS) throw await notUp(cluster, job, "it does not answer");
    }
    await sleep(LOOK_MS);
  }
}

async function answers(accessFile: string): Promise<boolean> {
  const access = await readAccessFile(accessFile);
  if (access === undefined || access.url.includes(NOWHERE)) return false;
  return (await whyNoAnswer({ accessFile, patienceMs: ANSWER_MS / 10 })) === undefined;
}

async function notUp(cluster: Cluster, job: SlurmJob | undefined, reason: string): Promise<PeError> {
  const log = job === undefined ? undefined : schedulerLog(cluster, job);
  const words = log === undefined ? "" : await lastWords(log);
  if (words !== "") cluster.tell(`last words of the scheduler:\n${words.replaceAll(/^/gm, "  ")}`);
  return new PeError("PE_ENGINE", `Cannot start the scheduler in a job: ${reason}; see ${log ?? "sacct"}`);
}
