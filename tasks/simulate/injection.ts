/**
 * Semiconductor laser with optical injection: Wieczorek, Krauskopf, Simpson and Lenstra, Phys. Rep. 416, 1 (2005).
 *
 *     E' = K + ((1 + i alpha)/2 n - i omega) E + noise
 *     n' = -2 Gamma n - (1 + 2 B n) (|E|^2 - 1)
 *
 * All is normalised: time to the relaxation oscillation of the free laser, whose period is about 2 pi, the intensity
 * |E|^2 to that of the free laser, which is 1. E is seen from the frequency of the injected light.
 */
import type { Random } from "../../common/random.ts";

const ALPHA = 2;
const B = 0.015;
const GAMMA = 0.035;

const STEP = 0.04;
const THIRD = 1 / 3;
/** Standard deviation of what spontaneous emission adds to either part of the field in a step. */
const SPONTANEOUS_NOISE = 0.002;

export interface InjectionPoint {
  /** Injection strength K. */
  readonly strength: number;
  /** Detuning omega of the injected light from the free laser. */
  readonly detuning: number;
}

/**
 * Intensity of the laser, every 0.04 units of time from the moment the injection is switched on: fourth-order
 * Runge-Kutta, one step an intensity.
 *
 * @param point Where in the map.
 * @param length Intensities to return.
 * @param random Source of spontaneous emission; undefined for a laser without noise.
 * @returns Intensities in units of the free laser's; shape `[length]`.
 */
export function injectionIntensity(point: InjectionPoint, length: number, random: Random | undefined): Float64Array {
  const half = STEP / 2;
  const push = half * point.strength;
  const turn = half * point.detuning;
  const decay = half * 2 * GAMMA;
  const bend = half * 2 * B;
  const quarter = half / 2;
  const intensities = new Float64Array(length);
  let re = 1;
  let im = 0;
  let n = 0;

  for (let step = 0; step < length; step++) {
    const power1 = re * re + im * im;
    intensities[step] = power1;
    // Four slopes, each counted for half a step; `x`, `y` are the field turned by 1 + i alpha, for n to multiply.
    const x1 = quarter * (re - ALPHA * im);
    const y1 = quarter * (im + ALPHA * re);
    const re1 = push + turn * im + n * x1;
    const im1 = n * y1 - turn * re;
    const n1 = -decay * n - (half + bend * n) * (power1 - 1);

    const reA = re + re1;
    const imA = im + im1;
    const nA = n + n1;
    const power2 = reA * reA + imA * imA;
    const x2 = quarter * (reA - ALPHA * imA);
    const y2 = quarter * (imA + ALPHA * reA);
    const re2 = push + turn * imA + nA * x2;
    const im2 = nA * y2 - turn * reA;
    const n2 = -decay * nA - (half + bend * nA) * (power2 - 1);

    const reB = re + re2;
    const imB = im + im2;
    const nB = n + n2;
    const power3 = reB * reB + imB * imB;
    const x3 = quarter * (reB - ALPHA * imB);
    const y3 = quarter * (imB + ALPHA * reB);
    const re3 = push + turn * imB + nB * x3;
    const im3 = nB * y3 - turn * reB;
    const n3 = -decay * nB - (half + bend * nB) * (power3 - 1);

    const reC = re + 2 * re3;
    const imC = im + 2 * im3;
    const nC = n + 2 * n3;
    const power4 = reC * reC + imC * imC;
    const x4 = quarter * (reC - ALPHA * imC);
    const y4 = quarter * (imC + ALPHA * reC);
    const re4 = push + turn * imC + nC * x4;
    const im4 = nC * y4 - turn * reC;
    const n4 = -decay * nC - (half + bend * nC) * (power4 - 1);

    re += (re1 + 2 * (re2 + re3) + re4) * THIRD;
    im += (im1 + 2 * (im2 + im3) + im4) * THIRD;
    n += (n1 + 2 * (n2 + n3) + n4) * THIRD;
    if (random !== undefined) {
      re += SPONTANEOUS_NOISE * random.gaussian();
      im += SPONTANEOUS_NOISE * random.gaussian();
    }
  }
  return intensities;
}
