/**
 * What the maps of simulated series must show. The numbers are those of docs/simulation.md. The series are the same
 * for ever, so nothing here is left to chance.
 */
import { describe, expect, it } from "vitest";
import { permutationEntropies, permutationEntropy } from "../../../../kernel/index.ts";
import { simulateSeries, type ModelName } from "../../../../tasks/simulate/models.ts";

const SAMPLES = 6000;

describe("simulateSeries() with feedback", () => {
  const series = simulated("feedback", 1.06, 35, SAMPLES);

  it("the delay scan dips at the round trip of 90 samples, its half and its third", () => {
    const delays = Array.from({ length: 200 }, (_, index) => index + 1);
    const scan = permutationEntropies(series, { orders: [5], delays });
    // The laser answers what returns after some 30 ps, so the entropy is lowest at 90.6: seen at 90 or 91, 45, 30.
    expect([90, 91]).toContain(lowest(scan, 80, 100).delay);
    expect(lowest(scan, 40, 50).delay).toBe(45);
    expect(lowest(scan, 26, 34).delay).toBe(30);
    expect(lowest(scan, 56, 64).delay).toBe(60);
    expect(Math.abs(lowest(scan, 170, 190).delay - 181)).toBeLessThanOrEqual(1);
    expect(lowest(scan, 80, 100).depth).toBeGreaterThan(0.14);
    expect(lowest(scan, 40, 50).depth).toBeGreaterThan(0.11);
    expect(lowest(scan, 26, 34).depth).toBeGreaterThan(0.07);
    expect(lowest(scan, 170, 190).depth).toBeGreaterThan(0.06);
  });

  it("the delay scan of a laser without feedback does not dip", () => {
    const free = simulated("feedback", 1.06, 0, SAMPLES);
    const scan = permutationEntropies(free, {
      orders: [5],
      delays: Array.from({ length: 200 }, (_, index) => index + 1),
    });
    for (const [first, last] of [
      [80, 100],
      [170, 190],
    ] as const)
      expect(lowest(scan, first, last).depth).toBeLessThan(0.02);
  });

  it("below threshold there is detector noise: 0.761 at order 5, delay 1, and nearly 1 at delay 90", () => {
    const dark = simulated("feedback", 0.92, 10, 20_000);
    expect(permutationEntropy(dark, 5, 1)).toBeCloseTo(0.761, 2);
    expect(permutationEntropy(dark, 5, 90)).toBeGreaterThan(0.995);
  });

  it("at delay 1 a low lobe lies at weak feedback, and strong feedback comes near the noise", () => {
    const weak = permutationEntropy(simulated("feedback", 1.2, 2, SAMPLES), 5, 1);
    const strong = permutationEntropy(simulated("feedback", 1.3, 35, SAMPLES), 5, 1);
    expect(weak).toBeLessThan(0.63);
    expect(strong).toBeGreaterThan(0.73);
  });

  it("at delay 90 the entropy is lowest at low current and strong feedback", () => {
    const corner = permutationEntropy(series, 5, 90);
    expect(corner).toBeLessThan(0.86);
    expect(permutationEntropy(simulated("feedback", 1.3, 35, SAMPLES), 5, 90)).toBeGreaterThan(corner + 0.05);
    expect(permutationEntropy(simulated("feedback", 1.06, 6, SAMPLES), 5, 90)).toBeGreaterThan(corner + 0.1);
  });

  it("the transient is over: the first samples kept are like those of 400 ns later", () => {
    for (const [current, feedback] of [
      [1.06, 35],
      [1.35, 35],
      [1.1, 5],
      [1.0, 30],
    ] as const) {
      let drift = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const long = simulated("feedback", current, feedback, 10_000, seed);
        const early = permutationEntropy(long.subarray(0, 2000), 4, 1);
        drift += (early - permutationEntropy(long.subarray(8000), 4, 1)) / 6;
      }
      expect(Math.abs(drift)).toBeLessThan(0.02);
    }
  });

  it("no sample of a strong pulse leaves the range of the converter", () => {
    for (const feedback of [2, 12, 35]) {
      const strong = simulated("feedback", 1.35, feedback, SAMPLES);
      expect(Math.max(...strong)).toBeLessThan(3.5 - 2 ** -12);
      expect(Math.min(...strong)).toBeGreaterThan(-0.5);
    }
  });
});

describe("simulateSeries() with injection", () => {
  it("a locked laser shows detector noise and so has a high entropy", () => {
    const locked = simulated("injection", 0.6, -0.8, SAMPLES);
    const mean = locked.reduce((sum, value) => sum + value) / SAMPLES;
    expect(mean).toBeCloseTo(1.0756, 1.5);
    expect(permutationEntropy(locked, 5, 2)).toBeGreaterThan(0.88);
  });

  it("beyond the Hopf edge, beyond the saddle-node edge and in a chaos island the entropy is low", () => {
    for (const [strength, detuning] of [
      [0.6, 0.3], // period 1
      [0.6, -2.3], // beyond omega = -2.2 K
      [0.35, 1.3], // chaos
    ] as const)
      expect(permutationEntropy(simulated("injection", strength, detuning, SAMPLES), 5, 2)).toBeLessThan(0.75);
  });

  it("no sample leaves the range of the converter", () => {
    for (const [strength, detuning] of [
      [1.2, 4],
      [1.2, 0],
      [1.2, -2.4],
      [0.6, 1.3],
    ] as const) {
      const series = simulated("injection", strength, detuning, SAMPLES);
      expect(Math.max(...series)).toBeLessThan(13.5);
      expect(Math.min(...series)).toBeGreaterThan(-1);
    }
  });
});

function simulated(model: ModelName, xVariable: number, yVariable: number, samples: number, seed = 1): Float64Array {
  return simulateSeries(model, { x: 8, y: 23, xVariable, yVariable }, samples, seed);
}

/** The lowest entropy of a stretch of delays, and how far it lies below the stretch's ends. */
function lowest(scan: Float64Array, first: number, last: number): { delay: number; depth: number } {
  const stretch = scan.subarray(first - 1, last);
  const least = Math.min(...stretch);
  return { delay: first + stretch.indexOf(least), depth: (stretch[0]! + stretch.at(-1)!) / 2 - least };
}
