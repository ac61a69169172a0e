import { describe, expect, it } from "vitest";
import { Random } from "../../../../common/random.ts";
import { feedbackIntensity } from "../../../../tasks/simulate/feedback.ts";

/** The parameters of docs/simulation.md, for the oracles below. */
const LASER = { alpha: 5, g: 1.5e-8, transparent: 1.5e8, saturation: 5e-7, tauP: 2, tauN: 2000, tau: 4500 };
const THRESHOLD = (LASER.transparent + 1 / (LASER.g * LASER.tauP)) / LASER.tauN;

describe("feedbackIntensity()", () => {
  it("feedbackIntensity() without feedback and noise settles on the algebraic steady state", () => {
    for (const current of [1.1, 1.35]) {
      const series = feedbackIntensity({ current, feedbackPerNs: 0 }, 16_000, undefined);
      expect(series.at(-1)).toBeCloseTo(solitaryIntensity(current), 10);
    }
  });

  it("feedbackIntensity() below threshold is dark", () => {
    const series = feedbackIntensity({ current: 0.95, feedbackPerNs: 0 }, 8000, undefined);
    expect(series.at(-1)).toBeLessThan(1e-12);
  });

  it("feedbackIntensity() rings at the relaxation oscillation of the solitary laser", () => {
    // Peak of the noise spectrum; theory sqrt(g (J - Jth)) / 2 pi.
    const expected = [
      { current: 1.1, measured: 1.92, theory: 1.87 },
      { current: 1.2, measured: 2.67, theory: 2.64 },
      { current: 1.3, measured: 3.11, theory: 3.23 },
    ];
    for (const { current, measured, theory } of expected) {
      expect((Math.sqrt(LASER.g * THRESHOLD * (current - 1)) / (2 * Math.PI)) * 1000).toBeCloseTo(theory, 2);
      const series = feedbackIntensity({ current, feedbackPerNs: 0 }, 416_000, new Random(5)).subarray(16_000);
      const peak = spectralPeak(series, 0.0125, 0.8 * theory, 1.2 * theory);
      expect(Math.abs(peak / theory - 1)).toBeLessThan(0.04);
      expect(Math.abs(peak / measured - 1)).toBeLessThan(0.06);
    }
  });

  it("feedbackIntensity() agrees with a plain integration of the equations in photons and carriers", () => {
    const point = { current: 1.15, feedbackPerNs: 12 };
    // Three round trips and a half: the delayed field and its half-way values matter in all but the first.
    const series = feedbackIntensity(point, 1260, undefined);
    const oracle = independent(point, 1260);
    for (let index = 0; index < 1260; index++) expect(series[index]!).toBeCloseTo(oracle[index]!, 7);
  });

  it("feedbackIntensity() knows nothing of the feedback before the light has gone round", () => {
    const without = feedbackIntensity({ current: 1.2, feedbackPerNs: 0 }, 400, undefined);
    const withIt = feedbackIntensity({ current: 1.2, feedbackPerNs: 30 }, 400, undefined);
    // 4500 ps are 360 intensities.
    expect(withIt.subarray(0, 360)).toEqual(without.subarray(0, 360));
    expect(withIt[365]).not.toBe(without[365]);
  });
});

/** Intensity in units of Jth tau_p at which G tau_p = 1 and J = N / tau_n + G |E|^2; both are linear in |E|^2. */
function solitaryIntensity(current: number): number {
  const { g, transparent, saturation, tauP, tauN } = LASER;
  // N = transparent + (1 + saturation I) / (g tauP); current J = N / tauN + I / tauP.
  const photons = (current * THRESHOLD - THRESHOLD) / (saturation / (g * tauP * tauN) + 1 / tauP);
  expect((transparent + (1 + saturation * photons) / (g * tauP)) / tauN + photons / tauP).toBeCloseTo(
    current * THRESHOLD,
    6,
  );
  return photons / (THRESHOLD * tauP);
}

/** Every fifth intensity, in the published units: |E|^2 photons, N carriers, all past fields kept. */
function independent({ current, feedbackPerNs }: { current: number; feedbackPerNs: number }, length: number): number[] {
  const { alpha, g, transparent, saturation, tauP, tauN, tau } = LASER;
  const [step, kappa, unit] = [2.5, feedbackPerNs / 1000, THRESHOLD * tauP];
  type State = readonly [number, number, number];
  type Field = readonly [number, number];
  const slope = ([re, im, n]: State, [pastRe, pastIm]: Field): State => {
    const power = re * re + im * im;
    const gain = (g * (n - transparent)) / (1 + saturation * power);
    const net = (gain - 1 / tauP) / 2;
    return [
      net * (re - alpha * im) + kappa * pastRe,
      net * (im + alpha * re) + kappa * pastIm,
      current * THRESHOLD - n / tauN - gain * power,
    ];
  };
  const moved = (from: State, along: State, by: number): State => [
    from[0] + by * along[0],
    from[1] + by * along[1],
    from[2] + by * along[2],
  ];
  let state: State = [3e-4 * Math.sqrt(unit), 0, THRESHOLD * tauN];
  const fields: Field[] = [];
  const fieldAt = (index: number): Field => fields[index] ?? [0, 0];
  const intensities: number[] = [];
  for (let index = 0; intensities.length < length; index++) {
    fields.push([state[0], state[1]]);
    if (index % 5 === 0) intensities.push((state[0] ** 2 + state[1] ** 2) / unit);
    const past = index - tau / step;
    const around = [-1, 0, 1, 2].map((offset) => fieldAt(past + offset));
    const weights = [-1 / 16, 9 / 16, 9 / 16, -1 / 16];
    const middle = [0, 1].map((part) => around.reduce((sum, field, which) => sum + weights[which]! * field[part]!, 0));
    const half: Field = [middle[0]!, middle[1]!];
    const k1 = slope(state, around[1]!);
    const k2 = slope(moved(state, k1, step / 2), half);
    const k3 = slope(moved(state, k2, step / 2), half);
    const k4 = slope(moved(state, k3, step), around[2]!);
    state = moved(moved(moved(moved(state, k1, step / 6), k2, step / 3), k3, step / 3), k4, step / 6);
  }
  return intensities;
}

/** Frequency (GHz) of the top of a parabola through the logarithm of the power spectrum, averaged over Hann windows. */
function spectralPeak(series: Float64Array, intervalNs: number, lowest: number, highest: number): number {
  const every = 4;
  const mean = series.reduce((sum, value) => sum + value) / series.length;
  const values = series.filter((_, index) => index % every === 0).map((value) => value - mean);
  const middle = (lowest + highest) / 2;
  const [s, t] = [
    [0, 0, 0, 0, 0],
    [0, 0, 0],
  ];
  for (let line = -8; line <= 8; line++) {
    const offset = (line * (highest - lowest)) / 16;
    const level = Math.log(powerAt(values, (middle + offset) * intervalNs * every));
    for (let power = 0; power < 5; power++) s[power]! += offset ** power;
    for (let power = 0; power < 3; power++) t[power]! += level * offset ** power;
  }
  // Least squares; odd sums vanish, since the lines lie evenly about the middle.
  const bend = (t[2]! * s[0]! - t[0]! * s[2]!) / (s[4]! * s[0]! - s[2]! ** 2);
  return middle - t[1]! / s[2]! / (2 * bend);
}

function powerAt(values: Float64Array, cyclesPerValue: number): number {
  const window = 200;
  const turned = Array.from({ length: window }, (_, index) => {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / window);
    const angle = 2 * Math.PI * cyclesPerValue * index;
    return [hann * Math.cos(angle), hann * Math.sin(angle)] as const;
  });
  let power = 0;
  for (let start = 0; start + window <= values.length; start += window) {
    let [re, im] = [0, 0];
    for (let index = 0; index < window; index++) {
      re += values[start + index]! * turned[index]![0];
      im += values[start + index]! * turned[index]![1];
    }
    power += re * re + im * im;
  }
  return power;
}
