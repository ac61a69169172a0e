// Exact quantisation: floating-point samples become 8- or 16-bit codes in the same order with the same ties, so every
// pattern stays what it was and comparisons take a quarter or an eighth of the time.
import { LEVELS } from "./layout";

/** Adding it to |v| < 2^31 leaves round(v) as a signed number in the low half of the float64. */
const ROUND: f64 = 6755399441055744;
/** Samples after which a series that is not of few levels is most likely found out. */
const PROBE: i32 = 1024;

let smallest: f64 = 0;
let largest: f64 = 0;

/** Infinite where it overflows. */
export function range(): f64 {
  return largest - smallest;
}

/** Finds the smallest and largest of `count` > 0 float64; false when one is not finite. */
export function findRange(series: usize, count: i32): bool {
  let low = v128.splat<f64>(load<f64>(series));
  let high = low;
  let spoilt = f64x2.splat(0);
  const zero = f64x2.splat(0);
  const whole = series + (<usize>(count & ~1) << 3);
  for (let at = series; at < whole; at += 16) {
    const x = v128.load(at);
    low = f64x2.pmin(low, x);
    high = f64x2.pmax(high, x);
    spoilt = f64x2.add(spoilt, f64x2.mul(x, zero)); // 0 for finite x, else NaN
  }
  let wrong = f64x2.extract_lane(spoilt, 0) + f64x2.extract_lane(spoilt, 1);
  smallest = min(f64x2.extract_lane(low, 0), f64x2.extract_lane(low, 1));
  largest = max(f64x2.extract_lane(high, 0), f64x2.extract_lane(high, 1));
  if (count & 1) {
    const last = load<f64>(whole);
    smallest = min(smallest, last);
    largest = max(largest, last);
    wrong += last * 0;
  }
  return wrong == 0;
}

/** Whether `count` float32 are finite; what lies behind them up to a multiple of 4 must be. */
export function isFinite32(series: usize, count: i32): bool {
  let spoilt = f32x4.splat(0);
  const zero = f32x4.splat(0);
  for (let at = series; at < series + (<usize>count << 2); at += 16)
    spoilt = f32x4.add(spoilt, f32x4.mul(v128.load(at), zero));
  return !v128.any_true(f32x4.ne(spoilt, zero));
}

/** Two codes as whole numbers in float64s: round((x - origin) * scale), from 0. */
// @ts-ignore: decorator
@inline
function codes2(at: usize, origin: v128, scale: v128): v128 {
  return f64x2.mul(f64x2.sub(v128.load(at), origin), scale);
}

/** The signed low halves of four float64s near ROUND. */
// @ts-ignore: decorator
@inline
function low4(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * Codes round((x - smallest) * scale) - middle of `count` samples (rounded up to 8) as i16. Subtraction, product and
 * rounding never reverse two samples, so the codes are in order; whether different samples got different codes is
 * checked apart.
 */
export function code(series: usize, codes: usize, count: i32, scale: f64, middle: f64): void {
  const origin = f64x2.splat(smallest);
  const factor = f64x2.splat(scale);
  const shift = f64x2.splat(ROUND - middle);
  for (let at = series, to = codes; to < codes + (<usize>count << 1); at += 64, to += 16)
    v128.store(to, i16x8.narrow_i32x4_s(
      low4(f64x2.add(codes2(at, origin, factor), shift), f64x2.add(codes2(at + 16, origin, factor), shift)),
      low4(f64x2.add(codes2(at + 32, origin, factor), shift), f64x2.add(codes2(at + 48, origin, factor), shift)),
    ));
}

/** Where `code` differs from a sample its code gives back, all ones; for a scale that is a power of two. */
// @ts-ignore: decorator
@inline
function wrong2(at: usize, rounded: v128, origin: v128, step: v128, shift: v128): v128 {
  return f64x2.ne(f64x2.add(f64x2.mul(f64x2.sub(rounded, shift), step), origin), v128.load(at));
}

/**
 * The same for samples on a step that is a power of two, as of a converter: each is checked on the way to be
 * smallest + code * step to the bit, so it follows from its code alone. False when one is not.
 */
function codeSteps(series: usize, codes: usize, count: i32, scale: f64, middle: f64): bool {
  const origin = f64x2.splat(smallest);
  const factor = f64x2.splat(scale);
  const step = f64x2.splat(1 / scale);
  const shift = f64x2.splat(ROUND - middle);
  let wrong = i8x16.splat(0);
  for (let at = series, to = codes; to < codes + (<usize>count << 1); at += 64, to += 16) {
    const a = f64x2.add(codes2(at, origin, factor), shift);
    const b = f64x2.add(codes2(at + 16, origin, factor), shift);
    const c = f64x2.add(codes2(at + 32, origin, factor), shift);
    const d = f64x2.add(codes2(at + 48, origin, factor), shift);
    v128.store(to, i16x8.narrow_i32x4_s(low4(a, b), low4(c, d)));
    wrong = v128.or(wrong, v128.or(
      v128.or(wrong2(at, a, origin, step, shift), wrong2(at + 16, b, origin, step, shift)),
      v128.or(wrong2(at + 32, c, origin, step, shift), wrong2(at + 48, d, origin, step, shift)),
    ));
  }
  return !v128.any_true(wrong);
}

// @ts-ignore: decorator
@inline
function levelOf(codes: usize, index: usize): usize {
  return LEVELS + (<usize>(<i32>load<i16>(codes + (index << 1)) + 32768) << 3);
}

/** Whether equal codes come from equal samples only. A code's level is its last sample, and all must agree with it. */
function isExact(series: usize, codes: usize, count: i32): bool {
  const end = <usize>count;
  for (let index: usize = 0; index < end; index++)
    store<f64>(levelOf(codes, index), load<f64>(series + (index << 3)));
  let different: u64 = 0;
  for (let index: usize = 0; index < end; index++)
    different |= load<u64>(levelOf(codes, index)) ^ load<u64>(series + (index << 3));
  if (different == 0) return true;
  // Not the same bits; but +0 and -0 are the same sample.
  for (let index: usize = 0; index < end; index++)
    if (load<f64>(levelOf(codes, index)) != load<f64>(series + (index << 3))) return false;
  return true;
}

/**
 * Codes of at most `levels` evenly spaced levels, -levels/2 on, as i16; false where the samples do not lie on such
 * levels. `count` is a multiple of 8, or what lies behind the series repeats a sample of it up to one.
 */
export function quantiseLinear(series: usize, codes: usize, count: i32, levels: i32): bool {
  const middle = <f64>(levels >> 1);
  const scale = range() > 0 ? <f64>(levels - 1) / range() : 1;
  // A range that overflows, or is so small that the scale or its inverse does, is not worth the care.
  if (!(scale < 1e300) || scale < 1e-300) return false;
  const power = reinterpret<f64>(reinterpret<u64>(scale) & 0x7ff0000000000000);
  const probe = min(count, PROBE);
  if (codeSteps(series, codes, probe, power, middle) && codeSteps(series, codes, count, power, middle)) return true;
  code(series, codes, probe, scale, middle);
  if (!isExact(series, codes, probe)) return false;
  if (count == probe) return true;
  code(series, codes, count, scale, middle);
  return isExact(series, codes, count);
}

/** Codes of 256 levels from i16 to i8; `count` rounded up to 16. */
export function narrowCodes(codes: usize, bytes: usize, count: i32): void {
  for (let at = codes, to = bytes; to < bytes + <usize>count; at += 32, to += 16)
    v128.store(to, i8x16.narrow_i16x8_s(v128.load(at), v128.load(at, 16)));
}
