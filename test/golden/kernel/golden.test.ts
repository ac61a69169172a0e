/** Goal: the golden entropies that travel with the repository, computed by two independent programs. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createSweep, permutationEntropy } from "../../../kernel/index.ts";
import { everyType, goldenSeries } from "../../support/kernel-series.ts";

interface Golden {
  readonly series: string;
  readonly order: number;
  readonly delay: number;
  readonly windows: number;
  readonly pe: number | null;
}

const file = fileURLToPath(new URL("../../fixtures/golden/pe_golden.json", import.meta.url));
const golden = JSON.parse(readFileSync(file, "utf8")) as Golden[];
const names = [...new Set(golden.map(({ series }) => series))];

describe.each(names)("golden series %s", (name) => {
  const cases = golden.filter(({ series }) => series === name);

  it.each(["wasm", "plain"] as const)("permutationEntropy() gives every golden value, path %s", (path) => {
    for (const { order, delay, pe } of cases) {
      for (const series of everyType(goldenSeries(name))) {
        if (pe === null) expect(() => permutationEntropy(series, order, delay, { path })).toThrow("needs");
        else expect(Math.abs(permutationEntropy(series, order, delay, { path }) - pe)).toBeLessThan(1e-13);
      }
    }
  });

  it("createSweep() over all orders and delays gives the same, NaN where there is no window", () => {
    const [orders, delays] = [
      [...new Set(cases.map(({ order }) => order))],
      [...new Set(cases.map(({ delay }) => delay))],
    ];
    const sweep = createSweep({ orders, delays });
    const out = new Float64Array(sweep.values);
    const outcome = sweep.run(goldenSeries(name), out);
    expect(outcome).toEqual({ status: "ok", short: cases.filter(({ pe }) => pe === null).length });
    for (const { order, delay, pe } of cases) {
      const value = out[delays.indexOf(delay) * orders.length + orders.indexOf(order)]!;
      if (pe === null) expect(value).toBeNaN();
      else expect(Math.abs(value - pe)).toBeLessThan(1e-13);
    }
  });
});
