/**
 * Goal: WebAssembly and plain give the same bits, however a series is quantised, cut into blocks and segments, counted by
 * pairs or by hit bins; and an order gives the same in any set of orders.
 * Method: few delays, three and twenty (none, linear and rank quantisation are tried from 1, 3 and 16 delays on), over
 * small adversarial series from fast-check and long series of fixed seeds.
 * Replay: fast-check prints the seed and path of a failure; pass them to `fc.assert` as `{ seed, path }`.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../../common/random.ts";
import { createSweep } from "../../../kernel/index.ts";
import type { KernelPath, Measure, Series } from "../../../kernel/index.ts";
import { everyType } from "../../support/kernel-series.ts";

const MEASURES: readonly Measure[] = ["pe", "complexity", "missing"];

/** Values that tempt a quantiser: neighbours in the last bit, zeros of both signs, steps, extremes, one outlier. */
const sample = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 300 }).map((code) => code / 128 - 1) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 300 }).map((code) => code * 0.1 + 0.7) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 6 }).map((ulps) => 1 + ulps * Number.EPSILON) },
  { weight: 1, arbitrary: fc.constantFrom(0, -0, 5e-324, -5e-324, 1e-310, 2 ** -1022) },
  { weight: 1, arbitrary: fc.constantFrom(1e308, -1e308, Number.MAX_VALUE, -Number.MAX_VALUE, 1e16, 1e16 + 2) },
  { weight: 2, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
);
const smallSeries = fc.oneof(
  fc.array(sample, { minLength: 1, maxLength: 120 }),
  fc.array(
    fc.integer({ min: 0, max: 6 }).map((ulps) => 1 + ulps * Number.EPSILON),
    { minLength: 1, maxLength: 200 },
  ),
  fc.array(
    fc.integer({ min: -40_000, max: 40_000 }).map((code) => code / 8192),
    { minLength: 1, maxLength: 200 },
  ),
  fc.array(
    fc.integer({ min: 0, max: 65_535 }).map((code) => code * 0.000123 - 4),
    { minLength: 1, maxLength: 200 },
  ),
  fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 200 }),
);

describe("wasm and plain", () => {
  it.each([1, 3, 20])("createSweep() has the same bits on both paths over small series, %d delays", (count) => {
    fc.assert(
      fc.property(smallSeries, fc.integer({ min: 1, max: 12 }), (values, first) => {
        const delays = Array.from({ length: count }, (_, index) => first + (index % 4));
        for (const series of everyType(values)) expectSame(series, [2, 3, 4, 5, 6, 7, 8, 9], delays);
      }),
      { numRuns: 150 },
    );
  });

  const kinds: Record<string, (random: Random, index: number) => number> = {
    noise: (random) => random.uniform(),
    "eight bits": (random) => random.integer(256),
    "a power-of-two step": (random) => random.integer(60_000) / 16_384 - 0.5,
    "another step": (random) => random.integer(16_000) * 0.000123 - 0.7,
    "too many levels": (random) => random.integer(70_000) / 16_384,
    "an outlier": (random) => (random.integer(5000) === 0 ? 1e6 : random.uniform()),
    sine: (_, index) => Math.sin(index * 0.01234),
    constant: () => 3.5,
    "few steps": (random, index) => Math.floor(index / 100) + random.integer(3),
  };
  const lengths = [700, 4096, 8200, 20_000, 65_536, 65_537, 140_001];

  it.each(Object.keys(kinds))("createSweep() has the same bits on both paths over long series: %s", (kind) => {
    const random = new Random(Object.keys(kinds).indexOf(kind));
    for (const length of lengths) {
      const series = new Float64Array(length).map((_, index) => kinds[kind]!(random, index));
      const far = [1 + random.integer(Math.floor(length / 20)), Math.floor((length - 1) / 7)];
      expectSame(series, [3, 5, 8], [1, ...far]);
      expectSame(series, [3, 4, 5], [1, 2, 17, 90]);
      expectSame(series, [6, 7], [...Array.from({ length: 15 }, (_, index) => 1 + (index % 3)), 33]);
    }
  });

  it("createSweep() has the same bits on both paths for every type of long series", () => {
    const random = new Random(77);
    const noise = new Float64Array(30_000).map(() => random.uniform());
    const typed: Series[] = [
      Float32Array.from(noise),
      Int8Array.from(noise, (x) => 256 * x - 128),
      Uint8Array.from(noise, (x) => 256 * x),
      Int16Array.from(noise, (x) => 65_536 * x - 32_768),
      Uint16Array.from(noise, (x) => 65_536 * x),
      Int32Array.from(noise, (x) => 2 ** 32 * x - 2 ** 31),
      Int32Array.from(noise, (x) => 1000 * x - 500),
    ];
    for (const series of typed)
      for (const delays of [[1, 40], Array.from({ length: 12 }, (_, index) => 3 * index + 1)])
        expectSame(series, [2, 3, 4, 5, 6, 7, 8, 9], delays);
  });

  it("createSweep() gives an order the same bits alone as among others", () => {
    const random = new Random(5);
    for (const length of [500, 6000, 40_000]) {
      const series = new Float64Array(length).map(() => random.integer(200));
      const together = sweep(series, [2, 3, 4, 5, 6, 7, 8, 9], [1, 13], "wasm", ["pe"]);
      for (let order = 2; order <= 9; order++) {
        const alone = sweep(series, [order], [1, 13], "wasm", ["pe"]);
        expect([...alone]).toEqual([together[order - 2], together[8 + order - 2]]);
      }
    }
  });
});

function sweep(
  series: Series,
  orders: readonly number[],
  delays: readonly number[],
  path: KernelPath,
  measures: readonly Measure[],
): Float64Array {
  const prepared = createSweep({ orders, delays, measures, path });
  const out = new Float64Array(prepared.values);
  prepared.run(series, out);
  return out;
}

function expectSame(series: Series, orders: readonly number[], delays: readonly number[]): void {
  for (const measures of [["pe"] as const, MEASURES]) {
    const wasm = sweep(series, orders, delays, "wasm", measures);
    const plain = sweep(series, orders, delays, "plain", measures);
    expect(new BigUint64Array(wasm.buffer)).toEqual(new BigUint64Array(plain.buffer));
  }
}
