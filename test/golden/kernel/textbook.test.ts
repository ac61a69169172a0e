/**
 * Goal: values that are known without any program: Bandt and Pompe's example, the logistic map's exact pattern
 * probabilities, Brownian motion, a sine's number of patterns, the bias of white noise, a delayed system's own delay.
 * Seeds are fixed; each tolerance says where it comes from.
 */
import { describe, expect, it } from "vitest";
import {
  missingPatterns,
  ordinalPatternCounts,
  permutationEntropies,
  permutationEntropy,
} from "../../../kernel/index.ts";
import { brownianMotion, logisticMap, mackeyGlass, sine, whiteNoise } from "../../support/kernel-series.ts";

describe("permutationEntropy()", () => {
  it("permutationEntropy() of Bandt and Pompe's series is theirs", () => {
    const series = Float64Array.of(4, 7, 9, 10, 6, 11, 3);
    const wanted = [0.918295834054, 0.588762155916, 0.436208583971];
    for (const [at, value] of wanted.entries())
      expect(Math.abs(permutationEntropy(series, at + 2, 1) - value)).toBeLessThan(5e-13);
  });

  it("permutationEntropy() of the logistic map at r = 4 nears the exact values, and its forbidden patterns never occur", () => {
    const series = logisticMap(1_000_000, 0.2345);
    const wanted = [0.918295834054, 0.831445483859, 0.739114459031, 0.679848535193, 0.629605859854, 0.585162262594];
    const forbidden = [0, 1, 12, 89, 645, 4862];
    const entropies = permutationEntropies(series, { orders: [2, 3, 4, 5, 6, 7], delays: [1] });
    for (const [at, value] of wanted.entries()) {
      // A frequency of 1e6 correlated windows has a standard error near 1e-3; the entropy's was 3e-4 over 20 starts.
      expect(Math.abs(entropies[at]! - value)).toBeLessThan(1.5e-3);
      const bins = [2, 6, 24, 120, 720, 5040][at]!;
      expect(missingPatterns(series, at + 2, 1) * bins).toBeGreaterThanOrEqual(forbidden[at]! - 1e-9);
    }
    expect(missingPatterns(series, 5, 1) * 120).toBeCloseTo(89, 9);
  });

  it("ordinalPatternCounts() of the logistic map at r = 4 nears 1/3, 1/15, 2/15, 1/5, 4/15 and never falls twice", () => {
    const counts = ordinalPatternCounts(logisticMap(1_000_000, 0.2345), 3, 1);
    // Windows by their ranks: 012, 021, 102, 120, 201, 210 (the published list names them by argsort).
    const wanted = [1 / 3, 1 / 15, 2 / 15, 4 / 15, 1 / 5, 0];
    for (const [code, p] of wanted.entries()) expect(Math.abs(counts[code]! / 999_998 - p)).toBeLessThan(3e-3);
    expect(counts[5]).toBe(0);
  });

  it("permutationEntropy() of Brownian motion nears the exact values", () => {
    const series = brownianMotion(1_000_000, 3);
    // Five standard errors: p has one of sqrt(p (1 - p) / W), about 5e-4, and H moves less than p.
    expect(Math.abs(permutationEntropy(series, 3, 1) - 0.967132018086)).toBeLessThan(2e-3);
    expect(Math.abs(permutationEntropy(series, 4, 1) - 0.938765884961)).toBeLessThan(2e-3);
  });

  it("ordinalPatternCounts() of a sine of incommensurate frequency has exactly 4 m - 6 patterns", () => {
    const series = sine(200_000, (Math.sqrt(5) - 1) / 40);
    for (const order of [3, 4, 5, 6, 7]) {
      const occupied = ordinalPatternCounts(series, order, 1).filter((count) => count > 0).length;
      expect(occupied).toBe(4 * order - 6);
    }
  });

  it("permutationEntropy() of white noise is biased by A / (2 W) nats", () => {
    const bias = new Map([
      [2, 1 / 3],
      [3, 17 / 5],
      [4, 711 / 35],
      [5, 115.1],
      [6, 713.9],
    ]);
    const [windows, trials] = [20_000, 60];
    for (const [order, a] of bias) {
      const length = windows + order - 1;
      const logBins = Math.log([0, 0, 2, 6, 24, 120, 720][order]!);
      let missing = 0;
      for (let seed = 0; seed < trials; seed++)
        missing += (1 - permutationEntropy(whiteNoise(length, 100 * order + seed), order, 1)) * logBins;
      // W (ln m! - H) is near half a chi-square, so the mean of 60 has a standard error below A / sqrt(60); five of them.
      expect(Math.abs((missing / trials) * 2 * windows - a)).toBeLessThan((5 * a) / Math.sqrt(trials));
    }
  });

  it("permutationEntropies() of Mackey-Glass are least at a delay of 303 samples, just above the system's own 300", () => {
    const series = mackeyGlass(200_000, 300, 0.2);
    const delays = Array.from({ length: 60 }, (_, index) => 275 + index);
    for (const [order, least] of [
      [4, 0.8388],
      [5, 0.7916],
      [6, 0.7596],
    ] as const) {
      const entropies = [...permutationEntropies(series, { orders: [order], delays })];
      expect(delays[entropies.indexOf(Math.min(...entropies))]).toBe(303);
      // Another start and half the length moved the least value by up to 3e-3.
      expect(Math.abs(Math.min(...entropies) - least)).toBeLessThan(4e-3);
    }
  });
});
