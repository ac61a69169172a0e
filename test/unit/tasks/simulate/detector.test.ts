import { describe, expect, it } from "vitest";
import { Random } from "../../../../common/random.ts";
import { permutationEntropy } from "../../../../kernel/index.ts";
import { addNoise, BUTTERWORTH, digitise, follow, lowPass, sample } from "../../../../tasks/simulate/detector.ts";

const NYQUIST_GHZ = 40; // Of values 12.5 ps apart.

describe("BUTTERWORTH", () => {
  it("BUTTERWORTH is the bilinear transform of the fourth-order Butterworth filter at 3.7 GHz", () => {
    const warped = Math.tan((Math.PI / 2) * (3.7 / NYQUIST_GHZ));
    for (const [index, { gain, a1, a2 }] of BUTTERWORTH.entries()) {
      // Poles of the analogue filter lie on a circle, pi / 8 and 3 pi / 8 from the negative axis.
      const damping = 2 * Math.cos((Math.PI / 8) * (2 * index + 1));
      const norm = 1 + damping * warped + warped ** 2;
      expect(a1).toBeCloseTo((2 * (warped ** 2 - 1)) / norm, 13);
      expect(a2).toBeCloseTo((1 - damping * warped + warped ** 2) / norm, 13);
      expect(gain).toBeCloseTo(warped ** 2 / norm, 13);
    }
  });

  it("lowPass() with BUTTERWORTH passes a constant, halves the power at 3.7 GHz and stops 11.1 GHz", () => {
    expect(amplitudeAfterFilter(0)).toBeCloseTo(1, 9);
    expect(amplitudeAfterFilter(3.7)).toBeCloseTo(Math.SQRT1_2, 3);
    // 1 / sqrt(1 + w^8), w = 3.0 warped to 3.19.
    expect(amplitudeAfterFilter(11.1)).toBeCloseTo(0.0096, 3);
  });

  it("detector noise through BUTTERWORTH has the published noise floor at order 5, delay 1", () => {
    const values = new Float64Array(4 * 200_000);
    addNoise(values, 0.02, new Random(11));
    for (const section of BUTTERWORTH) lowPass(values, section);
    const samples = sample(values, 400, 4);
    digitise(samples, { bits: 14, low: -0.5, high: 3.5 });
    expect(permutationEntropy(samples, 5, 1)).toBeCloseTo(0.761, 2.5);
  });
});

describe("follow()", () => {
  it("follow() starts at the first value and then covers its part of each distance", () => {
    const values = Float64Array.of(1, 1, 3, 3);
    follow(values, 0.25);
    expect([...values]).toEqual([1, 1, 1.5, 1.875]);
    follow(new Float64Array(0), 0.25);
  });
});

describe("sample()", () => {
  it("sample() takes every interval-th value from the first", () => {
    const values = Float64Array.from({ length: 10 }, (_, index) => index);
    expect([...sample(values, 1, 4)]).toEqual([1, 5, 9]);
    expect([...sample(values, 2, 4)]).toEqual([2, 6]);
    expect([...sample(values, 10, 4)]).toEqual([]);
  });
});

describe("addNoise()", () => {
  it("addNoise() adds noise of the deviation asked for and leaves the mean", () => {
    const values = new Float64Array(100_000).fill(5);
    addNoise(values, 0.1, new Random(2));
    const mean = values.reduce((sum, value) => sum + value) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(5, 2);
    expect(Math.sqrt(variance)).toBeCloseTo(0.1, 2.5);
  });
});

describe("digitise()", () => {
  it("digitise() rounds to the nearest step and saturates at both ends", () => {
    const values = Float64Array.of(-9, -1, -0.8, -0.74, 0, 0.99, 9);
    digitise(values, { bits: 2, low: -1, high: 1 });
    expect([...values]).toEqual([-1, -1, -1, -0.5, 0, 0.5, 0.5]);
  });

  it("digitise() leaves only multiples of the step, so that equal readings are equal numbers", () => {
    const values = Float64Array.from({ length: 1000 }, (_, index) => Math.sin(index) * 7 + 6);
    digitise(values, { bits: 8, low: -1, high: 13.6 });
    const width = 14.6 / 256;
    expect(new Set(values).size).toBeLessThanOrEqual(256);
    for (const value of values)
      expect(Math.abs((value + 1) / width - Math.round((value + 1) / width))).toBeLessThan(1e-9);
  });
});

function amplitudeAfterFilter(frequencyGHz: number): number {
  const values = Float64Array.from({ length: 4000 }, (_, index) =>
    Math.cos(Math.PI * (frequencyGHz / NYQUIST_GHZ) * index),
  );
  for (const section of BUTTERWORTH) lowPass(values, section);
  return values.subarray(2000).reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
