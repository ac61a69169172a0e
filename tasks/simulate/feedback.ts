/**
 * Semiconductor laser with optical feedback: Lang and Kobayashi, IEEE J. Quantum Electron. 16, 347 (1980).
 *
 *     E' = (1 + i alpha)/2 (G - 1/tau_p) E + kappa e^(-i phi) E(t - tau) + noise
 *     N' = J - N/tau_n - G |E|^2           G = g (N - N0) / (1 + eps |E|^2)
 *
 * Time is in ps. Inside, the unit of |E|^2 is 1/eps photons, where the gain is halved, and carriers are counted as
 * `gain` = g (N - N0) in 1/ps, so that G = gain / (1 + |E|^2). The feedback phase phi is 0.
 */
import type { Random } from "../../common/random.ts";

/** Parameters as commonly published for laser diodes. */
const ALPHA = 5;
const GAIN_COEFFICIENT = 1.5e-8; // g, 1/ps
const CARRIERS_TRANSPARENT = 1.5e8; // N0
const GAIN_SATURATION = 5e-7; // eps
const PHOTON_LIFETIME_PS = 2; // tau_p
const CARRIER_LIFETIME_PS = 2000; // tau_n
const ROUND_TRIP_PS = 4500; // tau

const STEP_PS = 2.5;
/** Steps from one intensity handed out to the next. */
const STEPS_PER_INTENSITY = 5;

const ROUND_TRIP_STEPS = ROUND_TRIP_PS / STEP_PS;
/** The ring of past fields: a power of two above the round trip. */
const RING = 2048;

const THIRD = 1 / 3;
const LOSS = 1 / PHOTON_LIFETIME_PS;
const LEAK = 1 / CARRIER_LIFETIME_PS;
/** g Jth, where the gain of the solitary laser just makes up for its loss; in 1/ps^2. */
const PUMP_AT_THRESHOLD = (LOSS + GAIN_COEFFICIENT * CARRIERS_TRANSPARENT) * LEAK;
/** Photons that the threshold current would be worth: Jth tau_p, the unit of the intensities handed out. */
const PHOTONS = (PUMP_AT_THRESHOLD / GAIN_COEFFICIENT) * PHOTON_LIFETIME_PS;
const DEPLETION = GAIN_COEFFICIENT / GAIN_SATURATION;

export interface FeedbackPoint {
  /** Injection current over that of the solitary threshold, J/Jth. */
  readonly current: number;
  /** Feedback rate kappa, in 1/ns. */
  readonly feedbackPerNs: number;
}

/** Standard deviation of what spontaneous emission adds to either part of the field in a step; intensities as handed out. */
const SPONTANEOUS_NOISE = 3e-4;

/**
 * Intensity of the laser, every 12.5 ps from the moment it is switched on.
 *
 * Fourth-order Runge-Kutta with a step of 2.5 ps; the field of a round trip ago comes from a ring, half-way
 * between two steps by cubic interpolation. Slopes are counted in half steps, and their sums ordered so
 * that little waits for the division: it is the chain of dependent operations that costs time here.
 *
 * @param point Where in the map.
 * @param length Intensities to return.
 * @param random Source of spontaneous emission; undefined for a laser without noise, which starts with a weak field.
 * @returns Intensities in units of Jth tau_p photons: about J/Jth - 1 without feedback; shape `[length]`.
 */
export function feedbackIntensity(point: FeedbackPoint, length: number, random: Random | undefined): Float64Array {
  const half = STEP_PS / 2;
  const kappa = half * (point.feedbackPerNs / 1000);
  const unit = GAIN_SATURATION * PHOTONS;
  const noise = SPONTANEOUS_NOISE * Math.sqrt(unit);
  const pump = half * (PUMP_AT_THRESHOLD * point.current - GAIN_COEFFICIENT * CARRIERS_TRANSPARENT * LEAK);
  const leak = half * (LEAK + DEPLETION);
  const depletion = half * DEPLETION;
  const quarter = half / 2;
  const pastRe = new Float64Array(RING);
  const pastIm = new Float64Array(RING);
  const intensities = new Float64Array(length);
  let re = noise;
  let im = 0;
  let gain = Math.min(pump / (half * LEAK), LOSS);

  for (let step = 0; step < length * STEPS_PER_INTENSITY; step++) {
    pastRe[step & (RING - 1)] = re;
    pastIm[step & (RING - 1)] = im;
    if (step % STEPS_PER_INTENSITY === 0) intensities[step / STEPS_PER_INTENSITY] = (re * re + im * im) / unit;

    // What returns at the start, in the middle and at the end of this step.
    const past = step - ROUND_TRIP_STEPS;
    const startRe = kappa * pastRe[past & (RING - 1)]!;
    const startIm = kappa * pastIm[past & (RING - 1)]!;
    const endRe = kappa * pastRe[(past + 1) & (RING - 1)]!;
    const endIm = kappa * pastIm[(past + 1) & (RING - 1)]!;
    const outerRe = kappa * (pastRe[(past - 1) & (RING - 1)]! + pastRe[(past + 2) & (RING - 1)]!);
    const outerIm = kappa * (pastIm[(past - 1) & (RING - 1)]! + pastIm[(past + 2) & (RING - 1)]!);
    const middleRe = 0.0625 * (9 * (startRe + endRe) - outerRe);
    const middleIm = 0.0625 * (9 * (startIm + endIm) - outerIm);

    // Four slopes; `x`, `y` are the field turned by 1 + i alpha. Of modal gain times intensity, gain - gain / (1 + |E|^2) is left.
    const saturation1 = 1 / (1 + re * re + im * im);
    const x1 = quarter * (re - ALPHA * im);
    const y1 = quarter * (im + ALPHA * re);
    const re1 = startRe - LOSS * x1 + gain * x1 * saturation1;
    const im1 = startIm - LOSS * y1 + gain * y1 * saturation1;
    const gain1 = pump - leak * gain + depletion * gain * saturation1;

    const reA = re + re1;
    const imA = im + im1;
    const gainA = gain + gain1;
    const saturation2 = 1 / (1 + reA * reA + imA * imA);
    const x2 = quarter * (reA - ALPHA * imA);
    const y2 = quarter * (imA + ALPHA * reA);
    const re2 = middleRe - LOSS * x2 + gainA * x2 * saturation2;
    const im2 = middleIm - LOSS * y2 + gainA * y2 * saturation2;
    const gain2 = pump - leak * gainA + depletion * gainA * saturation2;

    const reB = re + re2;
    const imB = im + im2;
    const gainB = gain + gain2;
    const saturation3 = 1 / (1 + reB * reB + imB * imB);
    const x3 = quarter * (reB - ALPHA * imB);
    const y3 = quarter * (imB + ALPHA * reB);
    const re3 = middleRe - LOSS * x3 + gainB * x3 * saturation3;
    const im3 = middleIm - LOSS * y3 + gainB * y3 * saturation3;
    const gain3 = pump - leak * gainB + depletion * gainB * saturation3;

    const reC = re + 2 * re3;
    const imC = im + 2 * im3;
    const gainC = gain + 2 * gain3;
    const saturation4 = 1 / (1 + reC * reC + imC * imC);
    const x4 = quarter * (reC - ALPHA * imC);
    const y4 = quarter * (imC + ALPHA * reC);
    const re4 = endRe - LOSS * x4 + gainC * x4 * saturation4;
    const im4 = endIm - LOSS * y4 + gainC * y4 * saturation4;
    const gain4 = pump - leak * gainC + depletion * gainC * saturation4;

    re += (re1 + 2 * (re2 + re3) + re4) * THIRD;
    im += (im1 + 2 * (im2 + im3) + im4) * THIRD;
    gain += (gain1 + 2 * (gain2 + gain3) + gain4) * THIRD;
    if (random !== undefined) {
      re += noise * random.gaussian();
      im += noise * random.gaussian();
    }
  }
  return intensities;
}
