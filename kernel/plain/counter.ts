/**
 * The kernel in plain TypeScript: where WebAssembly is missing, for order 9, and as the twin the fast path is held to.
 *
 * index(k, s), the pattern of the k samples that end at s, is index(k - 1, s - delay) + (k - 1)! r, where r counts the
 * k - 1 earlier samples of the window that are larger than sample s: no sort, no branch, and every lower order on the way.
 */
import type { CountsVisitor, PatternCounter } from "../counter.ts";
import { isDense } from "../counter.ts";
import { scaledTerm, TERMS_TABLE_LENGTH, termsFor } from "../entropy.ts";
import type { Terms } from "../entropy.ts";
import { FACTORIALS } from "../pattern-codes.ts";
import { ORDER_MAX } from "../parameters.ts";
import { firstNonFinite } from "../series.ts";
import type { Series } from "../series.ts";
import { findPatterns } from "./patterns.ts";
import type { PatternArray } from "./patterns.ts";

export interface PlainCounter extends PatternCounter {
  /** Samples of the loaded series as float64, exact for every element type; longer than the series. */
  samples(): Float64Array;
  /** By order up to `top`, the index of the window that ends at each sample, from (order - 1) * delay on. */
  patterns(delay: number, top: number): readonly PatternArray[];
}

export function createPlainCounter(): PlainCounter {
  let length = 0;
  let samples = new Float64Array(0);
  let larger = new Uint8Array(0);
  const patternsByOrder: PatternArray[] = [];
  const countsByOrder: Uint32Array[] = [];
  let occupied = new Uint32Array(0);
  /** Orders whose counts were left in their bins. */
  const dirty = new Set<number>();

  const load = (series: Series): number => {
    length = series.length;
    if (samples.length < length) {
      samples = new Float64Array(length);
      larger = new Uint8Array(length);
      patternsByOrder.length = 0;
      occupied = new Uint32Array(length);
    }
    samples.set(series);
    return firstNonFinite(series);
  };

  const patternsOf = (order: number): PatternArray =>
    (patternsByOrder[order] ??= order < ORDER_MAX ? new Uint16Array(samples.length) : new Uint32Array(samples.length));

  const countsOf = (order: number): Uint32Array => (countsByOrder[order] ??= new Uint32Array(FACTORIALS[order]!));

  const find = (delay: number, top: number): void => {
    for (let order = 1; order <= top; order++) patternsOf(order);
    findPatterns({ samples, larger, patterns: patternsByOrder }, top, delay, length);
  };

  const count = (delay: number, orders: readonly number[], sums: Float64Array, visit?: CountsVisitor): void => {
    find(delay, orders.at(-1)!);
    let denseAbove = 0;
    for (let index = orders.length - 1; index >= 0; index--) {
      const order = orders[index]!;
      const first = (order - 1) * delay;
      const windows = length - first;
      const counts = countsOf(order);
      if (dirty.delete(order)) counts.fill(0);
      if (!isDense(counts.length, windows)) {
        addPatterns(counts, patternsOf(order), first, length);
        const hit = drainHit(counts, patternsOf(order), first, length, occupied);
        sums[index] = sumOfCounts(occupied, hit, termsFor(windows));
        visit?.(index, occupied.subarray(0, hit));
        continue;
      }
      dirty.add(order);
      if (denseAbove === 0) addPatterns(counts, patternsOf(order), first, length);
      else {
        addMarginal(counts, countsOf(denseAbove));
        // Windows that end here are the first samples of no longer window.
        addPatterns(counts, patternsOf(order), Math.max(first, length - (denseAbove - order) * delay), length);
      }
      denseAbove = order;
      sums[index] = sumOfCounts(counts, counts.length, termsFor(windows));
      visit?.(index, counts);
    }
  };

  const countsByIndex = (delay: number, order: number): Uint32Array => {
    find(delay, order);
    const counts = new Uint32Array(FACTORIALS[order]!);
    addPatterns(counts, patternsOf(order), (order - 1) * delay, length);
    return counts;
  };

  const patterns = (delay: number, top: number): readonly PatternArray[] => {
    find(delay, top);
    return patternsByOrder;
  };

  return { load, count, countsByIndex, samples: () => samples, patterns };
}

function addPatterns(counts: Uint32Array, patterns: PatternArray, start: number, stop: number): void {
  for (let end = start; end < stop; end++) counts[patterns[end]!]!++;
}

/** Sums `wider` over the samples its windows have more: index mod counts.length is the index of the first samples. */
function addMarginal(counts: Uint32Array, wider: Uint32Array): void {
  const bins = counts.length;
  for (let start = 0; start < wider.length; start += bins)
    for (let bin = 0; bin < bins; bin++) counts[bin]! += wider[start + bin]!;
}

/** Moves the counts of the bins that `patterns` hit to `occupied` and leaves every bin empty; returns how many. */
function drainHit(
  counts: Uint32Array,
  patterns: PatternArray,
  start: number,
  stop: number,
  occupied: Uint32Array,
): number {
  let hit = 0;
  for (let end = start; end < stop; end++) {
    const bin = patterns[end]!;
    const windows = counts[bin]!;
    if (windows === 0) continue;
    occupied[hit++] = windows;
    counts[bin] = 0;
  }
  return hit;
}

/** Exact: both halves stay whole numbers below 2^53. The one rounding is the last addition. */
function sumOfCounts(counts: Uint32Array, bins: number, terms: Terms): number {
  const { high, low, scaleBits } = terms;
  let highSum = 0;
  let lowSum = 0;
  for (let bin = 0; bin < bins; bin++) {
    const windows = counts[bin]!;
    if (windows < TERMS_TABLE_LENGTH) {
      highSum += high[windows]!;
      lowSum += low[windows]!;
    } else {
      const term = scaledTerm(windows, scaleBits);
      const termHigh = Math.floor(term / 4294967296);
      highSum += termHigh;
      lowSum += term - termHigh * 4294967296;
    }
  }
  return highSum * 4294967296 + lowSum;
}
