/**
 * Measures from the same counts as the entropy: Jensen-Shannon statistical complexity and missing patterns.
 *
 * Counts arrive tallied and ascending, so every sum has one order of its terms and the same bits on every path.
 */
import type { CountTally } from "./count-tally.ts";
import { logFactorial } from "./entropy.ts";
import { naturalLogarithm } from "./logarithm.ts";
import { FACTORIALS } from "./pattern-codes.ts";

export interface CountMeasures {
  /** Statistical complexity C = Q0 JSD(p, uniform) H, from 0 (one pattern, or all alike) to below 1. */
  readonly complexity: number;
  /** Fraction of the order! patterns that never occur. */
  readonly missing: number;
}

/**
 * @param entropy Normalised entropy H of the same counts, 0 to 1.
 * @see Rosso, Larrondo, Martin, Plastino and Fuentes, Phys. Rev. Lett. 99, 154102 (2007).
 */
export function measuresOfCounts(tally: CountTally, windows: number, order: number, entropy: number): CountMeasures {
  const bins = FACTORIALS[order]!;
  let occupied = 0;
  let mixedEntropy = 0;
  tally.drain((count, times) => {
    occupied += times;
    mixedEntropy += times * surprise((count * bins + windows) / (2 * windows * bins));
  });
  const missingBins = bins - occupied;
  mixedEntropy += missingBins * surprise(0.5 / bins);
  const logBins = logFactorial(order);
  const divergence = mixedEntropy - 0.5 * entropy * logBins - 0.5 * logBins;
  const complexity = (divergence / largestDivergence(order)) * entropy;
  return { complexity: complexity > 0 ? complexity : 0, missing: missingBins / bins };
}

/** JSD of a single pattern and the uniform distribution, the largest there is. */
function largestDivergence(order: number): number {
  const bins = FACTORIALS[order]!;
  const logBins = logFactorial(order);
  return -0.5 * (((bins + 1) / bins) * naturalLogarithm(bins + 1) - 2 * naturalLogarithm(2 * bins) + logBins);
}

/** -p ln p. */
function surprise(p: number): number {
  return -p * naturalLogarithm(p);
}
