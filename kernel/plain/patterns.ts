/** The inner loops of the plain path. */
import { FACTORIALS } from "../pattern-codes.ts";

/** Indices up to order 8 fit 16 bits. */
export type PatternArray = Uint16Array | Uint32Array;

/** Arrays of one series, by the sample at which a window ends. */
export interface PatternState {
  readonly samples: Float64Array;
  /** How many of the earlier samples of the window so far are larger than its last one. */
  readonly larger: Uint8Array;
  /** Index of the window, by order; order 1 has one pattern, 0. */
  readonly patterns: readonly PatternArray[];
}

/** Samples worked on before the next orders are taken: what is touched stays in the first-level cache. */
const BLOCK = 1024;

/** Patterns of orders 2 to `top` of every window of the first `length` samples. */
export function findPatterns(state: PatternState, top: number, delay: number, length: number): void {
  state.larger.fill(0, 0, length);
  for (let start = delay; start < length; start += BLOCK) {
    const stop = Math.min(start + BLOCK, length);
    let order = 2;
    for (; order + 2 <= top && start >= (order + 1) * delay; order += 3)
      nextThreePatterns(state, order, delay, start, stop);
    // The first windows of the series, and orders left over from threes.
    for (; order <= top; order++) nextPatterns(state, order, delay, Math.max(start, (order - 1) * delay), stop);
  }
}

/** Windows of `order` that end in [start, stop), from those of order - 1. `start` leaves room for a window. */
function nextPatterns(state: PatternState, order: number, delay: number, start: number, stop: number): void {
  const { samples, larger } = state;
  const shorter = state.patterns[order - 1]!;
  const patterns = state.patterns[order]!;
  const span = (order - 1) * delay;
  const weight = FACTORIALS[order - 1]!;
  for (let end = start; end < stop; end++) {
    const count = larger[end]! + flag(samples[end]! < samples[end - span]!);
    larger[end] = count;
    patterns[end] = shorter[end - delay]! + weight * count;
  }
}

/** Orders `order`, order + 1 and order + 2 at once: twice as fast as one after the other. */
function nextThreePatterns(state: PatternState, order: number, delay: number, start: number, stop: number): void {
  const { samples, larger } = state;
  const shorter = state.patterns[order - 1]!;
  const firstPatterns = state.patterns[order]!;
  const secondPatterns = state.patterns[order + 1]!;
  const thirdPatterns = state.patterns[order + 2]!;
  const span = (order - 1) * delay;
  const secondSpan = span + delay;
  const thirdSpan = secondSpan + delay;
  const weight = FACTORIALS[order - 1]!;
  const secondWeight = weight * order;
  const thirdWeight = secondWeight * (order + 1);
  for (let end = start; end < stop; end++) {
    const sample = samples[end]!;
    const before = end - delay;
    const count = larger[end]! + flag(sample < samples[end - span]!);
    const secondCount = count + flag(sample < samples[end - secondSpan]!);
    const thirdCount = secondCount + flag(sample < samples[end - thirdSpan]!);
    firstPatterns[end] = shorter[before]! + weight * count;
    secondPatterns[end] = firstPatterns[before]! + secondWeight * secondCount;
    thirdPatterns[end] = secondPatterns[before]! + thirdWeight * thirdCount;
    larger[end] = thirdCount;
  }
}

/** 0 or 1 without a branch: `condition ? 1 : 0` is three times slower on noise. */
function flag(condition: boolean): number {
  return Number(condition) | 0;
}
