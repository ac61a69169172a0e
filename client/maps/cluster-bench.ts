/** One PE job on this machine's threads and on the workers of a cluster: how long each takes, and that the maps are the same. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PeError } from "../../common/errors.ts";
import { readMaps } from "../../data/maps.ts";
import { planPe, type PeJob, type PeRequest } from "../../tasks/pe/plan.ts";
import { computeMaps } from "./map-job.ts";
import type { MapJobReport } from "./map-report.ts";
import { collectMaps, type Cluster } from "./maps-on-cluster.ts";
import { submitMaps } from "./submitting.ts";
import { startOwnCluster } from "../own-cluster.ts";

export interface BenchOptions {
  readonly request: PeRequest;
  /** Numbers of workers of one thread, and of threads of this machine, to measure; ignored with `cluster`. */
  readonly workers: readonly number[];
  /** A scheduler with its workers in place of processes of its own. */
  readonly cluster?: Cluster;
  readonly runs: number;
  onRun?(what: string, done: number, total: number): void;
}

/** One way of computing the job; times are medians over the runs, in milliseconds. */
export interface BenchRow {
  /** `local` or `cluster`. */
  readonly where: "local" | "cluster";
  readonly threads: number;
  /** From the open job to its last task's end. */
  readonly computeMs: number;
  /** Reading the parts, writing and verifying the maps. */
  readonly publishMs: number;
  readonly seriesPerSecond: number;
  /** Over one thread of this machine. */
  readonly speedUp: number;
  readonly efficiency: number;
  /** Shares of the threads' time. `rest`: storing parts, hand-over, waiting. */
  readonly shares: { readonly read: number; readonly decode: number; readonly compute: number; readonly rest: number };
}

export interface BenchResult {
  readonly job: string;
  readonly series: number;
  readonly tasks: number;
  readonly runs: number;
  readonly rows: readonly BenchRow[];
  /** Maps of all runs that were compared with those of the first, bit by bit. */
  readonly mapsCompared: number;
  readonly identical: boolean;
}

interface Measured {
  readonly where: "local" | "cluster";
  readonly threads: number;
  readonly report: MapJobReport;
}

/** @throws {PeError} What planning, submitting and publishing throw. */
export async function benchCluster(options: BenchOptions): Promise<BenchResult> {
  const job = await planPe(options.request);
  // Nobody pays for the disk.
  for (const { path } of job.manifest.source.files) await readFile(path);
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-"));
  try {
    const measured: Measured[] = [];
    const outputs: string[] = [];
    const steps = stepsOf(options, job);
    for (let run = 0; run < options.runs; run++)
      // In turn: the speed of a machine drifts.
      for (const [place, step] of steps.entries()) {
        options.onRun?.(step.name, run * steps.length + place, options.runs * steps.length);
        const output = join(folder, `${run}-${place}.hdf5`);
        measured.push(await step.measure(output));
        outputs.push(output);
      }
    const { maps, identical } = await compare(outputs);
    const rows = rowsOf(measured);
    const { series } = measured[0]!.report;
    return {
      job: job.id,
      series: series.computed,
      tasks: job.taskCount,
      runs: options.runs,
      rows,
      mapsCompared: maps,
      identical,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Step {
  readonly name: string;
  measure(output: string): Promise<Measured>;
}

function stepsOf({ request, workers, cluster }: BenchOptions, job: PeJob): Step[] {
  const local = (threads: number): Step => ({
    name: `local, ${threads}`,
    measure: async (output) => ({
      where: "local",
      threads,
      report: await computeMaps({ ...request, output, threads }),
    }),
  });
  if (cluster !== undefined)
    return [local(1), { name: "cluster", measure: async (output) => await onCluster(cluster, job, output) }];
  const own = (count: number): Step => ({
    name: `cluster, ${count}`,
    measure: async (output) => {
      const started = await startOwnCluster(count);
      try {
        return await onCluster(started, job, output);
      } finally {
        await started.stop();
      }
    },
  });
  const counts = [...new Set([1, ...workers])].toSorted((a, b) => a - b);
  return counts.flatMap((count) => [local(count), ...(workers.includes(count) ? [own(count)] : [])]);
}

async function onCluster(cluster: Cluster, job: PeJob, output: string): Promise<Measured> {
  const startMs = performance.now();
  const maps = await submitMaps(cluster, { job, results: [] }, { parts: "scheduler:" });
  const collecting = { output, replace: false, partial: false, now: false, startMs, planMs: 0 };
  const { report } = await collectMaps(cluster, maps, collecting);
  await maps.cluster.release();
  if (report.tasks.finishedBefore > 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot measure: ${report.tasks.finishedBefore} of ${report.tasks.total} tasks were computed there before; ` +
        "choose other --delays",
    );
  const wallMs = { ...report.wallMs, compute: report.wallMs.total - report.wallMs.publish };
  return { where: "cluster", threads: report.threads, report: { ...report, wallMs } };
}

function rowsOf(measured: readonly Measured[]): BenchRow[] {
  const groups = new Map<string, Measured[]>();
  for (const one of measured) {
    const key = `${one.where} ${one.threads}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const computeMs = (group: readonly Measured[]): number => median(group.map(({ report }) => report.wallMs.compute));
  const oneMs = computeMs(groups.get("local 1")!);
  return [...groups.values()].map((group) => {
    const { where, threads, report } = group[0]!;
    const ms = computeMs(group);
    const share = (time: keyof MapJobReport["threadMs"]): number =>
      median(group.map((one) => one.report.threadMs[time] / (threads * one.report.wallMs.compute)));
    const shares = { read: share("read"), decode: share("decode"), compute: share("compute") };
    return {
      where,
      threads,
      computeMs: ms,
      publishMs: median(group.map((one) => one.report.wallMs.publish)),
      seriesPerSecond: (report.series.computed / ms) * 1000,
      speedUp: oneMs / ms,
      efficiency: oneMs / ms / threads,
      shares: { ...shares, rest: Math.max(0, 1 - shares.read - shares.decode - shares.compute) },
    };
  });
}

/** Values and statuses of all maps of all files against those of the first, by their bits. */
async function compare([first, ...others]: readonly string[]): Promise<{ maps: number; identical: boolean }> {
  const expected = await bitsOf(first!);
  let [maps, identical] = [0, true];
  for (const path of others) {
    const found = await bitsOf(path);
    maps += found.size;
    identical &&= found.size === expected.size && [...found].every(([name, bits]) => expected.get(name)?.equals(bits));
  }
  return { maps, identical };
}

async function bitsOf(path: string): Promise<Map<string, Buffer>> {
  const file = await readMaps(path);
  try {
    return new Map(
      file.maps.map(({ name }) => {
        const values = file.values(name);
        const bits = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
        return [name, Buffer.concat([bits, file.status(name) ?? new Uint8Array(0)])];
      }),
    );
  } finally {
    file.close();
  }
}

function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending[Math.floor(ascending.length / 2)]!;
}
