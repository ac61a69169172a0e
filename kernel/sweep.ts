/** Several measures of one series after another, for a grid of orders and delays, in memory that is used again. */
import type { PatternCounter } from "./counter.ts";
import { measuresOfCounts } from "./complexity.ts";
import { createCountTally } from "./count-tally.ts";
import { entropyOfSum, normaliserOf } from "./entropy.ts";
import type { Normaliser } from "./entropy.ts";
import { createCounter } from "./paths.ts";
import type { KernelPath } from "./paths.ts";
import { checkLists, checkSeries, refuse, windowCount } from "./parameters.ts";
import { createPlainCounter } from "./plain/counter.ts";
import type { Series } from "./series.ts";
import { createWeigher } from "./weighted.ts";

/**
 * What can be computed from the patterns of a series:
 * `pe` permutation entropy, `weighted` weighted permutation entropy, `complexity` Jensen-Shannon statistical complexity,
 * `missing` the fraction of patterns that never occur. Each from 0 to 1.
 */
export type Measure = "pe" | "weighted" | "complexity" | "missing";

export const MEASURES: readonly Measure[] = ["pe", "weighted", "complexity", "missing"];

export interface SweepOptions {
  /** Samples per window, each 2 to 9. */
  readonly orders: readonly number[];
  /** Samples from one member of a window to the next, each at least 1. */
  readonly delays: readonly number[];
  /** Which measures, in the sequence of the output; `["pe"]` by default. */
  readonly measures?: readonly Measure[];
  /** `"wasm"` or `"plain"` instead of the faster one there is. The values are the same to the bit. */
  readonly path?: KernelPath;
}

/** What happened to one series. */
export type SweepOutcome =
  /** `short` counts the (order, delay) pairs for which the series has no window; their values are NaN. */
  | { readonly status: "ok"; readonly short: number }
  /** The sample at `index` is NaN or infinite; every value is NaN. */
  | { readonly status: "not-finite"; readonly index: number };

export interface Sweep {
  /** Length of the output of one series: measures * delays * orders. */
  readonly values: number;
  /**
   * Computes one series.
   *
   * @param series Equally spaced samples, any unit; shape `[n]`; any length, also 0.
   * @param out Receives shape `[measures, delays, orders]`, row-major, in the sequence of the options.
   */
  run(series: Series, out: Float64Array): SweepOutcome;
}

/**
 * Prepares a sweep over orders and delays. One pass per (series, delay) gives all orders; the engine's memory grows with
 * the longest series it has seen and is used again for the next.
 *
 * @throws {PeError} `PE_PARAMETER` for an order, delay, measure or path that cannot be.
 * @example
 * const sweep = createSweep({ orders: [3, 4, 5], delays: [1, 2, 90] });
 * const out = new Float64Array(sweep.values);
 * sweep.run(series, out); // out[delayIndex * 3 + orderIndex]
 */
export function createSweep(options: SweepOptions): Sweep {
  const { orders, delays, measures = ["pe"], path = "auto" } = options;
  checkLists(orders, delays);
  checkMeasures(measures);
  const plan: Plan = { orders, delays, measures, ascending: [...new Set(orders)].toSorted((a, b) => a - b) };
  const counter = createCounter(path);
  const count = measures.some((measure) => measure !== "weighted") ? createCounts(plan, counter) : undefined;
  const weigh = measures.includes("weighted") ? createWeights(plan) : undefined;
  const values = measures.length * delays.length * orders.length;

  const run = (series: Series, out: Float64Array): SweepOutcome => {
    checkSeries(series);
    if (out.length < values) throw refuse(`the output has ${out.length} places for ${values} values`, { values });
    out.fill(Number.NaN, 0, values);
    const index = Math.max(count?.(series, out) ?? -1, weigh?.(series, out) ?? -1);
    if (index >= 0) return { status: "not-finite", index };
    return { status: "ok", short: shortPairs(series.length, orders, delays) };
  };
  return { values, run };
}

/** The options, orders also as a set. */
interface Plan {
  readonly orders: readonly number[];
  readonly delays: readonly number[];
  readonly measures: readonly Measure[];
  readonly ascending: readonly number[];
}

/** Fills the places of its measures; returns the index of the first sample that is not finite, or -1. */
type Part = (series: Series, out: Float64Array) => number;

/** Everything that comes from the counts. */
function createCounts(plan: Plan, counter: PatternCounter): Part {
  const { delays, measures } = plan;
  const sums = new Float64Array(plan.ascending.length);
  const tally = createCountTally();
  const place = placesOf(plan);
  const spanMax = (plan.ascending.at(-1)! - 1) * delays.reduce((longest, delay) => Math.max(longest, delay), 0);
  let length = -1;
  let cells: Cell[] = [];
  let cell: Cell | undefined;
  let out: Float64Array = sums;
  const visitCounts = (index: number, counts: Uint32Array): void => {
    const { delayIndex, orders, normalisers } = cell!;
    const by = normalisers[index]!;
    tally.add(counts);
    const { complexity, missing } = measuresOfCounts(tally, by.windows, orders[index]!, entropyOfSum(sums[index]!, by));
    place(out, "complexity", delayIndex, orders[index]!, complexity);
    place(out, "missing", delayIndex, orders[index]!, missing);
  };
  const visit = measures.some((measure) => measure === "complexity" || measure === "missing") ? visitCounts : undefined;

  return (series, output) => {
    const index = counter.load(series, delays.length, spanMax);
    if (index >= 0) return index;
    if (series.length !== length) cells = cellsOf(plan, series.length);
    [length, out] = [series.length, output];
    for (cell of cells) {
      const { delay, delayIndex, orders, normalisers } = cell;
      counter.count(delay, orders, sums, visit);
      for (let at = 0; at < orders.length; at++)
        place(output, "pe", delayIndex, orders[at]!, entropyOfSum(sums[at]!, normalisers[at]!));
    }
    return -1;
  };
}

/** One delay, with the orders that have a window. */
interface Cell {
  readonly delay: number;
  readonly delayIndex: number;
  /** Ascending. */
  readonly orders: readonly number[];
  readonly normalisers: readonly Normaliser[];
}

function cellsOf(plan: Plan, length: number): Cell[] {
  const fit = ordersThatFit(plan);
  return plan.delays
    .map((delay, delayIndex) => {
      const orders = fit(length, delay);
      const normalisers = orders.map((order) => normaliserOf(windowCount(length, order, delay), order));
      return { delay, delayIndex, orders, normalisers };
    })
    .filter(({ orders }) => orders.length > 0);
}

/** Weighted entropy: one pass per order, from the samples as they came. */
function createWeights(plan: Plan): Part {
  const counter = createPlainCounter();
  const weigher = createWeigher(counter);
  const entropies = new Float64Array(plan.ascending.length);
  const place = placesOf(plan);
  const fit = ordersThatFit(plan);
  return (series, out) => {
    const index = counter.load(series, 1, 0);
    if (index >= 0) return index;
    weigher.load(series.length);
    plan.delays.forEach((delay, delayIndex) => {
      const orders = fit(series.length, delay);
      if (orders.length === 0) return;
      weigher.entropies(delay, orders, entropies);
      for (const [at, order] of orders.entries()) place(out, "weighted", delayIndex, order, entropies[at]!);
    });
    return -1;
  };
}

/** Those of the orders that have a window: always the lower ones. */
function ordersThatFit({ ascending }: Plan): (length: number, delay: number) => readonly number[] {
  const lowest = Array.from({ length: ascending.length + 1 }, (_, count) => ascending.slice(0, count));
  return (length, delay) => {
    let count = ascending.length;
    while (count > 0 && windowCount(length, ascending[count - 1]!, delay) < 1) count--;
    return lowest[count]!;
  };
}

/** Writes a value wherever the options ask for its measure and order. */
function placesOf({ orders, delays, measures }: Plan) {
  const firstOf = new Map(measures.map((measure, index) => [measure, index * delays.length * orders.length]));
  const columnsOf: number[][] = [];
  for (const [column, order] of orders.entries()) (columnsOf[order] ??= []).push(column);
  return (out: Float64Array, measure: Measure, delayIndex: number, order: number, value: number): void => {
    const first = firstOf.get(measure);
    if (first === undefined) return;
    for (const column of columnsOf[order]!) out[first + delayIndex * orders.length + column] = value;
  };
}

function shortPairs(length: number, orders: readonly number[], delays: readonly number[]): number {
  let short = 0;
  for (const delay of delays) for (const order of orders) if (windowCount(length, order, delay) < 1) short++;
  return short;
}

function checkMeasures(measures: readonly Measure[]): void {
  const wrong = measures.find((measure) => !MEASURES.includes(measure));
  if (wrong !== undefined) throw refuse(`measure "${wrong}" is not one of ${MEASURES.join(", ")}`, { measure: wrong });
  if (measures.length === 0 || new Set(measures).size < measures.length)
    throw refuse("the list of measures is empty or names one twice; give each once", { measures: [...measures] });
}
