// Pass 1: digit k of the window that ends at s is the number of i = 1 .. k with x[s] < x[s - i delay].
import { DIGIT_1, DIGIT_2, DIGIT_3, DIGIT_4, DIGIT_5, DIGIT_6, DIGIT_7, DIGITS_STRIDE } from "./layout";

/** 0 or -1 in 16 bytes: x < y for the 16 samples in x0 .. x7 (as many as the element type takes) and those at `y`. */
// @ts-ignore: decorator
@inline
function less<T>(x0: v128, x1: v128, x2: v128, x3: v128, x4: v128, x5: v128, x6: v128, x7: v128, y: usize): v128 {
  if (sizeof<T>() == 1) return v128.lt<T>(x0, v128.load(y));
  if (sizeof<T>() == 2) return i8x16.narrow_i16x8_s(v128.lt<T>(x0, v128.load(y)), v128.lt<T>(x1, v128.load(y, 16)));
  if (sizeof<T>() == 4)
    return i8x16.narrow_i16x8_s(
      i16x8.narrow_i32x4_s(v128.lt<T>(x0, v128.load(y)), v128.lt<T>(x1, v128.load(y, 16))),
      i16x8.narrow_i32x4_s(v128.lt<T>(x2, v128.load(y, 32)), v128.lt<T>(x3, v128.load(y, 48))),
    );
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(
      halves(v128.lt<T>(x0, v128.load(y)), v128.lt<T>(x1, v128.load(y, 16))),
      halves(v128.lt<T>(x2, v128.load(y, 32)), v128.lt<T>(x3, v128.load(y, 48))),
    ),
    i16x8.narrow_i32x4_s(
      halves(v128.lt<T>(x4, v128.load(y, 64)), v128.lt<T>(x5, v128.load(y, 80))),
      halves(v128.lt<T>(x6, v128.load(y, 96)), v128.lt<T>(x7, v128.load(y, 112))),
    ),
  );
}

/** Two pairs of 64-bit masks as four 32-bit masks. */
// @ts-ignore: decorator
@inline
function halves(a: v128, b: v128): v128 {
  return v128.shuffle<i32>(a, b, 0, 2, 4, 6);
}

/**
 * Digits 1 .. order - 1 of `count` samples from `series` on (rounded up to 16). Where a window would reach before the
 * series the digit is arbitrary; the memory before and after the series must exist.
 */
// @ts-ignore: decorator
@inline
function digitsUpTo<T>(order: i32, series: usize, count: i32, delay: i32): void {
  const lag = <usize>delay * sizeof<T>();
  const end = <usize>count;
  for (let at: usize = 0, x = series; at < end; at += 16, x += 16 * sizeof<T>()) {
    const x0 = v128.load(x);
    const x1 = sizeof<T>() > 1 ? v128.load(x, 16) : x0;
    const x2 = sizeof<T>() > 2 ? v128.load(x, 32) : x0;
    const x3 = sizeof<T>() > 2 ? v128.load(x, 48) : x0;
    const x4 = sizeof<T>() > 4 ? v128.load(x, 64) : x0;
    const x5 = sizeof<T>() > 4 ? v128.load(x, 80) : x0;
    const x6 = sizeof<T>() > 4 ? v128.load(x, 96) : x0;
    const x7 = sizeof<T>() > 4 ? v128.load(x, 112) : x0;
    let y = x - lag;
    let larger = i8x16.neg(less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
    v128.store(at, larger, DIGIT_1);
    if (order > 2) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
      v128.store(at, larger, DIGIT_2);
    }
    if (order > 3) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
      v128.store(at, larger, DIGIT_3);
    }
    if (order > 4) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
      v128.store(at, larger, DIGIT_4);
    }
    if (order > 5) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
      v128.store(at, larger, DIGIT_5);
    }
    if (order > 6) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
      v128.store(at, larger, DIGIT_6);
    }
    if (order > 7) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
      v128.store(at, larger, DIGIT_7);
    }
  }
}

/** One loop per order, so that nothing in it depends on the order. */
export function digits<T>(order: i32, series: usize, count: i32, delay: i32): void {
  switch (order) {
    case 2: digitsUpTo<T>(2, series, count, delay); break;
    case 3: digitsUpTo<T>(3, series, count, delay); break;
    case 4: digitsUpTo<T>(4, series, count, delay); break;
    case 5: digitsUpTo<T>(5, series, count, delay); break;
    case 6: digitsUpTo<T>(6, series, count, delay); break;
    case 7: digitsUpTo<T>(7, series, count, delay); break;
    default: digitsUpTo<T>(8, series, count, delay);
  }
}

/**
 * Digit `digit` alone, for delays too long to keep digits: `count` samples from `series` on (rounded up to 16).
 */
export function digitAlone<T>(digit: i32, series: usize, count: i32, delay: i32): void {
  const lag = <usize>delay * sizeof<T>();
  const target = DIGIT_1 + <usize>(digit - 1) * DIGITS_STRIDE;
  for (let at: usize = 0, x = series; at < <usize>count; at += 16, x += 16 * sizeof<T>()) {
    const x0 = v128.load(x);
    const x1 = sizeof<T>() > 1 ? v128.load(x, 16) : x0;
    const x2 = sizeof<T>() > 2 ? v128.load(x, 32) : x0;
    const x3 = sizeof<T>() > 2 ? v128.load(x, 48) : x0;
    const x4 = sizeof<T>() > 4 ? v128.load(x, 64) : x0;
    const x5 = sizeof<T>() > 4 ? v128.load(x, 80) : x0;
    const x6 = sizeof<T>() > 4 ? v128.load(x, 96) : x0;
    const x7 = sizeof<T>() > 4 ? v128.load(x, 112) : x0;
    let larger = i8x16.splat(0);
    let y = x;
    for (let earlier = 0; earlier < digit; earlier++) {
      y -= lag;
      larger = i8x16.sub(larger, less<T>(x0, x1, x2, x3, x4, x5, x6, x7, y));
    }
    v128.store(target + at, larger);
  }
}
