/** What a path of the kernel does: count the patterns of one series at one delay, for several orders at once. */
import type { Series } from "./series.ts";

/** Receives the counts of one order: every occupied bin once, empty ones perhaps among them. Valid during the call. */
export type CountsVisitor = (orderIndex: number, counts: Uint32Array) => void;

export interface PatternCounter {
  /**
   * Takes a series for the calls that follow; its memory may be reused by the caller afterwards.
   *
   * @param delays What will be asked for: whether quantisation pays depends on their number.
   * @param spanMax Longest (order - 1) * delay that will be asked for.
   * @returns Index of the first sample that is not finite, -1 when all are.
   */
  load(series: Series, delays: number, spanMax: number): number;
  /**
   * Counts at one delay.
   *
   * @param orders Ascending, each with at least one window.
   * @param sums Receives, per order, the exact sum of c ln c in the units of `termsFor`, rounded to float64 once.
   * @param visit Called per order in any sequence, after its sum is set, for measures that need the counts themselves.
   */
  count(delay: number, orders: readonly number[], sums: Float64Array, visit?: CountsVisitor): void;
  /** Counts of one order by the kernel's own index; shape `[order!]`, valid until the next call. */
  countsByIndex(delay: number, order: number): Uint32Array;
}

/**
 * Whether an order is worth order! bins. Above that, only the bins that were hit are visited: twice as many steps per
 * window, but none per bin.
 */
export function isDense(bins: number, windows: number): boolean {
  return bins <= windows;
}
