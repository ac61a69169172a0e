/** Permutation entropy and what comes from the same patterns. */
export { firstNonFinite } from "./series.ts";
export type { Series } from "./series.ts";
export type { KernelPath } from "./paths.ts";
export {
  missingPatterns,
  ordinalPatternCounts,
  permutationEntropies,
  permutationEntropy,
  statisticalComplexity,
  weightedPermutationEntropy,
} from "./permutation-entropy.ts";
export type { EntropiesOptions, EntropyOptions } from "./permutation-entropy.ts";
export { createSweep, MEASURES } from "./sweep.ts";
export type { Measure, Sweep, SweepOptions, SweepOutcome } from "./sweep.ts";
export { KERNEL_VERSION } from "./version.ts";
