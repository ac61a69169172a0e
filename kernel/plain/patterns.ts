/** The inner loops of the plain path. */
import { FACTORIALS } from "../pattern-codes.ts";

/** Indices up to order 8 fit 16 bits. */
export type PatternArray = Uint16Array | Uint32Array;

/** Order 2 of the windows that end in [start, stop); `larger` keeps r for the orders that follow. */
export function firstPatterns(
  samples: Float64Array,
  larger: Uint8Array,
  patterns: PatternArray,
  delay: number,
  start: number,
  stop: number,
): void {
  for (let end = start; end < stop; end++) {
    const earlierIsLarger = flag(samples[end]! < samples[end - delay]!);
    larger[end] = earlierIsLarger;
    patterns[end] = earlierIsLarger;
  }
}

/** Order `order` from order - 1. Where a window has no room yet, nothing is written. */
export function nextPatterns(
  samples: Float64Array,
  larger: Uint8Array,
  shorter: PatternArray,
  patterns: PatternArray,
  order: number,
  delay: number,
  start: number,
  stop: number,
): void {
  const span = (order - 1) * delay;
  const weight = FACTORIALS[order - 1]!;
  for (let end = Math.max(start, span); end < stop; end++) {
    const count = larger[end]! + flag(samples[end]! < samples[end - span]!);
    larger[end] = count;
    patterns[end] = shorter[end - delay]! + weight * count;
  }
}

/** 0 or 1 without a branch: `condition ? 1 : 0` is three times slower on noise. */
function flag(condition: boolean): number {
  return Number(condition) | 0;
}
