import { describe, expect, it } from "vitest";
import {
  firstNonFinite,
  missingPatterns,
  ordinalPatternCounts,
  permutationEntropies,
  permutationEntropy,
  statisticalComplexity,
  weightedPermutationEntropy,
} from "../../../kernel/index.ts";
import type { KernelPath, Series } from "../../../kernel/index.ts";
import { everyType, whiteNoise } from "../../support/kernel-series.ts";

const refused = expect.objectContaining({ code: "PE_PARAMETER" }) as Error;
const measures = [permutationEntropy, weightedPermutationEntropy, statisticalComplexity, missingPatterns];

describe.each(["wasm", "plain"] as const)("path %s", (path) => {
  it("permutationEntropy() of a constant or monotone series is exactly 0 and not -0, for every order", () => {
    for (let order = 2; order <= 9; order++) {
      for (const values of [new Array<number>(60).fill(7), ascending(60), ascending(60).toReversed()]) {
        for (const series of everyType(values)) {
          expect(Object.is(permutationEntropy(series, order, 3, { path }), 0)).toBe(true);
          expect(Object.is(weightedPermutationEntropy(series, order, 3, { path }), 0)).toBe(true);
          expect(Object.is(statisticalComplexity(series, order, 3, { path }), 0)).toBe(true);
        }
      }
    }
  });

  it("permutationEntropy() ranks equal samples by time and takes +0 for -0", () => {
    // 3 1 3: one fall, one rise; 1 1 is a rise.
    expect([...ordinalPatternCounts(Uint8Array.of(3, 1, 1, 3), 2, 1, { path })]).toEqual([2, 1]);
    expect([...ordinalPatternCounts(Float64Array.of(0, -0, 0, -0), 2, 1, { path })]).toEqual([3, 0]);
    expect([...ordinalPatternCounts(Float32Array.of(0, -0, 0, -0), 2, 1, { path })]).toEqual([3, 0]);
  });

  it("permutationEntropy() is NaN wherever a sample is NaN or infinite", () => {
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      for (const at of [0, 17, 99]) {
        for (const series of [whiteNoise(100, 1), Float32Array.from(whiteNoise(100, 1))]) {
          series[at] = bad;
          for (const measure of measures) expect(measure(series, 3, 2, { path })).toBeNaN();
          expect(firstNonFinite(series)).toBe(at);
          const many = permutationEntropies(series, { orders: [3, 9], delays: ascending(12).map((d) => d + 1), path });
          expect(many.every(Number.isNaN)).toBe(true);
        }
      }
    }
  });

  it("permutationEntropies() refuses options that lack a list, in words", () => {
    const series = whiteNoise(100, 1);
    for (const options of [{ orders: [3] }, { delays: [1] }, { orders: 3, delays: [1] }, { orders: [3], delays: null }])
      expect(() => permutationEntropies(series, { ...options, path } as never)).toThrow(refused);
  });

  it("ordinalPatternCounts() refuses a series with NaN and says where", () => {
    expect(() => ordinalPatternCounts(Float64Array.of(1, NaN, 2), 2, 1, { path })).toThrow(
      "Cannot count ordinal patterns: sample 1 is NaN; remove or replace it",
    );
  });

  it("permutationEntropies() has one row a delay and one column an order, in the sequence given", () => {
    const series = whiteNoise(2000, 2);
    const [orders, delays] = [
      [6, 3, 6, 2],
      [9, 1],
    ];
    const entropies = permutationEntropies(series, { orders, delays, path });
    expect(entropies).toEqual(
      Float64Array.from(
        delays.flatMap((delay) => orders.map((order) => permutationEntropy(series, order, delay, { path }))),
      ),
    );
  });

  it("permutationEntropy() of one window is 0, and one sample fewer is refused", () => {
    for (let order = 2; order <= 9; order++) {
      const series = whiteNoise((order - 1) * 4 + 1, order);
      expect(permutationEntropy(series, order, 4, { path })).toBe(0);
      expect(() => permutationEntropy(series.subarray(1), order, 4, { path })).toThrow(refused);
    }
  });

  it("permutationEntropy() does not depend on where in its buffer a series lies", () => {
    const series = whiteNoise(500, 4);
    const shifted = new Float64Array(507).subarray(7);
    shifted.set(series);
    expect(permutationEntropy(shifted, 5, 3, { path })).toBe(permutationEntropy(series, 5, 3, { path }));
  });

  it("permutationEntropy() of a short series is not changed by a longer one before it", () => {
    const short = Uint8Array.from(whiteNoise(300, 5), (value) => value * 256);
    const alone = permutationEntropy(short, 6, 2, { path });
    permutationEntropy(whiteNoise(100_000, 6), 7, 3, { path });
    expect(permutationEntropy(short, 6, 2, { path })).toBe(alone);
  });
});

describe("parameters", () => {
  const series = whiteNoise(100, 3);

  it.each([1, 10, 0, -3, 2.5, Number.NaN, Infinity])("permutationEntropy() refuses order %d", (order) => {
    expect(() => permutationEntropy(series, order, 1)).toThrow(refused);
    expect(() => ordinalPatternCounts(series, order, 1)).toThrow(refused);
    expect(() => permutationEntropies(series, { orders: [3, order], delays: [1] })).toThrow(refused);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, 2 ** 31])("permutationEntropy() refuses delay %d", (delay) => {
    expect(() => permutationEntropy(series, 3, delay)).toThrow(refused);
    expect(() => permutationEntropies(series, { orders: [3], delays: [delay] })).toThrow(refused);
  });

  it("permutationEntropy() refuses what is not a series, saying which types are", () => {
    for (const wrong of [
      [1, 2, 3],
      "1 2 3",
      undefined,
      new DataView(new ArrayBuffer(64)),
      new BigInt64Array(9),
      new Uint32Array(9),
    ])
      expect(() => permutationEntropy(wrong as unknown as Series, 2, 1)).toThrow(/is not one of Float64Array/);
  });

  it("permutationEntropies() refuses empty lists, and a delay for which the series is too short", () => {
    expect(() => permutationEntropies(series, { orders: [], delays: [1] })).toThrow(refused);
    expect(() => permutationEntropies(series, { orders: [3], delays: [] })).toThrow(refused);
    expect(() => permutationEntropies(series, { orders: [3, 4], delays: [1, 34] })).toThrow(
      "the series has 100 samples, a window of order 4 and delay 34 needs 103",
    );
  });

  it("permutationEntropy() refuses a path it does not have", () => {
    expect(() => permutationEntropy(series, 3, 1, { path: "gpu" as KernelPath })).toThrow(refused);
  });
});

function ascending(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}
