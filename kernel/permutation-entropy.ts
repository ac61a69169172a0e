/** The kernel's functions for one series at a time. For many series, `createSweep` uses its memory again. */
import { PeError } from "../common/errors.ts";
import { createCounter } from "./paths.ts";
import type { KernelPath } from "./paths.ts";
import { codesByIndex } from "./pattern-codes.ts";
import { checkDelay, checkLists, checkOrder, checkSeries, checkWindow } from "./parameters.ts";
import type { Series } from "./series.ts";
import { createSweep } from "./sweep.ts";
import type { Measure, Sweep } from "./sweep.ts";

export interface EntropyOptions {
  /** `"wasm"` or `"plain"` instead of the faster one there is. The values are the same to the bit. */
  readonly path?: KernelPath;
}

export interface EntropiesOptions extends EntropyOptions {
  /** Samples per window, each 2 to 9. */
  readonly orders: readonly number[];
  /** Samples from one member of a window to the next, each at least 1. */
  readonly delays: readonly number[];
  /** Permutation entropy unless another measure is named. */
  readonly measure?: Measure;
}

/**
 * Normalised permutation entropy of one series.
 *
 * Slides a window of `order` samples, `delay` apart, over every start, counts the ordinal patterns and returns
 * `-sum p ln p / ln(order!)`: 0 when one pattern holds every window (exactly 0), 1 when all are equally frequent. Of equal
 * samples the earlier is the smaller; +0 equals -0. A sample that is NaN or infinite makes the result NaN. Below some
 * 5 order! windows the value is biased downwards.
 *
 * @param series Equally spaced samples, any unit; shape `[n]`, `n > (order - 1) * delay`.
 * @param order Samples per window (embedding dimension), 2 to 9.
 * @param delay Samples from one member of a window to the next, at least 1.
 * @returns From 0 to 1, the same bits on every machine; NaN when a sample is not finite.
 * @throws {PeError} `PE_PARAMETER` when `order`, `delay` or the length does not fit.
 * @example
 * permutationEntropy(Float64Array.of(4, 7, 9, 10, 6, 11, 3), 3, 1); // 0.588762155916...
 * @see Bandt and Pompe, Phys. Rev. Lett. 88, 174102 (2002), whose example this is.
 */
export function permutationEntropy(series: Series, order: number, delay: number, options: EntropyOptions = {}): number {
  return singleValue("pe", series, order, delay, options);
}

/**
 * Permutation entropies of one series for a grid of orders and delays, all orders from one pass per delay.
 *
 * @param series Equally spaced samples, any unit; shape `[n]`, longer than the longest window.
 * @returns Shape `[delays, orders]`, row-major, in the sequence given; each as `permutationEntropy` returns it.
 * @throws {PeError} `PE_PARAMETER` when a list is missing or empty or an order, a delay or the length does not fit.
 * @example
 * const pe = permutationEntropies(series, { orders: [3, 4, 5], delays: [1, 90] });
 * pe[1 * 3 + 2]; // order 5, delay 90
 * @see permutationEntropy
 */
export function permutationEntropies(series: Series, options: EntropiesOptions): Float64Array {
  const { orders, delays, measure = "pe", path = "auto" } = options;
  checkSeries(series);
  checkLists(orders, delays);
  for (const delay of delays) for (const order of orders) checkWindow(series.length, order, delay);
  const sweep = createSweep({ orders, delays, measures: [measure], path });
  const out = new Float64Array(sweep.values);
  sweep.run(series, out);
  return out;
}

/**
 * Windows of each ordinal pattern.
 *
 * A pattern's code is the lexicographic rank of the ranks of its samples, `sum over i of (order - 1 - i)! times the number
 * of later samples smaller than sample i`: 0 is rising, `order! - 1` falling.
 *
 * @param series Equally spaced finite samples, any unit; shape `[n]`, `n > (order - 1) * delay`.
 * @param order Samples per window, 2 to 9.
 * @param delay Samples from one member of a window to the next, at least 1.
 * @returns Counts by code; shape `[order!]`; they add up to `n - (order - 1) * delay`.
 * @throws {PeError} `PE_PARAMETER` when `order`, `delay` or the length does not fit; `PE_SERIES_NOT_FINITE` when a
 * sample is NaN or infinite.
 * @example
 * ordinalPatternCounts(Uint8Array.of(4, 7, 9, 10, 6, 11, 3), 2, 1); // [4, 2]: four rises, two falls
 */
export function ordinalPatternCounts(
  series: Series,
  order: number,
  delay: number,
  options: EntropyOptions = {},
): Uint32Array {
  checkSingle(series, order, delay);
  const counter = createCounter(options.path ?? "auto");
  const index = counter.load(series, 1, (order - 1) * delay);
  if (index >= 0)
    throw new PeError(
      "PE_SERIES_NOT_FINITE",
      `Cannot count ordinal patterns: sample ${index} is ${series[index]!}; remove or replace it`,
      { details: { index } },
    );
  const byIndex = counter.countsByIndex(delay, order);
  const codes = codesByIndex(order);
  const counts = new Uint32Array(byIndex.length);
  for (let at = 0; at < counts.length; at++) counts[codes[at]!] = byIndex[at]!;
  return counts;
}

/**
 * Permutation entropy in which each window weighs its population variance, so that small ripples weigh little.
 *
 * `p` of a pattern is the sum of its windows' variances over that of all windows; the normaliser stays `ln(order!)`. A series
 * without any variance gives 0.
 *
 * @param series Equally spaced samples, any unit; shape `[n]`, `n > (order - 1) * delay`.
 * @param order Samples per window, 2 to 9.
 * @param delay Samples from one member of a window to the next, at least 1.
 * @returns From 0 to 1; NaN when a sample is not finite.
 * @throws {PeError} `PE_PARAMETER` when `order`, `delay` or the length does not fit.
 * @example
 * weightedPermutationEntropy(Float64Array.of(4, 7, 9, 10, 6, 11, 3), 3, 1); // 0.546995039859...
 * @see Fadlallah, Chen, Keil and Principe, Phys. Rev. E 87, 022911 (2013).
 */
export function weightedPermutationEntropy(
  series: Series,
  order: number,
  delay: number,
  options: EntropyOptions = {},
): number {
  return singleValue("weighted", series, order, delay, options);
}

/**
 * Jensen-Shannon statistical complexity: normalised permutation entropy times the normalised Jensen-Shannon divergence of
 * the patterns from the uniform distribution. 0 for a single pattern and for equally frequent ones, larger for structure.
 *
 * @param series Equally spaced samples, any unit; shape `[n]`, `n > (order - 1) * delay`.
 * @param order Samples per window, 2 to 9.
 * @param delay Samples from one member of a window to the next, at least 1.
 * @returns From 0 to below 1; NaN when a sample is not finite.
 * @throws {PeError} `PE_PARAMETER` when `order`, `delay` or the length does not fit.
 * @example
 * statisticalComplexity(Float64Array.of(4, 7, 9, 10, 6, 11, 3), 3, 1); // 0.289954446464...
 * @see Rosso, Larrondo, Martin, Plastino and Fuentes, Phys. Rev. Lett. 99, 154102 (2007).
 */
export function statisticalComplexity(
  series: Series,
  order: number,
  delay: number,
  options: EntropyOptions = {},
): number {
  return singleValue("complexity", series, order, delay, options);
}

/**
 * Fraction of the `order!` ordinal patterns that never occur: forbidden ones, or unseen in a short series.
 *
 * @param series Equally spaced samples, any unit; shape `[n]`, `n > (order - 1) * delay`.
 * @param order Samples per window, 2 to 9.
 * @param delay Samples from one member of a window to the next, at least 1.
 * @returns From 0 to below 1, a multiple of `1 / order!`; NaN when a sample is not finite.
 * @throws {PeError} `PE_PARAMETER` when `order`, `delay` or the length does not fit.
 * @example
 * missingPatterns(Float64Array.of(4, 7, 9, 10, 6, 11, 3), 3, 1); // 0.5: three of six
 * @see Amigo, Zambrano and Sanjuan, Europhys. Lett. 79, 50001 (2007).
 */
export function missingPatterns(series: Series, order: number, delay: number, options: EntropyOptions = {}): number {
  return singleValue("missing", series, order, delay, options);
}

/** Sweeps of one cell, kept for the next call: making one costs more than a short series. */
const singles = new Map<string, Sweep>();
const SINGLES_MAX = 32;
const singleOut = new Float64Array(1);

function singleValue(measure: Measure, series: Series, order: number, delay: number, options: EntropyOptions): number {
  checkSingle(series, order, delay);
  const path = options.path ?? "auto";
  const key = `${measure} ${order} ${delay} ${path}`;
  let sweep = singles.get(key);
  if (sweep === undefined) {
    if (singles.size >= SINGLES_MAX) singles.clear();
    sweep = createSweep({ orders: [order], delays: [delay], measures: [measure], path });
    singles.set(key, sweep);
  }
  sweep.run(series, singleOut);
  return singleOut[0]!;
}

function checkSingle(series: Series, order: number, delay: number): void {
  checkSeries(series);
  checkOrder(order);
  checkDelay(delay);
  checkWindow(series.length, order, delay);
}
