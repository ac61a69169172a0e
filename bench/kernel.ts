/** How fast the kernel is: ns per (sample, delay), and as a multiple of one scattered increment measured beside it. */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { createSweep } from "../kernel/index.ts";
import type { Series, SweepOptions } from "../kernel/index.ts";
import { KINDS, madeSeries, steppedSeries, TYPES } from "./kernel-series.ts";
import { measure, median } from "./measure.ts";
import type { Measured } from "./measure.ts";
import { INCREMENTS, scatteredIncrement } from "./scattered-increment.ts";

const LENGTHS = [1_000, 10_000, 100_000, 1_000_000];
const SWEEP = { orders: [3, 4, 5, 6, 7], delays: Array.from({ length: 50 }, (_, index) => index + 1) };
/** The published delays of the laser maps: the job that matters. */
const MAPS = {
  orders: [3, 4, 5],
  delays: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 22, 23, 24, 44, 45, 46, 67, 68, 89, 90],
};
const WARMUP_SAMPLES = 5_000_000;
const WARMUP_CALLS = 500;

/** One cell of the tables. */
interface Row {
  readonly name: string;
  readonly samples: number;
  /** Per (sample, delay), best and median over the rounds. */
  readonly bestNs: number;
  readonly medianNs: number;
  /** Median over the rounds of the ratio within a round. */
  readonly increments: number;
  /** Best, for one series. */
  readonly seriesMs: number;
}

export async function benchKernel(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: { quick: { type: "boolean", default: false }, json: { type: "boolean", default: false } },
  });
  warmUp();
  const lengths = values.quick ? [1_000, 100_000] : LENGTHS;
  const types = values.quick ? (["u8", "f64"] as const) : TYPES;
  const rounds = values.quick ? 3 : 7;
  const rows: Row[] = [];
  for (const length of lengths)
    for (const type of types) {
      const cells = KINDS.map((kind) => job(`sweep ${type} ${kind}`, madeSeries(kind, type, length), SWEEP));
      rows.push(...run(cells, rounds));
    }
  rows.push(...run(singleOrders(), rounds));
  rows.push(...run(mapsJob(), rounds));
  rows.push(...run(plainPath(), 3));
  const machine = { cpu: cpus()[0]?.model, node: process.version, date: new Date().toISOString().slice(0, 10) };
  console.log(values.json ? JSON.stringify({ ...machine, rows }) : table(rows, machine));
}

interface Job {
  readonly name: string;
  readonly samples: number;
  readonly delays: number;
  readonly call: () => void;
}

function job(name: string, series: Series, options: SweepOptions): Job {
  const sweep = createSweep(options);
  const out = new Float64Array(sweep.values);
  return { name, samples: series.length, delays: options.delays.length, call: () => void sweep.run(series, out) };
}

/** Enough calls of every kind that V8's optimising tier has them. */
function warmUp(): void {
  for (const type of TYPES) {
    const { call } = job("", madeSeries("noise", type, 1_000), SWEEP);
    for (let time = 0; time < Math.max(WARMUP_CALLS, WARMUP_SAMPLES / 1_000 / SWEEP.delays.length); time++) call();
  }
}

function singleOrders(): Job[] {
  return TYPES.flatMap((type) => {
    const series = madeSeries("noise", type, 1_000_000);
    return [3, 5, 6, 7, 8].map((order) =>
      job(`order ${order} ${type} noise`, series, { orders: [order], delays: [1] }),
    );
  });
}

function mapsJob(): Job[] {
  const stepped = steppedSeries(20_000, 1 / 16384, -0.5);
  const codes = Int16Array.from(stepped, (value) => (value + 0.5) * 16384 - 8192);
  return [
    job("maps f64, step 1/16384", stepped, MAPS),
    job("maps f64, step 0.000123", steppedSeries(20_000, 0.000123, -0.7), MAPS),
    job("maps f64 noise", madeSeries("noise", "f64", 20_000), MAPS),
    job("maps f64 mackey-glass", madeSeries("mackey-glass", "f64", 20_000), MAPS),
    job("maps i16, the same codes", codes, MAPS),
  ];
}

function plainPath(): Job[] {
  return (["u8", "f64"] as const).flatMap((type) =>
    KINDS.filter((kind) => kind !== "constant").map((kind) =>
      job(`plain path ${type} ${kind}`, madeSeries(kind, type, 100_000), {
        ...SWEEP,
        delays: [1, 5, 25],
        path: "plain",
      }),
    ),
  );
}

function run(jobs: readonly Job[], rounds: number): Row[] {
  const tasks = new Map<string, () => void>([["increment", scatteredIncrement()]]);
  for (const { name, call } of jobs) tasks.set(name, call);
  const results = measure(tasks, { rounds, roundMs: 60, warmupCalls: 3 });
  const increment = results.get("increment")!;
  return jobs.map(({ name, samples, delays }) => rowOf(name, samples, samples * delays, results.get(name)!, increment));
}

function rowOf(name: string, samples: number, pairs: number, measured: Measured, increment: Measured): Row {
  const perPairNs = measured.bestMs.map((ms) => (ms * 1e6) / pairs);
  const perIncrementNs = increment.bestMs.map((ms) => (ms * 1e6) / INCREMENTS);
  return {
    name,
    samples,
    bestNs: Math.min(...perPairNs),
    medianNs: median(measured.medianMs.map((ms) => (ms * 1e6) / pairs)),
    increments: median(perPairNs.map((ns, round) => ns / perIncrementNs[round]!)),
    seriesMs: Math.min(...measured.bestMs),
  };
}

function table(rows: readonly Row[], machine: Record<string, unknown>): string {
  const head = ["", "samples", "ns best", "ns median", "increments", "ms/series"];
  const lines = rows.map((row) => [
    row.name,
    String(row.samples),
    row.bestNs.toFixed(3),
    row.medianNs.toFixed(3),
    row.increments.toFixed(2),
    row.seriesMs.toFixed(3),
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...lines].map((line) => line[column]!.length)));
  const text = [head, ...lines].map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  "),
  );
  return [
    `Kernel: ns per (sample, delay) with all orders and entropies; increments = the same over one scattered increment.`,
    `sweep: orders 3-7, delays 1-50. maps: orders 3-5, the 20 published delays. ${Object.values(machine).join(", ")}`,
    ...text,
  ].join("\n");
}
