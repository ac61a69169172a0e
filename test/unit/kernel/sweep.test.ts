import { describe, expect, it } from "vitest";
import { createSweep, MEASURES, permutationEntropies } from "../../../kernel/index.ts";
import type { Measure } from "../../../kernel/index.ts";
import { whiteNoise } from "../../support/kernel-series.ts";

const refused = expect.objectContaining({ code: "PE_PARAMETER" }) as Error;

describe("createSweep()", () => {
  it("createSweep() gives every measure in the sequence asked for, [measures, delays, orders]", () => {
    const series = whiteNoise(3000, 1);
    const [orders, delays] = [
      [5, 3],
      [2, 11, 1],
    ];
    const measures: Measure[] = ["missing", "pe", "weighted", "complexity"];
    const sweep = createSweep({ orders, delays, measures });
    const out = new Float64Array(sweep.values);
    expect(sweep.values).toBe(4 * 3 * 2);
    expect(sweep.run(series, out)).toEqual({ status: "ok", short: 0 });
    for (const [at, measure] of measures.entries())
      expect(out.subarray(at * 6, at * 6 + 6)).toEqual(permutationEntropies(series, { orders, delays, measure }));
  });

  it("createSweep() leaves NaN where a series has no window and counts the pairs", () => {
    const sweep = createSweep({ orders: [3, 5, 9], delays: [1, 10], measures: MEASURES });
    const out = new Float64Array(sweep.values);
    // Order 9 needs 9 and 81 samples, order 5 needs 5 and 41, order 3 needs 3 and 21.
    expect(sweep.run(whiteNoise(41, 2), out)).toEqual({ status: "ok", short: 1 });
    for (let measure = 0; measure < 4; measure++)
      expect([...out.subarray(6 * measure, 6 * measure + 6)].map(Number.isNaN)).toEqual([
        false,
        false,
        false,
        false,
        false,
        true,
      ]);
    expect(sweep.run(new Uint8Array(0), out)).toEqual({ status: "ok", short: 6 });
    expect(out.every(Number.isNaN)).toBe(true);
  });

  it("createSweep() fills NaN for a series that is not finite, says where, and goes on with the next", () => {
    const sweep = createSweep({ orders: [3], delays: [1, 2, 3, 4], measures: ["pe", "weighted"] });
    const [out, clean] = [new Float64Array(sweep.values), new Float64Array(sweep.values)];
    const series = whiteNoise(200, 3);
    sweep.run(series, clean);
    const spoilt = series.slice();
    spoilt[150] = -Infinity;
    spoilt[199] = Number.NaN;
    expect(sweep.run(spoilt, out)).toEqual({ status: "not-finite", index: 150 });
    expect(out.every(Number.isNaN)).toBe(true);
    sweep.run(series, out);
    expect(out).toEqual(clean);
  });

  it("createSweep() of many lengths and types gives what each gives alone, whatever came before", () => {
    const sweep = createSweep({ orders: [3, 4, 5, 6, 7], delays: [1, 5, 30] });
    const out = new Float64Array(sweep.values);
    for (const length of [30_000, 400, 181, 9000, 5000]) {
      const noise = whiteNoise(length, length);
      for (const series of [
        noise,
        Float32Array.from(noise),
        Int16Array.from(noise, (x) => x * 999),
        Int32Array.from(noise, (x) => x * 1e9),
      ]) {
        sweep.run(series, out);
        expect(out).toEqual(
          permutationEntropies(series, { orders: [3, 4, 5, 6, 7], delays: [1, 5, 30], path: "plain" }),
        );
      }
    }
  });

  it("createSweep() refuses unknown, repeated and missing measures, and an output too small", () => {
    const lists = { orders: [3], delays: [1] };
    expect(() => createSweep({ ...lists, measures: ["entropy" as Measure] })).toThrow(refused);
    expect(() => createSweep({ ...lists, measures: ["pe", "pe"] })).toThrow(refused);
    expect(() => createSweep({ ...lists, measures: [] })).toThrow(refused);
    expect(() => createSweep(lists).run(whiteNoise(9, 1), new Float64Array(0))).toThrow(refused);
  });
});
