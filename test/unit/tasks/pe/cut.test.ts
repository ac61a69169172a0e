import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutRows, rowsPerTask, seriesCostNs } from "../../../../tasks/pe/cut.ts";

describe("cutRows()", () => {
  test("gives every row to exactly one task, evenly, the last one open to what planning could not know", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 90 }), (rows, rowsMax) => {
        const cuts = cutRows(rows, rowsMax);
        expect(cuts[0]![0]).toBe(0);
        expect(cuts.at(-1)![1]).toBe(-1);
        for (const [index, [start, stop]] of cuts.entries()) {
          const end = stop === -1 ? rows : stop;
          expect(end - start).toBeGreaterThan(0);
          expect(end - start).toBeLessThanOrEqual(rowsMax);
          if (index > 0) expect(start).toBe(cuts[index - 1]![1]);
        }
      }),
    );
  });

  test("makes one task of a file without known rows", () => {
    expect(cutRows(0, 10)).toEqual([[0, -1]]);
  });
});

describe("rowsPerTask()", () => {
  const published = {
    orders: [3, 4, 5],
    delays: Array.from({ length: 20 }, (_, i) => i + 1),
    measures: ["pe" as const],
  };

  test("holds a published shard of 81 series of 20,000 samples in one task", () => {
    expect(rowsPerTask(20_000, published)).toBeGreaterThanOrEqual(81);
  });

  test("keeps tasks of long sweeps under a second of estimated work", () => {
    const sweep = {
      orders: [3, 4, 5, 6, 7, 8],
      delays: Array.from({ length: 500 }, (_, i) => i + 1),
      measures: ["pe" as const, "weighted" as const],
    };
    const rows = rowsPerTask(50_000, sweep);
    expect(rows).toBe(1);
    expect(rowsPerTask(1000, sweep) * seriesCostNs(1000, sweep)).toBeLessThan(1e9);
  });
});
