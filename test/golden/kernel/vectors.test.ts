/**
 * Goal: the published conformance vectors, whose counts and entropies several independent programs agree on, come out of
 * every path and every element type that holds the series.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  missingPatterns,
  ordinalPatternCounts,
  permutationEntropies,
  permutationEntropy,
  statisticalComplexity,
  weightedPermutationEntropy,
} from "../../../kernel/index.ts";
import { everyType } from "../../support/kernel-series.ts";
import { seriesOfRecipe } from "../../support/kernel-recipes.ts";
import type { Recipe } from "../../support/kernel-recipes.ts";

interface Case {
  readonly id: string;
  readonly series: string;
  readonly order: number;
  readonly delay: number;
  readonly patterns: number;
  readonly distinct: number;
  readonly normalized: number;
  readonly counts_sha256: string;
}

interface Extra {
  readonly series: string;
  readonly order: number;
  readonly delay: number;
  readonly weighted_normalized: number;
  readonly js_complexity: number;
  readonly missing_fraction: number;
}

interface Vectors {
  readonly series: Record<string, { recipe: Recipe; sha256_f64le: string }>;
  readonly cases: readonly Case[];
  readonly must_reject: readonly { series_values: number[]; order: number; delay: number; why: string }[];
  readonly nan_policy: readonly { series_values: (number | string)[]; order: number; delay: number }[];
  readonly extras_weighted_and_complexity: { cases: readonly Extra[] };
}

const shared = fileURLToPath(new URL("../../../../shared/data/", import.meta.url));
const PATHS = ["wasm", "plain"] as const;

describe.skipIf(!existsSync(`${shared}pe_vectors.json`))(
  "conformance vectors (skipped where ../shared/data/pe_vectors.json is absent)",
  () => {
    const vectors = existsSync(`${shared}pe_vectors.json`)
      ? (JSON.parse(readFileSync(`${shared}pe_vectors.json`, "utf8")) as Vectors)
      : { series: {}, cases: [], must_reject: [], nan_policy: [], extras_weighted_and_complexity: { cases: [] } };
    const seriesNamed = (name: string): Float64Array => seriesOfRecipe(vectors.series[name]!.recipe);

    it("every series is rebuilt to the byte", () => {
      for (const [name, { sha256_f64le }] of Object.entries(vectors.series)) {
        const series = seriesNamed(name);
        const bytes = new Uint8Array(series.buffer, series.byteOffset, series.byteLength);
        expect(createHash("sha256").update(bytes).digest("hex"), name).toBe(sha256_f64le);
      }
    });

    it.each(vectors.cases)("ordinalPatternCounts() and permutationEntropy() give case $id", (wanted) => {
      const { order, delay } = wanted;
      // Infinities are refused here; the largest numbers in their place have the same patterns.
      const series = seriesNamed(wanted.series).map((value) => Math.max(-1e308, Math.min(1e308, value)));
      for (const typed of everyType(series)) {
        for (const path of PATHS) {
          const counts = ordinalPatternCounts(typed, order, delay, { path });
          const lines = [...counts.entries()]
            .filter(([, count]) => count > 0)
            .map(([code, count]) => `${code}:${count}\n`);
          expect(lines.length).toBe(wanted.distinct);
          expect(counts.reduce((sum, count) => sum + count, 0)).toBe(wanted.patterns);
          expect(createHash("sha256").update(lines.join("")).digest("hex")).toBe(wanted.counts_sha256);
          expect(Math.abs(permutationEntropy(typed, order, delay, { path }) - wanted.normalized)).toBeLessThan(1e-13);
        }
      }
    });

    it.each(vectors.must_reject)(
      "permutationEntropy() refuses what has no answer: $why",
      ({ series_values, order, delay, why }) => {
        const series = Float64Array.from(series_values);
        if (why.startsWith("NOT an error")) expect(permutationEntropy(series, order, delay)).toBe(0);
        else
          expect(() => permutationEntropy(series, order, delay)).toThrow(
            expect.objectContaining({ code: "PE_PARAMETER" }),
          );
      },
    );

    it.each(vectors.nan_policy)(
      "permutationEntropy() of a series with NaN is NaN",
      ({ series_values, order, delay }) => {
        const series = Float64Array.from(series_values, Number);
        expect(series.some(Number.isNaN)).toBe(true);
        expect(permutationEntropy(series, order, delay)).toBeNaN();
      },
    );

    it.each(vectors.extras_weighted_and_complexity.cases)(
      "weighted entropy, complexity and missing patterns of $series, order $order, delay $delay",
      (wanted) => {
        const { order, delay } = wanted;
        for (const series of everyType(seriesNamed(wanted.series))) {
          for (const path of PATHS) {
            const weighted = weightedPermutationEntropy(series, order, delay, { path });
            expect(Math.abs(weighted - wanted.weighted_normalized)).toBeLessThan(1e-12);
            const complexity = statisticalComplexity(series, order, delay, { path });
            expect(Math.abs(complexity - wanted.js_complexity)).toBeLessThan(1e-12);
            expect(missingPatterns(series, order, delay, { path })).toBeCloseTo(wanted.missing_fraction, 14);
          }
        }
      },
    );
  },
);

describe.skipIf(!existsSync(`${shared}santafe_a.txt`))(
  "Santa Fe laser (skipped where ../shared/data/santafe_a.txt is absent)",
  () => {
    it("permutationEntropies() at delay 1 gives the published values of the real laser, orders 3 to 7", () => {
      const text = readFileSync(`${shared}santafe_a.txt`, "utf8").trim();
      const values = text.split(/\s+/).map(Number);
      const wanted = [0.819359684521, 0.692328162383, 0.584497184203, 0.484040894564, 0.419186084529];
      for (const series of everyType(values)) {
        for (const path of PATHS) {
          const entropies = permutationEntropies(series, { orders: [3, 4, 5, 6, 7], delays: [1], path });
          for (const [at, entropy] of entropies.entries()) expect(Math.abs(entropy - wanted[at]!)).toBeLessThan(1e-12);
        }
      }
    });
  },
);
