/**
 * Entropy from counts, to the same bit whatever the order in which the counts are visited.
 *
 * With W windows, H = ln W - (1/W) sum c ln c. The terms c ln c are rounded once to whole multiples of 2^-k and then
 * summed as integers, so the sum is exact: a marginal, a list of the bins that were hit, eight lanes or one give the
 * same total. k depends on W alone and is as large as 63-bit sums allow, so the rounding of all terms together moves an
 * entropy by less than 1e-14 up to order 7 and 2e-13 at order 9 (docs/kernel.md has the bound).
 */
import { naturalLogarithm } from "./logarithm.ts";

/** Counts from here on are rare (at most W / 32,768 bins), so their terms are computed, not looked up. */
export const TERMS_TABLE_LENGTH = 32_768;

// A literal: constants of `Math` are approximations that the language leaves to the engine.
// oxlint-disable-next-line oxc/approx-constant
const LN2 = 0.6931471805599453;

/** ln(order!), rounded correctly, by order. */
const LOG_FACTORIALS = [
  0,
  0,
  LN2,
  1.791759469228055,
  3.1780538303479458,
  4.787491742782046,
  6.579251212010101,
  8.525161361065415,
  10.60460290274525,
  12.801827480081469,
];

/** ln(order!). */
export function logFactorial(order: number): number {
  return LOG_FACTORIALS[order]!;
}

/** The terms c ln c in units of 2^-scaleBits, for all numbers of windows with the same bit length. */
export interface Terms {
  readonly scaleBits: number;
  /** 2^-scaleBits. */
  readonly unit: number;
  /** term(c) = high[c] * 2^32 + low[c]; shape `[min(2^bitLength, TERMS_TABLE_LENGTH)]`. */
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

const termsByBitLength: (Terms | undefined)[] = [];

/** `windows` from 1 to 2^31 - 1. */
export function termsFor(windows: number): Terms {
  return termsForBitLength(32 - Math.clz32(windows));
}

/** The terms for every number of windows from 2^(bitLength - 1) to 2^bitLength - 1. */
export function termsForBitLength(bitLength: number): Terms {
  return (termsByBitLength[bitLength] ??= makeTerms(bitLength));
}

/** windows * ln(windows) < 2^bitLength * bitLength, so scaled by 2^k with k as below every sum stays under 2^62. */
function makeTerms(bitLength: number): Terms {
  const scaleBits = 62 - bitLength - (32 - Math.clz32(bitLength));
  const length = Math.min(powerOfTwo(bitLength), TERMS_TABLE_LENGTH);
  const high = new Uint32Array(length);
  const low = new Uint32Array(length);
  for (let count = 0; count < length; count++) {
    const term = scaledTerm(count, scaleBits);
    high[count] = Math.floor(term / 4294967296);
    low[count] = term - high[count]! * 4294967296;
  }
  return { scaleBits, unit: 1 / powerOfTwo(scaleBits), high, low };
}

/** c ln c in units of 2^-scaleBits: a whole number, exact as a float64. */
export function scaledTerm(count: number, scaleBits: number): number {
  return count < 2 ? 0 : Math.floor(count * naturalLogarithm(count) * powerOfTwo(scaleBits) + 0.5);
}

/** Exact, which `**` is not obliged to be. */
function powerOfTwo(exponent: number): number {
  return exponent < 31 ? 1 << exponent : (1 << 30) * powerOfTwo(exponent - 30);
}

/** What the entropy of a number of windows needs besides the sum; worth keeping where many series are of one length. */
export interface Normaliser {
  readonly windows: number;
  readonly logWindows: number;
  /** The sum when one bin holds every window. */
  readonly largestSum: number;
  /** Of the sum. */
  readonly unit: number;
  readonly logFactorial: number;
}

export function normaliserOf(windows: number, order: number): Normaliser {
  const { scaleBits, unit } = termsFor(windows);
  const largestSum = scaledTerm(windows, scaleBits);
  return { windows, logWindows: naturalLogarithm(windows), largestSum, unit, logFactorial: logFactorial(order) };
}

/**
 * Normalised entropy from the exact sum of the scaled terms.
 *
 * @param sum Sum of the terms of all bins, in units of `termsFor(windows).unit`, rounded to float64 once.
 * @returns From 0 to 1; exactly 0 when one bin holds every window.
 */
export function entropyOfSum(sum: number, by: Normaliser): number {
  if (sum >= by.largestSum) return 0;
  const entropy = (by.logWindows - (sum * by.unit) / by.windows) / by.logFactorial;
  return entropy < 0 ? 0 : entropy > 1 ? 1 : entropy;
}
