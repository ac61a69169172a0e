/** Series for the benchmark of the kernel: noise, smooth and constant, in every element type. */
import { Random } from "../common/random.ts";
import type { Series } from "../kernel/index.ts";

export const KINDS = ["noise", "sine", "mackey-glass", "constant"] as const;
export const TYPES = ["u8", "i16", "f32", "f64"] as const;

/** `length` samples of a kind over [0, 1), as a type. */
export function madeSeries(kind: (typeof KINDS)[number], type: (typeof TYPES)[number], length: number): Series {
  const unit = unitSeries(kind, length);
  switch (type) {
    case "u8":
      return Uint8Array.from(unit, (value) => value * 256);
    case "i16":
      return Int16Array.from(unit, (value) => Math.floor(value * 65_536) - 32_768);
    case "f32":
      return Float32Array.from(unit);
    case "f64":
      return unit;
  }
}

/** Noise of an analogue-to-digital converter: 14 bits of a step. */
export function steppedSeries(length: number, step: number, offset: number): Float64Array {
  const random = new Random(2);
  return new Float64Array(length).map(() => random.integer(16_384) * step + offset);
}

function unitSeries(kind: (typeof KINDS)[number], length: number): Float64Array {
  const series = new Float64Array(length);
  const random = new Random(1);
  switch (kind) {
    case "noise":
      return series.map(() => random.uniform());
    case "sine":
      return series.map((_, index) => 0.5 + 0.499 * Math.sin(0.0459 * index + 0.3));
    case "mackey-glass":
      return mackeyGlass(series);
    case "constant":
      return series.fill(0.5);
  }
}

/** x' = 2 x(t - 17) / (1 + x(t - 17)^10) - x, by Euler's rule at a tenth of the sample's 0.5: smooth is what is asked of it. */
function mackeyGlass(series: Float64Array): Float64Array {
  const past = new Float64Array(340).fill(0.7);
  let x = 0.9;
  let slot = 0;
  for (let index = -2_000; index < series.length; index++) {
    for (let step = 0; step < 10; step++) {
      const delayed = past[slot]!;
      past[slot] = x;
      slot = (slot + 1) % past.length;
      const square = delayed * delayed;
      x += 0.05 * ((2 * delayed) / (1 + square * square * square * square * square) - x);
    }
    if (index >= 0) series[index] = Math.min(0.999, x / 1.6);
  }
  return series;
}
