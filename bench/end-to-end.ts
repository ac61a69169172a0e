/**
 * The main job on one machine: made shards in, maps out, through the same pool, parts and publishing as a user's run, on
 * one thread and on all. The page cache is warm: every file is read once before.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { computeMaps, type MapJobReport } from "../client/maps/map-job.ts";
import { makeInput, SAMPLES, SHARD_SIZE } from "./made-input.ts";

const ORDERS = [3, 4, 5];
const DELAYS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 22, 23, 24, 44, 45, 46, 67, 68, 89, 90];
/** The published set, for scale. */
const PUBLISHED_SERIES = 88_101;

export async function benchEndToEnd(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      input: { type: "string", default: join(tmpdir(), "pe-cluster-bench-shards") },
      shards: { type: "string", default: "32" },
      runs: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
    },
  });
  const threads = availableParallelism();
  await makeInput(values.input, Number(values.shards), threads);
  await warmCache(values.input, Number(values.shards));
  const reports: MapJobReport[][] = [];
  for (let round = 0; round < Number(values.runs); round++) {
    // One thread and all, in turn: the machine's speed drifts.
    const pair = [
      await runOnce(values.input, Number(values.shards), 1),
      await runOnce(values.input, Number(values.shards), threads),
    ];
    reports.push(pair);
  }
  console.log(values.json ? JSON.stringify(reports) : table(reports, threads));
}

async function warmCache(folder: string, shards: number): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".hdf5")).toSorted();
  for (const name of names.slice(0, shards)) await readFile(join(folder, name));
}

async function runOnce(input: string, shards: number, threads: number): Promise<MapJobReport> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-"));
  try {
    return await computeMaps({
      input,
      output: join(folder, "maps.hdf5"),
      orders: ORDERS,
      delays: DELAYS,
      measures: ["pe"],
      shards: `0:${shards}`,
      threads,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

function table(reports: readonly MapJobReport[][], threads: number): string {
  const ofOne = reports.map(([one]) => one!);
  const ofAll = reports.map(([, all]) => all!);
  const series = ofAll[0]!.series.computed;
  const rate = (report: MapJobReport): number => (report.series.computed / report.wallMs.total) * 1000;
  const ratios = reports.map(([one, all]) => one!.wallMs.compute / all!.wallMs.compute);
  const perSeries = (ms: (report: MapJobReport) => number): string =>
    median(ofAll.map((report) => (ms(report) * 1000) / series)).toFixed(0);
  const rows: [string, string][] = [
    [
      `series/s, ${threads} threads, whole run`,
      `${median(ofAll.map(rate)).toFixed(0)} (best ${Math.max(...ofAll.map(rate)).toFixed(0)})`,
    ],
    [
      "series/s, 1 thread, whole run",
      `${median(ofOne.map(rate)).toFixed(0)} (best ${Math.max(...ofOne.map(rate)).toFixed(0)})`,
    ],
    [`${threads} threads over 1, computing`, median(ratios).toFixed(2)],
    [
      `the published ${PUBLISHED_SERIES} series at this rate`,
      `${(PUBLISHED_SERIES / median(ofAll.map(rate))).toFixed(0)} s`,
    ],
    ["thread µs a series: read and hash", perSeries(({ threadMs }) => threadMs.read)],
    ["thread µs a series: inflate", perSeries(({ threadMs }) => threadMs.decode)],
    ["thread µs a series: quantise and count", perSeries(({ threadMs }) => threadMs.compute)],
    ["wall µs a series: computing", perSeries(({ wallMs }) => wallMs.compute)],
    ["wall µs a series: reduce, write, verify", perSeries(({ wallMs }) => wallMs.publish)],
    ["wall µs a series: plan", perSeries(({ wallMs }) => wallMs.plan)],
  ];
  return [
    `${series} series of ${SAMPLES} samples, shards of ${SHARD_SIZE * SHARD_SIZE}, orders 3-5, ${DELAYS.length} delays; medians of ${reports.length} interleaved runs`,
    ...rows.map(([what, value]) => `${what.padEnd(44)} ${value}`),
  ].join("\n");
}

function median(values: readonly number[]): number {
  const ascending = values.toSorted((a, b) => a - b);
  return ascending[Math.floor(ascending.length / 2)]!;
}
