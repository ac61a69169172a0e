import { describe, expect, it } from "vitest";
import { Random } from "../../../../common/random.ts";
import { injectionIntensity } from "../../../../tasks/simulate/injection.ts";

describe("injectionIntensity()", () => {
  it("injectionIntensity() without noise settles on the locked intensity of the algebraic steady state", () => {
    const series = injectionIntensity({ strength: 0.6, detuning: -0.8 }, 20_000, undefined);
    const settled = series.at(-1)!;
    expect(settled).toBeCloseTo(1.075639070101, 11);
    const states = lockedIntensities(0.6, -0.8);
    expect(Math.min(...states.map((state) => Math.abs(state - settled)))).toBeLessThan(1e-11);
  });

  it("injectionIntensity() of the free laser stays at 1", () => {
    const series = injectionIntensity({ strength: 0, detuning: 1.3 }, 10_000, undefined);
    expect(series[0]).toBe(1);
    expect(series.at(-1)).toBeCloseTo(1, 6);
  });

  it("injectionIntensity() rings at the relaxation oscillation when the injection is switched on", () => {
    // Two periods, each near 2 pi in the units of the model.
    const series = injectionIntensity({ strength: 1e-4, detuning: 0 }, 2000, undefined);
    const peaks = [...series.keys()].filter(
      (index) => index > 0 && series[index]! > series[index - 1]! && series[index]! >= (series[index + 1] ?? Infinity),
    );
    expect((peaks[2]! - peaks[0]!) * 0.04 * 0.5).toBeCloseTo(2 * Math.PI, 1);
  });

  it("injectionIntensity() has an error of the fourth order of its step", () => {
    // The step is fixed, so the oracle halves it: error of the step 0.04 over some 8 units of time.
    const point = { strength: 0.5, detuning: 1.5 };
    const series = injectionIntensity(point, 201, undefined);
    const coarse = independent(point, 200, 0.04);
    expect(series[200]!).toBeCloseTo(coarse, 11);
    const errors = [0.08, 0.04, 0.02].map((step) =>
      Math.abs(independent(point, 8 / step, step) - independent(point, 3200, 0.0025)),
    );
    expect(errors[0]! / errors[1]!).toBeGreaterThan(11);
    expect(errors[1]! / errors[2]!).toBeGreaterThan(11);
    expect(errors[1]!).toBeLessThan(1e-5);
  });

  it("injectionIntensity() with noise leaves the noise-free orbit a little, and is the same for the same chance", () => {
    const point = { strength: 0.6, detuning: -0.8 };
    const one = injectionIntensity(point, 2000, new Random(1));
    expect(injectionIntensity(point, 2000, new Random(1))).toEqual(one);
    const quiet = injectionIntensity(point, 2000, undefined);
    const largest = one.reduce((most, value, index) => Math.max(most, Math.abs(value - quiet[index]!)), 0);
    expect(largest).toBeGreaterThan(0.005);
    expect(largest).toBeLessThan(0.2);
  });
});

/**
 * Intensities I = |E|^2 at which all derivatives vanish: n = (1 - I) / (2 Gamma + 2 B (I - 1)) and
 * K^2 = I ((n / 2)^2 + (alpha n / 2 - omega)^2), by bisection between neighbouring signs.
 */
function lockedIntensities(strength: number, detuning: number): number[] {
  const [alpha, b, gamma] = [2, 0.015, 0.035];
  const rest = (intensity: number): number => {
    const n = (1 - intensity) / (2 * gamma + 2 * b * (intensity - 1));
    return intensity * ((n / 2) ** 2 + ((alpha * n) / 2 - detuning) ** 2) - strength ** 2;
  };
  const found: number[] = [];
  for (let intensity = 0.01; intensity < 4; intensity += 0.001) {
    let [low, high] = [intensity, intensity + 0.001];
    if (rest(low) * rest(high) > 0) continue;
    for (let halving = 0; halving < 60; halving++) {
      const middle = (low + high) / 2;
      if (rest(low) * rest(middle) <= 0) high = middle;
      else low = middle;
    }
    found.push(low);
  }
  return found;
}

/** Intensity after `steps` steps, written from the equations with complex numbers as pairs. */
function independent(
  { strength, detuning }: { strength: number; detuning: number },
  steps: number,
  step: number,
): number {
  type State = readonly [number, number, number];
  const slope = ([re, im, n]: State): State => {
    const factor = [0.5 * n, 0.5 * 2 * n - detuning] as const;
    return [
      strength + factor[0] * re - factor[1] * im,
      factor[0] * im + factor[1] * re,
      -2 * 0.035 * n - (1 + 2 * 0.015 * n) * (re * re + im * im - 1),
    ];
  };
  const moved = (state: State, along: State, by: number): State => [
    state[0] + by * along[0],
    state[1] + by * along[1],
    state[2] + by * along[2],
  ];
  let state: State = [1, 0, 0];
  for (let index = 0; index < steps; index++) {
    const k1 = slope(state);
    const k2 = slope(moved(state, k1, step / 2));
    const k3 = slope(moved(state, k2, step / 2));
    const k4 = slope(moved(state, k3, step));
    state = moved(moved(moved(moved(state, k1, step / 6), k2, step / 3), k3, step / 3), k4, step / 6);
  }
  return state[0] ** 2 + state[1] ** 2;
}
