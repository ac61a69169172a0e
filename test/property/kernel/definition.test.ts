/**
 * Goal: on every path and for every element type the fast kernel counts what the definition counts, word for word.
 * Method: short series with few levels (ties), extremes, signed zeros and constants against `kernel/definition.ts`.
 * Replay: fast-check prints the seed and path of a failure; pass them to `fc.assert` as `{ seed, path }`.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  definedComplexity,
  definedCounts,
  definedEntropy,
  definedMissing,
  definedWeightedEntropy,
} from "../../../kernel/definition.ts";
import {
  missingPatterns,
  ordinalPatternCounts,
  permutationEntropies,
  permutationEntropy,
  statisticalComplexity,
  weightedPermutationEntropy,
} from "../../../kernel/index.ts";
import { everyType } from "../../support/kernel-series.ts";

const PATHS = ["wasm", "plain"] as const;

const sample = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 2, arbitrary: fc.integer({ min: -128, max: 255 }) },
  { weight: 1, arbitrary: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(0, -0, 5e-324, -5e-324, 1e308, -1e308, Number.MAX_VALUE, 1 + Number.EPSILON),
  },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
);
const levels = fc.oneof(sample, fc.integer({ min: 0, max: 1 }), fc.constant(7));
const values = fc.oneof(
  fc.array(sample, { minLength: 1, maxLength: 90 }),
  fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 300 }),
  fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 300 }),
  levels.chain((level) => fc.integer({ min: 1, max: 60 }).map((length) => new Array<number>(length).fill(level))),
);

/** A series of any type, and an order and delay with at least one window. */
const cases = fc
  .tuple(values, fc.nat(), fc.integer({ min: 2, max: 9 }), fc.nat())
  .map(([list, type, wishedOrder, wishedDelay]) => {
    const types = everyType(list);
    const series = types[type % types.length]!;
    const order = Math.min(wishedOrder, Math.max(2, series.length));
    const delay = 1 + (wishedDelay % Math.max(1, Math.floor((series.length - 1) / (order - 1))));
    return { series, order, delay };
  })
  .filter(({ series, order, delay }) => series.length > (order - 1) * delay);

describe.each(PATHS)("path %s", (path) => {
  it("ordinalPatternCounts() counts the definition's patterns", () => {
    fc.assert(
      fc.property(cases, ({ series, order, delay }) => {
        const counts = ordinalPatternCounts(series, order, delay, { path });
        expect(observed(counts)).toEqual([...definedCounts(series, order, delay)].toSorted((a, b) => a[0] - b[0]));
      }),
      { numRuns: 400 },
    );
  });

  it("permutationEntropy() is the definition's within 1e-13, in [0, 1] and never -0", () => {
    fc.assert(
      fc.property(cases, ({ series, order, delay }) => {
        const entropy = permutationEntropy(series, order, delay, { path });
        expect(Math.abs(entropy - definedEntropy(series, order, delay))).toBeLessThanOrEqual(1e-13);
        expect(entropy >= 0 && entropy <= 1 && !Object.is(entropy, -0)).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it("statisticalComplexity() and missingPatterns() are the definition's within 1e-12", () => {
    fc.assert(
      fc.property(cases, ({ series, order, delay }) => {
        fc.pre(order < 8);
        const complexity = statisticalComplexity(series, order, delay, { path });
        expect(Math.abs(complexity - definedComplexity(series, order, delay))).toBeLessThanOrEqual(1e-12);
        expect(Object.is(complexity, -0)).toBe(false);
        expect(missingPatterns(series, order, delay, { path })).toBeCloseTo(definedMissing(series, order, delay), 13);
      }),
      { numRuns: 150 },
    );
  });

  it("weightedPermutationEntropy() is the definition's within 1e-9 where variances do not overflow", () => {
    fc.assert(
      fc.property(cases, ({ series, order, delay }) => {
        fc.pre(series.every((value) => Math.abs(value) < 1e6 && (value === 0 || Math.abs(value) > 1e-6)));
        const weighted = weightedPermutationEntropy(series, order, delay, { path });
        expect(Math.abs(weighted - definedWeightedEntropy(series, order, delay))).toBeLessThanOrEqual(1e-9);
        expect(weighted >= 0 && weighted <= 1 && !Object.is(weighted, -0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("wasm and plain", () => {
  it("permutationEntropies() has the same bits on both paths, and for an order alone as in a sweep", () => {
    fc.assert(
      fc.property(
        cases,
        fc.uniqueArray(fc.integer({ min: 2, max: 9 }), { minLength: 1 }),
        ({ series, order, delay }, more) => {
          const orders = [order, ...more].filter((each) => series.length > (each - 1) * delay);
          const wasm = permutationEntropies(series, { orders, delays: [delay], path: "wasm" });
          const plain = permutationEntropies(series, { orders, delays: [delay], path: "plain" });
          expect(bitsOf(wasm)).toEqual(bitsOf(plain));
          const alone = orders.map((each) => permutationEntropy(series, each, delay, { path: "wasm" }));
          expect(bitsOf(Float64Array.from(alone))).toEqual(bitsOf(wasm));
        },
      ),
      { numRuns: 400 },
    );
  });
});

function observed(counts: Uint32Array): [number, number][] {
  return [...counts.entries()].filter(([, count]) => count > 0);
}

function bitsOf(values64: Float64Array): bigint[] {
  return [...new BigUint64Array(values64.buffer, values64.byteOffset, values64.length)];
}
