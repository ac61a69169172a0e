/** The job that faults are done to: maps of simulated shards, some seconds of work, and what must hold of them afterwards. */
import { basename, join } from "node:path";
import { expect } from "vitest";
import type { ClusterStatus } from "../../client/client.ts";
import type { MapJobReport } from "../../index.ts";
import { endClients, runClient, runWell, startClient, type Outcome, type RunningClient } from "./client.ts";
import type { FaultCluster } from "./cluster-faults.ts";
import { eventually } from "./cluster-programs.ts";
import { fileFolder, leftovers } from "./folders.ts";
import { compareMaps } from "./maps-files.ts";

const SERIES = 120;
const SHARDS = ["--grid", "12x10", "--shard-size", "2", "--samples", "12000", "--seed", "5", "--gzip-level", "1"];
/** Some five seconds of one thread in 30 tasks: a fault meets some of them in their middle. */
const DELAYS = "1-20";

export interface FaultMaps {
  readonly input: string;
  /** Of a command that computes them. */
  readonly args: readonly string[];
  /** Maps that nothing has disturbed. */
  readonly clean: string;
}

/** Shards for the tests of a file, and their maps by a run on one machine. */
export async function makeMaps(delays = DELAYS): Promise<FaultMaps> {
  const folder = await fileFolder();
  const input = join(folder, "shards");
  await runWell(["simulate", "--model", "injection", ...SHARDS, "--output", input]);
  const clean = join(folder, "clean.hdf5");
  const args = ["--input", input, "--orders", "8", "--delays", delays, "--measures", "pe,weighted"];
  await runWell(["run", "--output", clean, ...args]);
  return { input, args, clean };
}

export interface SubmittedMaps {
  readonly output: string;
  readonly client: RunningClient;
}

/** Submits the maps by a command that waits for them. */
export function submitMaps(cluster: FaultCluster, { args }: FaultMaps, ...more: readonly string[]): SubmittedMaps {
  const output = join(cluster.folder, "maps.hdf5");
  return { output, client: startClient(submitArgs(cluster, args, "--output", output, ...more)) };
}

/** Submits the maps by a command that leaves. @returns The job's id. */
export async function detachMaps(
  cluster: FaultCluster,
  { args }: FaultMaps,
  ...more: readonly string[]
): Promise<string> {
  return (await runWell(submitArgs(cluster, args, "--detach", ...more))).stdout.trim();
}

/** Makes the maps of a job that somebody has submitted. */
export async function attachMaps(cluster: FaultCluster, id: string): Promise<{ output: string; outcome: Outcome }> {
  const output = join(cluster.folder, "attached.hdf5");
  const outcome = await runClient(["attach", id, "--output", output, "--json", ...cluster.reach]);
  return { output, outcome };
}

function submitArgs(cluster: FaultCluster, args: readonly string[], ...more: readonly string[]): string[] {
  const json = more.includes("--detach") ? [] : ["--json"];
  return ["submit", ...args, ...more, ...json, ...cluster.reach];
}

type JobLine = ClusterStatus["jobs"][number];

/** The PE job of the cluster; undefined before there is one. */
export async function mapsJob(cluster: FaultCluster): Promise<JobLine | undefined> {
  const client = await cluster.client();
  const { jobs } = await client.status();
  return jobs.find(({ kind }) => kind === "pe");
}

/** Waits until so many tasks of the maps are finished, and more are not. @returns How many are. */
export async function untilFinished(cluster: FaultCluster, tasks: number): Promise<number> {
  const client = await cluster.client();
  let counts: JobLine["counts"] | undefined;
  await eventually(
    async () => {
      counts = (await client.status()).jobs.find(({ kind }) => kind === "pe")?.counts;
      return counts !== undefined && counts.finished >= tasks;
    },
    () => `${tasks} tasks are finished of ${JSON.stringify(counts)}`,
  );
  return counts!.finished;
}

/**
 * After whatever happened: the command has succeeded, no cell is lost, none is there twice, the maps are those of the
 * undisturbed run bit for bit, every task finished once, and everything leaves by itself.
 */
export async function expectUndisturbed(
  cluster: FaultCluster,
  { clean }: FaultMaps,
  output: string,
  { status, stdout, stderr }: Outcome,
): Promise<void> {
  expect(status, stderr).toBe(0);
  const report = JSON.parse(stdout) as MapJobReport;
  expect(report).toMatchObject({ problems: [], tasks: { failed: 0 }, series: { computed: SERIES } });
  expect(await compareMaps(output, clean)).toEqual([]);
  const job = (await mapsJob(cluster))!;
  expect(job.counts).toEqual({ ...nothing, finished: job.tasks });
  expect(await endClients()).toEqual([]);
  await cluster.stop();
  const times = await cluster.finishedByTask();
  expect(Math.max(...times.values()), "times that a task was made finished").toBe(1);
  // A client that was killed may have left what it needs to go on with an output of its own.
  expect(leftovers(cluster.folder).filter((name) => name.startsWith(basename(output)))).toEqual([]);
}

const nothing = { waiting: 0, queued: 0, processing: 0, finished: 0, erred: 0, cancelled: 0 };
