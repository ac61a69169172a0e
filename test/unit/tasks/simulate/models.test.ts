import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { simulateSeries } from "../../../../tasks/simulate/models.ts";
import { SIMULATE_VERSION } from "../../../../tasks/simulate/version.ts";

const FEEDBACK = { x: 3, y: 5, xVariable: 1.1, yVariable: 20 };
const INJECTION = { x: 3, y: 5, xVariable: 0.4, yVariable: 1.3 };

describe("simulateSeries()", () => {
  it("simulateSeries() gives the same values on every machine and version of Node, until SIMULATE_VERSION changes", () => {
    const feedback = simulateSeries("feedback", FEEDBACK, 1000, 1);
    const injection = simulateSeries("injection", INJECTION, 1000, 1);
    expect({
      version: SIMULATE_VERSION,
      feedback: frozen(feedback),
      injection: frozen(injection),
    }).toEqual({
      feedback: {
        first: [0.111083984375, 0.135498046875, 0.115966796875, 0.055419921875],
        sha256: "b67b57fd7ab64d1a5ae5d1f525ee7b7f549e13edfd11bc0f83413d441845d3f9",
      },
      injection: {
        first: [1.509375, 0.99609375, 0.6539062499999999, 0.31171875000000004],
        sha256: "7317f5ba5c3b4376c2b11647b8b8c80534f1ce25e017c781668ff7c1742ac444",
      },
      version: "1",
    });
  });

  it("simulateSeries() gives other values for another seed, x or y, and the same for the same", () => {
    const base = frozen(simulateSeries("injection", INJECTION, 100, 1)).sha256;
    expect(frozen(simulateSeries("injection", { ...INJECTION }, 100, 1)).sha256).toBe(base);
    expect(frozen(simulateSeries("injection", INJECTION, 100, 2)).sha256).not.toBe(base);
    expect(frozen(simulateSeries("injection", { ...INJECTION, x: 4 }, 100, 1)).sha256).not.toBe(base);
    expect(frozen(simulateSeries("injection", { ...INJECTION, y: 4 }, 100, 1)).sha256).not.toBe(base);
  });

  it("simulateSeries() gives a longer series the same beginning", () => {
    const long = simulateSeries("feedback", FEEDBACK, 300, 1);
    expect(simulateSeries("feedback", FEEDBACK, 100, 1)).toEqual(long.slice(0, 100));
  });

  it("simulateSeries() refuses variables at which the integration diverges", () => {
    for (const [model, far] of [
      ["feedback", { ...FEEDBACK, yVariable: 1e6 }],
      ["feedback", { ...FEEDBACK, xVariable: 1e9 }],
      ["injection", { ...INJECTION, xVariable: 1e6 }],
      ["injection", { ...INJECTION, yVariable: -1e4 }],
    ] as const)
      expect(() => simulateSeries(model, far, 10, 1)).toThrow(/cell 3,5: the integration diverges at .*narrower sweep/);
  });

  it("simulateSeries() gives readings on the steps of the converter: 14 bits with feedback, 8 with injection", () => {
    for (const value of simulateSeries("feedback", FEEDBACK, 500, 1))
      expect(Number.isInteger((value + 0.5) * 4096)).toBe(true);
    const levels = new Set(simulateSeries("injection", INJECTION, 2000, 1));
    expect(levels.size).toBeGreaterThan(20);
    expect(levels.size).toBeLessThanOrEqual(256);
  });
});

function frozen(series: Float64Array): { first: number[]; sha256: string } {
  const bytes = new DataView(new ArrayBuffer(series.byteLength));
  for (const [index, value] of series.entries()) bytes.setFloat64(8 * index, value, true);
  return { first: [...series.subarray(0, 4)], sha256: createHash("sha256").update(bytes).digest("hex") };
}
