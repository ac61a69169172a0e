// Pass 2: the digits of a window, each taken where its sample is, become the window's key.
import { DIGIT_1, DIGIT_2, DIGIT_3, DIGIT_4, DIGIT_5, DIGIT_6, DIGIT_7, KEYS } from "./layout";

/** Bytes of 16 digits times a small factor. No product exceeds 255, so none spills into its neighbour. */
// @ts-ignore: decorator
@inline
function times(digits: v128, factor: i16): v128 {
  return i16x8.mul(digits, i16x8.splat(factor));
}

/** 16 keys 2 (low + 120 high), as a window of order up to 7 addresses u16 bins. */
// @ts-ignore: decorator
@inline
function storeDoubled(at: usize, low: v128, high: v128): void {
  const twice = i8x16.add(low, low);
  const weight = i8x16.splat(<i8>240);
  v128.store(KEYS + 2 * at, i16x8.add(i16x8.extend_low_i8x16_u(twice), i16x8.extmul_low_i8x16_u(high, weight)));
  v128.store(KEYS + 2 * at, i16x8.add(i16x8.extend_high_i8x16_u(twice), i16x8.extmul_high_i8x16_u(high, weight)), 16);
}

/**
 * Keys of `count` windows (rounded up to 16), as offsets of u16 bins: twice the index, but the index itself for order 8,
 * whose offsets need 17 bits. Digit k of the first window lies at `first` - (order - 1 - k) * delay.
 */
// @ts-ignore: decorator
@inline
function keysOf(order: i32, first: usize, delay: usize, count: i32): void {
  const end = <usize>count;
  for (let at: usize = 0; at < end; at += 16) {
    // From the newest sample of the window back: digit order - 1 stands at the window's end.
    let from = first + at;
    let high = i8x16.splat(0);
    let highest = i8x16.splat(0);
    if (order > 7) {
      highest = v128.load(from, DIGIT_7);
      from -= delay;
    }
    if (order > 6) {
      high = times(v128.load(from, DIGIT_6), 6);
      from -= delay;
    }
    if (order > 5) {
      high = i8x16.add(high, v128.load(from, DIGIT_5));
      from -= delay;
    }
    let low = i8x16.splat(0);
    if (order > 4) {
      low = times(v128.load(from, DIGIT_4), 24);
      from -= delay;
    }
    if (order > 3) {
      low = i8x16.add(low, times(v128.load(from, DIGIT_3), 6));
      from -= delay;
    }
    if (order > 2) {
      const second = v128.load(from, DIGIT_2);
      low = i8x16.add(low, i8x16.add(second, second));
      from -= delay;
    }
    low = i8x16.add(low, v128.load(from, DIGIT_1));
    if (order < 8) {
      storeDoubled(at, low, high);
    } else {
      const weight = i8x16.splat(120);
      const top = i16x8.splat(5040);
      v128.store(KEYS + 2 * at, i16x8.add(
        i16x8.add(i16x8.extend_low_i8x16_u(low), i16x8.extmul_low_i8x16_u(high, weight)),
        i16x8.mul(i16x8.extend_low_i8x16_u(highest), top),
      ));
      v128.store(KEYS + 2 * at, i16x8.add(
        i16x8.add(i16x8.extend_high_i8x16_u(low), i16x8.extmul_high_i8x16_u(high, weight)),
        i16x8.mul(i16x8.extend_high_i8x16_u(highest), top),
      ), 16);
    }
  }
}

export function keys(order: i32, first: usize, delay: usize, count: i32): void {
  switch (order) {
    case 2: keysOf(2, first, delay, count); break;
    case 3: keysOf(3, first, delay, count); break;
    case 4: keysOf(4, first, delay, count); break;
    case 5: keysOf(5, first, delay, count); break;
    case 6: keysOf(6, first, delay, count); break;
    case 7: keysOf(7, first, delay, count); break;
    default: keysOf(8, first, delay, count);
  }
}
