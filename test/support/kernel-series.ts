/** Series for the tests of the kernel: published recipes and the element types that hold them exactly. */
import { Random } from "../../common/random.ts";
import type { Series } from "../../kernel/index.ts";

/** Every constructor of a series. */
export const SERIES_CONSTRUCTORS = [
  Float64Array,
  Float32Array,
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
] as const;

/** `values` in every element type that holds all of them exactly. */
export function everyType(values: ArrayLike<number>): Series[] {
  return SERIES_CONSTRUCTORS.map((constructor) => constructor.from(values)).filter((series) =>
    series.every((sample, index) => Object.is(sample + 0, values[index]! + 0)),
  );
}

/** The series of `pe_golden.json` by name. */
export function goldenSeries(name: string): Float64Array {
  const steps = (length: number, next: (previous: number) => number, start: number): Float64Array => {
    let state = start;
    return new Float64Array(length).map(() => (state = next(state)));
  };
  // 1664525 * state exceeds 2^53, so the product is taken modulo 2^32 by Math.imul.
  const lcg = steps(1000, (state) => (Math.imul(1664525, state) + 1013904223) >>> 0, 1).map((state) => state / 2 ** 32);
  switch (name) {
    case "lcg1":
      return lcg;
    case "lcg1_q8":
      return lcg.map((value) => Math.floor(8 * value));
    case "lcg1_q256":
      return lcg.map((value) => Math.floor(256 * value));
    case "logistic":
      return steps(1000, (x) => 4 * x * (1 - x), 0.4);
    case "ramp":
      return new Float64Array(1000).map((_, index) => index);
    case "down":
      return new Float64Array(1000).map((_, index) => 1000 - index);
    case "const":
      return new Float64Array(1000).fill(3.5);
    case "alt":
      return new Float64Array(1000).map((_, index) => index % 2);
    case "short7":
      return Float64Array.of(4, 7, 9, 10, 6, 11, 3);
    default:
      throw new Error(`no recipe for golden series ${name}`);
  }
}

export function whiteNoise(length: number, seed: number): Float64Array {
  const random = new Random(seed);
  return new Float64Array(length).map(() => random.uniform());
}

/** A sine of unit amplitude; `cyclesPerSample` irrational in effect. */
export function sine(length: number, cyclesPerSample: number): Float64Array {
  return new Float64Array(length).map((_, index) => Math.sin(2 * Math.PI * cyclesPerSample * index));
}

/** x -> 4 x (1 - x) after a transient. */
export function logisticMap(length: number, start: number): Float64Array {
  let x = start;
  for (let step = 0; step < 1000; step++) x = 4 * x * (1 - x);
  return new Float64Array(length).map(() => (x = 4 * x * (1 - x)));
}

/** Sum of independent Gaussian steps (twelve uniforms each: bounded, symmetric, and every order of signs as likely). */
export function brownianMotion(length: number, seed: number): Float64Array {
  const random = new Random(seed);
  let position = 0;
  return new Float64Array(length).map(() => {
    let step = -6;
    for (let part = 0; part < 12; part++) step += random.uniform();
    return (position += step);
  });
}

/**
 * Mackey-Glass, dx/dt = 2 x(t - D) / (1 + x(t - D)^10) - x, by Heun's rule with D = `delay` samples of `step`. Chaotic, so
 * only + - * /: a last bit of `Math.sin` or `**` would give another trajectory on another engine.
 */
export function mackeyGlass(length: number, delay: number, step: number): Float64Array {
  const rate = (x: number, past: number): number => {
    const fourth = past * past * (past * past);
    return (2 * past) / (1 + fourth * fourth * (past * past)) - x;
  };
  const past = new Float64Array(delay).map((_, index) => 0.5 + ((37 * index) % 101) / 250);
  const series = new Float64Array(length);
  let x = past[delay - 1]!;
  const transient = 40 * delay;
  for (let index = 0; index < transient + length; index++) {
    const slot = index % delay;
    const next = (index + 1) % delay;
    const slope = rate(x, past[slot]!);
    const end = rate(x + step * slope, past[next]!);
    const stepped = x + (step / 2) * (slope + end);
    past[slot] = x;
    x = stepped;
    if (index >= transient) series[index - transient] = x;
  }
  return series;
}
