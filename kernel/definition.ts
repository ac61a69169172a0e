/**
 * Permutation entropy word for word, for reading and as the oracle of the tests. Slow on purpose: a stable sort of every
 * window, a map of patterns, `Math.log`. Nothing here is shared with the fast paths but the checks of parameters.
 *
 * @see Bandt and Pompe, Phys. Rev. Lett. 88, 174102 (2002).
 */
import { checkDelay, checkOrder, checkSeries, checkWindow, windowCount } from "./parameters.ts";
import type { Series } from "./series.ts";

/** The ordinal pattern of a window: its stable argsort, that is, of equal samples the earlier comes first. */
export function ordinalPattern(window: readonly number[]): number[] {
  return window.map((_, position) => position).toSorted((a, b) => window[a]! - window[b]! || a - b);
}

/** Every window of `order` samples, `delay` apart, oldest first; +0 and -0 are one value. */
export function windowsOf(series: Series, order: number, delay: number): number[][] {
  const windows: number[][] = [];
  for (let start = 0; start < windowCount(series.length, order, delay); start++)
    windows.push(Array.from({ length: order }, (_, position) => series[start + position * delay]! + 0));
  return windows;
}

/** Code of a pattern: the lexicographic rank of the window's ranks, 0 for rising to order! - 1 for falling. */
export function patternCode(window: readonly number[]): number {
  const ranks: number[] = [];
  ordinalPattern(window).forEach((position, rank) => (ranks[position] = rank));
  return ranks.reduce((code, rank, position) => {
    const smallerLater = ranks.slice(position + 1).filter((later) => later < rank).length;
    return code * (ranks.length - position) + smallerLater;
  }, 0);
}

/** Sum of `weight(window)` over the windows of each pattern. */
function sumByPattern(
  series: Series,
  order: number,
  delay: number,
  weight: (window: readonly number[]) => number,
): Map<number, number> {
  checkSeries(series);
  checkOrder(order);
  checkDelay(delay);
  checkWindow(series.length, order, delay);
  const sums = new Map<number, number>();
  for (const window of windowsOf(series, order, delay)) {
    const code = patternCode(window);
    sums.set(code, (sums.get(code) ?? 0) + weight(window));
  }
  return sums;
}

/** Windows of each pattern that occurs. */
export function definedCounts(series: Series, order: number, delay: number): Map<number, number> {
  return sumByPattern(series, order, delay, () => 1);
}

/** -sum p ln p / ln(order!), NaN when a sample is not finite. */
export function definedEntropy(series: Series, order: number, delay: number): number {
  if (!series.every((sample) => Number.isFinite(sample))) return Number.NaN;
  return normalised([...definedCounts(series, order, delay).values()], order);
}

/** The same with each window weighing its population variance (Fadlallah 2013). */
export function definedWeightedEntropy(series: Series, order: number, delay: number): number {
  if (!series.every((sample) => Number.isFinite(sample))) return Number.NaN;
  return normalised([...sumByPattern(series, order, delay, variance).values()], order);
}

/** Jensen-Shannon statistical complexity (Rosso 2007): distance from the uniform distribution times entropy. */
export function definedComplexity(series: Series, order: number, delay: number): number {
  const bins = factorialOf(order);
  const counts = [...definedCounts(series, order, delay).values()];
  const total = counts.reduce((sum, count) => sum + count, 0);
  const p = Array.from({ length: bins }, (_, bin) => (counts[bin] ?? 0) / total);
  const mixed = p.map((value) => (value + 1 / bins) / 2);
  const divergence = shannon(mixed) - shannon(p) / 2 - Math.log(bins) / 2;
  const largest = -0.5 * (((bins + 1) / bins) * Math.log(bins + 1) - 2 * Math.log(2 * bins) + Math.log(bins));
  return (divergence / largest) * normalised(counts, order);
}

/** Patterns that never occur, as a fraction of order!. */
export function definedMissing(series: Series, order: number, delay: number): number {
  return 1 - definedCounts(series, order, delay).size / factorialOf(order);
}

function normalised(weights: readonly number[], order: number): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const occupied = weights.filter((weight) => weight > 0);
  if (occupied.length < 2) return 0;
  return Math.min(1, Math.max(0, shannon(occupied.map((weight) => weight / total)) / Math.log(factorialOf(order))));
}

function shannon(p: readonly number[]): number {
  return -p.reduce((sum, value) => (value > 0 ? sum + value * Math.log(value) : sum), 0);
}

function variance(window: readonly number[]): number {
  const mean = window.reduce((sum, sample) => sum + sample, 0) / window.length;
  return window.reduce((sum, sample) => sum + (sample - mean) ** 2, 0) / window.length;
}

function factorialOf(order: number): number {
  return order < 2 ? 1 : order * factorialOf(order - 1);
}
