/**
 * What a photodiode and an oscilloscope make of an intensity: noise, limited bandwidth, samples, steps.
 *
 * The bandwidth gives detector noise its entropy. White noise has 1, but noise through a filter well below half the
 * sampling rate is smooth from one sample to the next; that is the noise floor of a map.
 *
 * All functions work in place on series of shape `[n]`, and none uses more than + - * / and rounding.
 */
import type { Random } from "../../common/random.ts";

/** An analogue-to-digital converter: `2^bits` steps over `[low, high)`. */
export interface Converter {
  readonly bits: number;
  readonly low: number;
  readonly high: number;
}

/** A second-order low-pass filter of gain 1 at frequency 0: y = gain (x + 2 x1 + x2) - a1 y1 - a2 y2. */
export interface Section {
  readonly gain: number;
  readonly a1: number;
  readonly a2: number;
}

/** Fourth-order Butterworth at 3.7 GHz for values 12.5 ps apart, by the bilinear transform (a test recomputes it). */
export const BUTTERWORTH: readonly Section[] = [
  { gain: 0.016575721826304284, a1: -1.5150820988955152, a2: 0.5813849862007322 },
  { gain: 0.018892068929741993, a1: -1.7268047658189996, a2: 0.8023730415379674 },
];

/** Adds white noise with this standard deviation. */
export function addNoise(values: Float64Array, deviation: number, random: Random): void {
  for (let index = 0; index < values.length; index++) values[index]! += deviation * random.gaussian();
}

/** Runs one section from rest over the values. */
export function lowPass(values: Float64Array, { gain, a1, a2 }: Section): void {
  // Transposed direct form II: two sums carry what later values still need.
  let [next, afterNext] = [0, 0];
  for (let index = 0; index < values.length; index++) {
    const input = gain * values[index]!;
    const output = input + next;
    next = 2 * input - a1 * output + afterNext;
    afterNext = input - a2 * output;
    values[index] = output;
  }
}

/** Lets each value follow its input by this part of the distance: a one-pole low-pass filter, from the first value. */
export function follow(values: Float64Array, part: number): void {
  const kept = 1 - part;
  let output = values[0] ?? 0;
  for (let index = 0; index < values.length; index++) {
    output = kept * output + part * values[index]!;
    values[index] = output;
  }
}

/** Every `interval`-th value from index `first` on, as a new series. */
export function sample(values: Float64Array, first: number, interval: number): Float64Array {
  const samples = new Float64Array(Math.max(0, Math.ceil((values.length - first) / interval)));
  for (let index = 0; index < samples.length; index++) samples[index] = values[first + index * interval]!;
  return samples;
}

/** Each value to the nearest step of the converter; beyond its range, to its first or last. */
export function digitise(values: Float64Array, { bits, low, high }: Converter): void {
  const steps = 2 ** bits;
  const width = (high - low) / steps;
  for (let index = 0; index < values.length; index++) {
    const step = Math.floor((values[index]! - low) / width + 0.5);
    values[index] = low + width * Math.min(Math.max(step, 0), steps - 1);
  }
}
