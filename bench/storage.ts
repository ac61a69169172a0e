/**
 * What it costs to read shards from S3 rather than from this disk: the same job from both in turn, through `Client.local`, on
 * so many threads. A sweep should be bound by the kernel, a cheap job by the network or the decoder.
 *
 * The server shares the cores of this machine, so the wall time of a job from S3 holds the server's work too wherever all
 * cores compute. CPU times are told beside it, and a run on fewer threads than cores leaves the server its own.
 */
import { mkdir, mkdtemp, rm, stat, symlink } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { Client } from "../client/client.ts";
import { planPe, type PeJob, type PeRequest } from "../tasks/pe/plan.ts";
import type { PeSummary } from "../tasks/pe/run.ts";
import { startProcesses, WORKERS } from "./cluster-processes.ts";
import { makeInput } from "./made-input.ts";
import { shardsOf, startShardServer, type ShardServer } from "./storage-server.ts";
import { storageTable } from "./storage-table.ts";

const JOBS = {
  sweep: { orders: [3, 4, 5, 6, 7], delays: Array.from({ length: 50 }, (_, index) => index + 1) },
  cheap: { orders: [5], delays: [1] },
} as const;

export type JobName = keyof typeof JOBS;
const PLACES = ["disk", "s3"] as const;
export type Place = (typeof PLACES)[number];

/** One run of a job: milliseconds, those of threads summed over the threads. */
export interface StorageRun {
  readonly job: JobName;
  readonly place: Place;
  readonly threads: number;
  /** From the first task to the last end, threads started before. */
  readonly wallMs: number;
  /** Of this process, all its threads. */
  readonly cpuMs: number;
  /** Of the server's programs. */
  readonly serverCpuMs: number;
  /** Threads waiting for their input, or reading it themselves. */
  readonly inputMs: number;
  /** The longest that a task waited: the first ones, for the program that speaks S3 to be loaded. */
  readonly inputMostMs: number;
  readonly decodeMs: number;
  readonly computeMs: number;
  /** Of a shard, the most. */
  readonly getsMost: number;
}

export interface StorageReport {
  readonly shards: number;
  readonly bytes: number;
  readonly runs: readonly StorageRun[];
  /** Of a shard in a job on a cluster of two workers: the most. */
  readonly clusterGetsMost: Readonly<Record<JobName, number>>;
}

export async function benchStorage(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      input: { type: "string", default: join(tmpdir(), "pe-cluster-bench-shards") },
      shards: { type: "string", default: "48" },
      runs: { type: "string", default: "5" },
      threads: { type: "string" },
      json: { type: "boolean", default: false },
    },
  });
  const cores = availableParallelism();
  const threads = values.threads?.split(",").map(Number) ?? (cores > 1 ? [cores - 1, cores] : [cores]);
  await makeInput(values.input, Number(values.shards), cores);
  await inFolder(async (folder) => {
    const names = await shardsOf(values.input, Number(values.shards));
    for (const name of names) await symlink(join(values.input, name), join(folder, name));
    const server = await startShardServer(folder, names);
    try {
      const report = await measureAll(server, folder, names, { threads, rounds: Number(values.runs) });
      console.log(values.json ? JSON.stringify(report) : storageTable(report));
    } finally {
      await server.stop();
    }
  });
}

/** One request, planned for both places. */
interface Planned {
  readonly name: JobName;
  readonly plans: Readonly<Record<Place, PeJob>>;
}

async function measureAll(
  server: ShardServer,
  folder: string,
  names: readonly string[],
  { threads, rounds }: { threads: readonly number[]; rounds: number },
): Promise<StorageReport> {
  const planned: Planned[] = [];
  for (const [name, { orders, delays }] of Object.entries(JOBS) as [JobName, (typeof JOBS)[JobName]][]) {
    const request = { orders: [...orders], delays: [...delays], measures: ["pe"] satisfies PeRequest["measures"] };
    const plans = {
      disk: await planPe({ ...request, input: folder }),
      s3: await planPe({ ...request, input: server.url }),
    };
    planned.push({ name, plans });
  }
  const cases = planned.flatMap((each) => threads.map((count) => ({ ...each, count })));
  const runs: StorageRun[] = [];
  // The first round is not counted: code is compiled, files come into the page cache.
  for (let round = -1; round < rounds; round++)
    for (const { name, plans, count } of cases)
      for (const place of round % 2 === 0 ? PLACES : PLACES.toReversed()) {
        const run = await runLocal(server, plans[place], count);
        if (round >= 0) runs.push({ job: name, place, threads: count, ...run });
      }
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return {
    shards: names.length,
    bytes: sizes.reduce((sum, size) => sum + size, 0),
    runs,
    clusterGetsMost: await onTwoWorkers(server, planned),
  };
}

async function runLocal(
  server: ShardServer,
  job: PeJob,
  threads: number,
): Promise<Omit<StorageRun, "job" | "place" | "threads">> {
  return await inFolder(async (folder) => {
    await using client = await Client.local({ threads, journal: join(folder, "journal") });
    const getsBefore = await server.gets();
    const serverBeforeMs = await server.cpuMs();
    const before = process.cpuUsage();
    const startMs = performance.now();
    const summaries = await runJob(client, job, join(folder, "parts"));
    const wallMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(before);
    const sum = (of: (summary: PeSummary) => number): number => summaries.reduce((ms, each) => ms + of(each), 0);
    return {
      wallMs,
      cpuMs: (user + system) / 1000,
      serverCpuMs: (await server.cpuMs()) - serverBeforeMs,
      inputMs: sum(({ readMs }) => readMs),
      inputMostMs: Math.max(...summaries.map(({ readMs }) => readMs)),
      decodeMs: sum(({ decodeMs }) => decodeMs),
      computeMs: sum(({ computeMs }) => computeMs),
      getsMost: getsMost(getsBefore, await server.gets()),
    };
  });
}

/** Worker processes, one thread each. @returns GETs of the shard that was asked for most often. */
async function onTwoWorkers(server: ShardServer, planned: readonly Planned[]): Promise<Record<JobName, number>> {
  const most: Record<JobName, number> = { sweep: 0, cheap: 0 };
  for (const { name, plans } of planned)
    await inFolder(async (folder) => {
      const processes = await startProcesses();
      try {
        await using client = await Client.connect(processes.url, { accessFile: processes.accessFile });
        while ((await client.status()).workers.filter(({ state }) => state === "active").length < WORKERS)
          await sleep(20);
        const before = await server.gets();
        await runJob(client, plans.s3, join(folder, "parts"));
        most[name] = getsMost(before, await server.gets());
      } finally {
        await processes.stop();
      }
    });
  return most;
}

async function runJob(client: Client, job: PeJob, parts: string): Promise<PeSummary[]> {
  // Stores make no folders: one that is missing is an error of the user's.
  await mkdir(parts);
  const { id, kind, version, common, taskCount } = job;
  const cluster = await client.openJob({
    id,
    kind,
    version,
    common,
    parts: pathToFileURL(parts).href,
    taskCount,
    task: (index) => job.task(index),
    groupOf: (index) => job.groupOf!(index),
  });
  const summaries: PeSummary[] = [];
  for await (const ends of cluster.ends())
    for (const end of ends) if (end.status === "finished") summaries.push(end.result as PeSummary);
  if (summaries.length !== taskCount) throw new Error(`${summaries.length} of ${taskCount} tasks finished`);
  return summaries;
}

function getsMost(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  return Math.max(0, ...[...after].map(([name, count]) => count - (before.get(name) ?? 0)));
}

/** Parts that are there are not computed again: every run gets a folder of its own. */
async function inFolder<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-storage-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
