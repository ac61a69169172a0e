// Two windows an increment, for orders to 5: the indices of two neighbouring windows (at most 119 each) address a bin of
// a table, whose rows and columns are summed in the end. An increment costs more than all that leads to it.
import { BINS, COUNTS, COUNTS_STRIDE, DIGIT_1, DIGIT_2, DIGIT_3, DIGIT_4, factorial, KEYS, PAIRS_STRIDE } from "./layout";

/** Keys of `count` windows (rounded up to 16), two to a u16: the offset of a bin, 256 second + 2 first. */
// @ts-ignore: decorator
@inline
function pairKeysOf(order: i32, first: usize, delay: usize, count: i32): void {
  const end = <usize>count;
  const firstBytes = i16x8.splat(0xff);
  for (let at: usize = 0; at < end; at += 16) {
    let from = first + at;
    let index = i8x16.splat(0);
    if (order > 4) {
      index = i16x8.mul(v128.load(from, DIGIT_4), i16x8.splat(24));
      from -= delay;
    }
    if (order > 3) {
      index = i8x16.add(index, i16x8.mul(v128.load(from, DIGIT_3), i16x8.splat(6)));
      from -= delay;
    }
    if (order > 2) {
      const second = v128.load(from, DIGIT_2);
      index = i8x16.add(index, i8x16.add(second, second));
      from -= delay;
    }
    index = i8x16.add(index, v128.load(from, DIGIT_1));
    v128.store(at, i16x8.add(index, v128.and(index, firstBytes)), KEYS);
  }
}

export function pairKeys(order: i32, first: usize, delay: usize, count: i32): void {
  switch (order) {
    case 2: pairKeysOf(2, first, delay, count); break;
    case 3: pairKeysOf(3, first, delay, count); break;
    case 4: pairKeysOf(4, first, delay, count); break;
    default: pairKeysOf(5, first, delay, count);
  }
}

/**
 * Whether neighbouring keys of the block are often equal, as in smooth series. An increment must then wait for the one
 * before it, and four tables in turn are faster; else one is, which stays in the first-level cache.
 */
export function isSticky(count: i32): bool {
  let equal = i16x8.splat(0);
  const end = <usize>(count >> 1) << 1;
  for (let key: usize = 0; key < end; key += 16) {
    const keys = v128.load(key, KEYS);
    equal = i16x8.add(equal, i16x8.eq(keys, v128.load(key, KEYS + 2)));
    equal = i16x8.add(equal, i16x8.eq(keys, v128.load(key, KEYS + 4)));
  }
  const sums = i32x4.extadd_pairwise_i16x8_s(equal);
  const total =
    i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  return -total > count >> 4;
}

/** Counts the first `count` windows of the block; `spread` over four tables or in one. */
export function addPairs(order: i32, count: i32, spread: bool): void {
  const whole = <usize>(count & ~15);
  if (spread) addSpread(whole);
  else addPlain(whole);
  const end = <usize>(count & ~1);
  let key = whole;
  for (; key < end; key += 2) {
    const at = <usize>load<u16>(key, KEYS);
    store<u16>(at, load<u16>(at, BINS) + 1, BINS);
  }
  if (count & 1) {
    // The last window has no partner; its first byte is twice its index.
    const at = COUNTS + <usize>order * COUNTS_STRIDE + (<usize>load<u8>(key, KEYS) << 1);
    store<u32>(at, load<u32>(at) + 1);
  }
}

function addSpread(end: usize): void {
  for (let key: usize = 0; key < end; key += 16) {
    const at0 = <usize>load<u16>(key, KEYS);
    store<u16>(at0, load<u16>(at0, BINS) + 1, BINS);
    const at1 = <usize>load<u16>(key, KEYS + 2);
    store<u16>(at1, load<u16>(at1, BINS + PAIRS_STRIDE) + 1, BINS + PAIRS_STRIDE);
    const at2 = <usize>load<u16>(key, KEYS + 4);
    store<u16>(at2, load<u16>(at2, BINS + 2 * PAIRS_STRIDE) + 1, BINS + 2 * PAIRS_STRIDE);
    const at3 = <usize>load<u16>(key, KEYS + 6);
    store<u16>(at3, load<u16>(at3, BINS + 3 * PAIRS_STRIDE) + 1, BINS + 3 * PAIRS_STRIDE);
    const at4 = <usize>load<u16>(key, KEYS + 8);
    store<u16>(at4, load<u16>(at4, BINS) + 1, BINS);
    const at5 = <usize>load<u16>(key, KEYS + 10);
    store<u16>(at5, load<u16>(at5, BINS + PAIRS_STRIDE) + 1, BINS + PAIRS_STRIDE);
    const at6 = <usize>load<u16>(key, KEYS + 12);
    store<u16>(at6, load<u16>(at6, BINS + 2 * PAIRS_STRIDE) + 1, BINS + 2 * PAIRS_STRIDE);
    const at7 = <usize>load<u16>(key, KEYS + 14);
    store<u16>(at7, load<u16>(at7, BINS + 3 * PAIRS_STRIDE) + 1, BINS + 3 * PAIRS_STRIDE);
  }
}

function addPlain(end: usize): void {
  for (let key: usize = 0; key < end; key += 16) {
    const at0 = <usize>load<u16>(key, KEYS);
    store<u16>(at0, load<u16>(at0, BINS) + 1, BINS);
    const at1 = <usize>load<u16>(key, KEYS + 2);
    store<u16>(at1, load<u16>(at1, BINS) + 1, BINS);
    const at2 = <usize>load<u16>(key, KEYS + 4);
    store<u16>(at2, load<u16>(at2, BINS) + 1, BINS);
    const at3 = <usize>load<u16>(key, KEYS + 6);
    store<u16>(at3, load<u16>(at3, BINS) + 1, BINS);
    const at4 = <usize>load<u16>(key, KEYS + 8);
    store<u16>(at4, load<u16>(at4, BINS) + 1, BINS);
    const at5 = <usize>load<u16>(key, KEYS + 10);
    store<u16>(at5, load<u16>(at5, BINS) + 1, BINS);
    const at6 = <usize>load<u16>(key, KEYS + 12);
    store<u16>(at6, load<u16>(at6, BINS) + 1, BINS);
    const at7 = <usize>load<u16>(key, KEYS + 14);
    store<u16>(at7, load<u16>(at7, BINS) + 1, BINS);
  }
}

/** Adds what the tables hold to the counts of `order` and empties them. Holds while 65,535 pairs are not exceeded. */
export function flushPairs(order: i32, spread: bool): void {
  const bins = factorial(order);
  const counts = COUNTS + <usize>order * COUNTS_STRIDE;
  const width = <usize>bins << 1;
  const zero = i16x8.splat(0);
  // Column sums gather in the keys' place, which is free between blocks.
  memory.fill(KEYS, 0, 256);
  for (let row: usize = 0; row < <usize>bins; row++) {
    const from = BINS + (row << 8);
    let across = i16x8.splat(0);
    for (let at: usize = 0; at < width; at += 16) {
      let sum = v128.load(from + at);
      v128.store(from + at, zero);
      if (spread) {
        sum = i16x8.add(
          i16x8.add(sum, v128.load(from + at, PAIRS_STRIDE)),
          i16x8.add(v128.load(from + at, 2 * PAIRS_STRIDE), v128.load(from + at, 3 * PAIRS_STRIDE)),
        );
        if (!v128.any_true(sum)) continue;
        v128.store(from + at, zero, PAIRS_STRIDE);
        v128.store(from + at, zero, 2 * PAIRS_STRIDE);
        v128.store(from + at, zero, 3 * PAIRS_STRIDE);
      }
      across = i16x8.add(across, sum);
      v128.store(at, i16x8.add(v128.load(at, KEYS), sum), KEYS);
    }
    const pairs = i32x4.extadd_pairwise_i16x8_u(across);
    const total =
      i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1) +
      i32x4.extract_lane(pairs, 2) + i32x4.extract_lane(pairs, 3);
    const at = counts + (row << 2);
    store<u32>(at, load<u32>(at) + total);
  }
  for (let bin: usize = 0; bin < <usize>bins; bin++) {
    const at = counts + (bin << 2);
    store<u32>(at, load<u32>(at) + load<u16>(bin << 1, KEYS));
  }
}
