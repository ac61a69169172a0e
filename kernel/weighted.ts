/**
 * Weighted permutation entropy: each window counts by its population variance, so that small ripples weigh little.
 *
 * The variance is that of the original samples, never of quantised ones. Sums run in one order on every path: within
 * a pattern by window, then over patterns by the kernel's index (or, where there are more patterns than windows, by
 * first occurrence).
 *
 * @see Fadlallah, Chen, Keil and Principe, Phys. Rev. E 87, 022911 (2013).
 */
import { isDense } from "./counter.ts";
import { logFactorial } from "./entropy.ts";
import { naturalLogarithm } from "./logarithm.ts";
import type { PlainCounter } from "./plain/counter.ts";
import type { PatternArray } from "./plain/patterns.ts";
import { FACTORIALS } from "./pattern-codes.ts";

/** Beyond these, squares of samples could overflow or vanish; samples are then scaled by a power of two. */
const LARGE = 1e140;
const SMALL = 1e-140;

export interface Weigher {
  /** Takes the series that `counter` was loaded with, `length` samples long. */
  load(length: number): void;
  /** Weighted entropies at one delay, 0 to 1. `orders` ascending, each with a window. */
  entropies(delay: number, orders: readonly number[], out: Float64Array): void;
}

export function createWeigher(counter: PlainCounter): Weigher {
  let length = 0;
  let samples: Float64Array = new Float64Array(0);
  const weightsByOrder: Float64Array[] = [];

  const load = (count: number): void => {
    length = count;
    samples = counter.samples();
    const scale = scaleOf(samples, length);
    if (scale !== 1) samples = samples.map((sample) => sample * scale);
  };

  const entropies = (delay: number, orders: readonly number[], out: Float64Array): void => {
    const patternsByOrder = counter.patterns(delay, orders.at(-1)!);
    for (const [index, order] of orders.entries()) {
      const weights = (weightsByOrder[order] ??= new Float64Array(FACTORIALS[order]!));
      const patterns = patternsByOrder[order]!;
      const first = (order - 1) * delay;
      addWeights(weights, patterns, samples, { order, delay, length });
      if (isDense(weights.length, length - first)) {
        out[index] = entropyOfWeights(weights, order);
        weights.fill(0);
      } else out[index] = entropyOfHit(weights, patterns, first, length, order);
    }
  };

  return { load, entropies };
}

/** 1 for ordinary samples, else the power of two that brings the largest near 1. */
function scaleOf(samples: Float64Array, length: number): number {
  let largest = 0;
  for (let index = 0; index < length; index++) {
    const size = samples[index]! < 0 ? -samples[index]! : samples[index]!;
    if (size > largest) largest = size;
  }
  let scale = 1;
  if (largest > LARGE) while (largest * scale > 1) scale *= 0.5;
  else if (largest > 0 && largest < SMALL) while (largest * scale < 1 && scale < 2 ** 1000) scale *= 2;
  return scale;
}

interface Windows {
  readonly order: number;
  readonly delay: number;
  /** Of the series. */
  readonly length: number;
}

/**
 * order * sum d^2 - (sum d)^2 is order^2 times the variance, and the factor cancels. With d taken from the window's last
 * sample it is exact for equal samples and loses no digits to a large common offset.
 */
function addWeights(weights: Float64Array, patterns: PatternArray, samples: Float64Array, windows: Windows): void {
  const { order, delay, length } = windows;
  const first = (order - 1) * delay;
  for (let end = first; end < length; end++) {
    const last = samples[end]!;
    let sum = 0;
    let squares = 0;
    for (let earlier = end - delay; earlier >= end - first; earlier -= delay) {
      const difference = samples[earlier]! - last;
      sum += difference;
      squares += difference * difference;
    }
    const weight = order * squares - sum * sum;
    weights[patterns[end]!]! += weight > 0 ? weight : 0;
  }
}

function entropyOfWeights(weights: Float64Array, order: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  let entropy = 0;
  for (const weight of weights) if (weight > 0) entropy += surprise(weight / total);
  return normalised(entropy, order);
}

/** The same by first occurrence, leaving every bin empty. */
function entropyOfHit(
  weights: Float64Array,
  patterns: PatternArray,
  start: number,
  stop: number,
  order: number,
): number {
  const hit: number[] = [];
  for (let end = start; end < stop; end++) {
    const weight = weights[patterns[end]!]!;
    if (weight === 0) continue;
    hit.push(weight);
    weights[patterns[end]!] = 0;
  }
  let total = 0;
  for (const weight of hit) total += weight;
  let entropy = 0;
  for (const weight of hit) entropy += surprise(weight / total);
  return normalised(entropy, order);
}

/** -p ln p, and +0 for p = 1. */
function surprise(p: number): number {
  return p < 1 ? -p * naturalLogarithm(p) : 0;
}

function normalised(entropy: number, order: number): number {
  const fraction = entropy / logFactorial(order);
  return fraction > 1 ? 1 : fraction;
}
