/** What Slurm is given to run, and with which options. No secret is in it, only where one is found. */
import { PeError } from "../../common/errors.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { ManagedCluster } from "./engine.ts";
import { programMain } from "./programs.ts";
import { lines, quoted } from "./shell.ts";

/** What `start` was asked for. */
export interface SlurmOptions {
  /** Of each worker's job, as sbatch takes it. */
  readonly time?: string;
  readonly memory?: string;
  readonly leaveWithin?: string;
  readonly schedulerInJob: boolean;
  /** Of this machine, as nodes reach it. */
  readonly address?: string;
  /** Program on the nodes. */
  readonly node: string;
  readonly partition?: string;
  /** For sbatch, after our own, so that they count. */
  readonly sbatch: readonly string[];
  /** The same for the scheduler's job, where they are others. */
  readonly schedulerSbatch?: readonly string[];
}

type Cluster = ManagedCluster<SlurmOptions>;

/** Of the memory that Slurm gives a job; the rest is for what is not counted, and for the supervisor. */
const MEMORY_PERCENT = 90;
/** Of the scheduler's job: a million tasks are a quarter of a gigabyte. */
const SCHEDULER_MEMORY = "2G";

/** sbatch's options for an array of workers. */
export function workerJobOptions({ folder, options, workerArguments }: Cluster, count: number): string[] {
  const threads = valueOf(workerArguments, "--threads");
  return [
    `--array=0-${count - 1}`,
    ...jobOptions(folder, "worker-%A_%a", options),
    ...(threads === undefined ? [] : [`--cpus-per-task=${threads}`]),
    ...(options.memory === undefined ? [] : [`--mem=${options.memory}`]),
    ...options.sbatch,
  ];
}

export function schedulerJobOptions({ folder, options }: Cluster): string[] {
  const { sbatch, schedulerSbatch = sbatch } = options;
  return [...jobOptions(folder, "scheduler-%j", options), `--mem=${SCHEDULER_MEMORY}`, ...schedulerSbatch];
}

/** A job that Slurm starts anew, on another node or after preemption, goes on in its log. */
function jobOptions(folder: string, log: string, { time, partition }: SlurmOptions): string[] {
  const logs = clusterFiles(folder).logs.replaceAll("%", "%%");
  return [
    "--nodes=1",
    "--ntasks=1",
    "--requeue",
    "--open-mode=append",
    `--output=${logs}/${log}.log`,
    ...(time === undefined ? [] : [`--time=${time}`]),
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
  ];
}

/** Of a worker, by the number of its job. */
export function workerName(cluster: string, job: string): string {
  return `${cluster}-${job}`;
}

/**
 * The worker takes the place of the shell, so that Slurm's signals reach it. What is not said of threads and memory is what Slurm
 * gives the job.
 */
export function workerScript({ name, folder, options, workerArguments }: Cluster): string {
  const { workerAccess } = clusterFiles(folder);
  const own = workerName(name, "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}");
  const hasThreads = workerArguments.includes("--threads");
  const hasMemory = workerArguments.includes("--memory-limit");
  return lines(
    "#!/bin/sh",
    `set -- ${[...workerArguments, ...leaving(options)].map(quoted).join(" ")}`,
    ...(hasThreads ? [] : ['set -- "$@" --threads "${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}"']),
    ...(hasMemory
      ? []
      : [
          "memory=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-0} * ${SLURM_CPUS_ON_NODE:-1}))}",
          `if [ "$memory" -gt 0 ]; then set -- "$@" --memory-limit "$((memory * ${MEMORY_PERCENT} / 100))MiB"; fi`,
        ]),
    `exec ${quoted(options.node)} ${quoted(programMain("worker"))} --access-file ${quoted(workerAccess)} --name "${own}" "$@"`,
  );
}

function leaving({ leaveWithin }: SlurmOptions): string[] {
  return leaveWithin === undefined ? [] : ["--leave-within", leaveWithin];
}

/** Writes first where it runs into the access files, which workers read each time that they connect. */
export function schedulerScript({ folder, options }: Cluster, port: number): string {
  const { access, workerAccess, journal } = clusterFiles(folder);
  const files = [access, workerAccess].map(quoted).join(" ");
  return lines(
    "#!/bin/sh",
    "set -e",
    "umask 077",
    `sed -i "s|\\"wss://[^\\"]*\\"|\\"wss://$(hostname):${port}\\"|" ${files}`,
    `exec ${quoted(options.node)} ${quoted(programMain("scheduler"))} --host 0.0.0.0 --port ${port} ` +
      `--journal ${quoted(journal)} --access-file ${quoted(access)}`,
  );
}

function valueOf(args: readonly string[], option: string): string | undefined {
  const place = args.indexOf(option);
  return place === -1 ? undefined : args[place + 1];
}

/** What the cluster is known by, and where its logs go. */
const OWN = /^(--(array|job-name|output|error|wrap|parsable|wait|hold)(=|$)|-[aJoeWH])/;

/**
 * Words of an option that holds options for sbatch, as a shell would cut them.
 *
 * @throws {PeError} `PE_PARAMETER` when a quote is not closed, or an option is one that the cluster needs for itself.
 */
export function sbatchArguments(option: string, text: string): string[] {
  if (/["']/.test(text.replaceAll(/"[^"]*"|'[^']*'/g, "")))
    throw new PeError("PE_PARAMETER", `Cannot read ${option} ${text}: a quote is not closed`);
  const words = text.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [];
  for (const word of words)
    if (OWN.test(word))
      throw new PeError("PE_PARAMETER", `Cannot use ${word} in ${option}: the cluster sets it by itself`);
  return words.map((word) => word.replaceAll(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}
