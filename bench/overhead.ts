/**
 * What the scheduler costs the main job on one machine: the same tasks of a PE job on the bare pool of threads, and through
 * `Client.local` with its journal. In turn, the bare pool twice: its ratio with itself is what this machine can tell apart.
 * Times are from the first task to the last end, threads started before.
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { Client } from "../client/client.ts";
import { planPe, type PeJob, type PeRequest } from "../tasks/pe/plan.ts";
import { runOnBarePool } from "./bare-pool.ts";
import { makeInput } from "./made-input.ts";
import { median } from "./measure.ts";

const REQUEST = {
  orders: [3, 4, 5],
  delays: [1, 2, 3, 5, 10, 22, 45, 90],
  measures: ["pe"] satisfies PeRequest["measures"],
};

export interface OverheadRound {
  readonly bareMs: number;
  readonly schedulerMs: number;
  readonly bareAgainMs: number;
}

export async function benchOverhead(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      input: { type: "string", default: join(tmpdir(), "pe-cluster-bench-shards") },
      shards: { type: "string", default: "16" },
      runs: { type: "string", default: "7" },
      json: { type: "boolean", default: false },
    },
  });
  const threads = availableParallelism();
  await makeInput(values.input, Number(values.shards), threads);
  await warmCache(values.input);
  const job = await planPe({ ...REQUEST, input: values.input, shards: `0:${values.shards}` });
  await onBarePool(job, threads);
  await throughScheduler(job, threads);
  const rounds: OverheadRound[] = [];
  for (let round = 0; round < Number(values.runs); round++)
    rounds.push({
      bareMs: await onBarePool(job, threads),
      schedulerMs: await throughScheduler(job, threads),
      bareAgainMs: await onBarePool(job, threads),
    });
  console.log(values.json ? JSON.stringify(rounds) : table(rounds, job));
}

async function warmCache(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await readFile(join(folder, name));
}

async function onBarePool(job: PeJob, threads: number): Promise<number> {
  return await inFolder(async (folder) => {
    const { wallMs } = await runOnBarePool({ job, threads, partsUrl: pathToFileURL(join(folder, "parts")).href });
    return wallMs;
  });
}

async function throughScheduler(job: PeJob, threads: number): Promise<number> {
  return await inFolder(async (folder) => {
    await using client = await Client.local({ threads, journal: join(folder, "journal") });
    const { id, kind, version, taskCount, common } = job;
    const startMs = performance.now();
    const cluster = await client.openJob({
      id,
      kind,
      version,
      common,
      parts: pathToFileURL(join(folder, "parts")).href,
      taskCount,
      task: (index) => job.task(index),
      ...(job.groupOf !== undefined && { groupOf: (index: number) => job.groupOf!(index) }),
    });
    let finished = 0;
    for await (const ends of cluster.ends()) for (const { status } of ends) if (status === "finished") finished++;
    if (finished !== taskCount) throw new Error(`${finished} of ${taskCount} tasks finished`);
    return performance.now() - startMs;
  });
}

/** Parts that are there are not computed again: every run gets a folder of its own. */
async function inFolder(run: (folder: string) => Promise<number>): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-overhead-"));
  try {
    // Stores make no folders: one that is missing is an error of the user's.
    await mkdir(join(folder, "parts"));
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function table(rounds: readonly OverheadRound[], job: PeJob): string {
  // The bare pool before and after: what drifted in between meets both.
  const ratios = rounds.map(({ bareMs, schedulerMs, bareAgainMs }) => (2 * schedulerMs) / (bareMs + bareAgainMs));
  const floor = rounds.map(({ bareMs, bareAgainMs }) => bareAgainMs / bareMs);
  const best = (of: (round: OverheadRound) => number): number => Math.min(...rounds.map(of));
  const fastest =
    best(({ schedulerMs }) => schedulerMs) / best(({ bareMs, bareAgainMs }) => Math.min(bareMs, bareAgainMs));
  return [
    `${job.taskCount} tasks, ${job.seriesEstimate} series; ${rounds.length} interleaved rounds`,
    `bare pool                      ${median(rounds.map(({ bareMs }) => bareMs)).toFixed(0)} ms`,
    `through the scheduler          ${median(rounds.map(({ schedulerMs }) => schedulerMs)).toFixed(0)} ms`,
    `costs (median of ratios)       ${percent(median(ratios))}, at most 3 % are allowed`,
    `costs (fastest over fastest)   ${percent(fastest)}`,
    `bare pool over itself          ${percent(median(floor))}`,
  ].join("\n");
}

function percent(ratio: number): string {
  return `${((ratio - 1) * 100).toFixed(1)} %`;
}
