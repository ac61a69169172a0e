// Keys become counts. Four sub-histograms of u16 bins: smooth series hit one bin again and again, and an increment must
// wait for the one before it in the same bin.
import { BINS, BINS_STRIDE, BINS_STRIDE_8, COUNTS, COUNTS_STRIDE, factorial, KEYS } from "./layout";

/** More would overflow a bin when the sub-histograms are added in 16 bits. */
export const UNFLUSHED_MAX: i32 = 65535;

/** Counts the first `count` keys of the block, which are offsets of u16 bins. */
function addOffsets(count: i32): void {
  const whole = <usize>(count & ~7) << 1;
  const end = <usize>count << 1;
  let key: usize = 0;
  for (; key < whole; key += 16) {
    const at0 = <usize>load<u16>(key, KEYS);
    store<u16>(at0, load<u16>(at0, BINS) + 1, BINS);
    const at1 = <usize>load<u16>(key, KEYS + 2);
    store<u16>(at1, load<u16>(at1, BINS + BINS_STRIDE) + 1, BINS + BINS_STRIDE);
    const at2 = <usize>load<u16>(key, KEYS + 4);
    store<u16>(at2, load<u16>(at2, BINS + 2 * BINS_STRIDE) + 1, BINS + 2 * BINS_STRIDE);
    const at3 = <usize>load<u16>(key, KEYS + 6);
    store<u16>(at3, load<u16>(at3, BINS + 3 * BINS_STRIDE) + 1, BINS + 3 * BINS_STRIDE);
    const at4 = <usize>load<u16>(key, KEYS + 8);
    store<u16>(at4, load<u16>(at4, BINS) + 1, BINS);
    const at5 = <usize>load<u16>(key, KEYS + 10);
    store<u16>(at5, load<u16>(at5, BINS + BINS_STRIDE) + 1, BINS + BINS_STRIDE);
    const at6 = <usize>load<u16>(key, KEYS + 12);
    store<u16>(at6, load<u16>(at6, BINS + 2 * BINS_STRIDE) + 1, BINS + 2 * BINS_STRIDE);
    const at7 = <usize>load<u16>(key, KEYS + 14);
    store<u16>(at7, load<u16>(at7, BINS + 3 * BINS_STRIDE) + 1, BINS + 3 * BINS_STRIDE);
  }
  for (; key < end; key += 2) {
    const at = <usize>load<u16>(key, KEYS);
    store<u16>(at, load<u16>(at, BINS) + 1, BINS);
  }
}

/** The same for keys of order 8, which are indices. */
function addIndices(count: i32): void {
  const whole = <usize>(count & ~3) << 1;
  const end = <usize>count << 1;
  let key: usize = 0;
  for (; key < whole; key += 8) {
    const at0 = <usize>load<u16>(key, KEYS) << 1;
    store<u16>(at0, load<u16>(at0, BINS) + 1, BINS);
    const at1 = <usize>load<u16>(key, KEYS + 2) << 1;
    store<u16>(at1, load<u16>(at1, BINS + BINS_STRIDE_8) + 1, BINS + BINS_STRIDE_8);
    const at2 = <usize>load<u16>(key, KEYS + 4) << 1;
    store<u16>(at2, load<u16>(at2, BINS + 2 * BINS_STRIDE_8) + 1, BINS + 2 * BINS_STRIDE_8);
    const at3 = <usize>load<u16>(key, KEYS + 6) << 1;
    store<u16>(at3, load<u16>(at3, BINS + 3 * BINS_STRIDE_8) + 1, BINS + 3 * BINS_STRIDE_8);
  }
  for (; key < end; key += 2) {
    const at = <usize>load<u16>(key, KEYS) << 1;
    store<u16>(at, load<u16>(at, BINS) + 1, BINS);
  }
}

/** Counts the first `count` keys of the block. */
export function addKeys(order: i32, count: i32): void {
  if (order < 8) addOffsets(count);
  else addIndices(count);
}

/** Adds the sub-histograms to the counts of `order` and empties them. */
// @ts-ignore: decorator
@inline
function flushOf(stride: usize, bins: i32, counts: usize): void {
  const end = <usize>bins << 1;
  const zero = i16x8.splat(0);
  for (let at: usize = 0; at < end; at += 16) {
    const sum = i16x8.add(
      i16x8.add(v128.load(at, BINS), v128.load(at + stride, BINS)),
      i16x8.add(v128.load(at + 2 * stride, BINS), v128.load(at + 3 * stride, BINS)),
    );
    if (!v128.any_true(sum)) continue;
    v128.store(at, zero, BINS);
    v128.store(at + stride, zero, BINS);
    v128.store(at + 2 * stride, zero, BINS);
    v128.store(at + 3 * stride, zero, BINS);
    const to = counts + 2 * at;
    v128.store(to, i32x4.add(v128.load(to), i32x4.extend_low_i16x8_u(sum)));
    v128.store(to, i32x4.add(v128.load(to, 16), i32x4.extend_high_i16x8_u(sum)), 16);
  }
}

export function flush(order: i32): void {
  const counts = COUNTS + <usize>order * COUNTS_STRIDE;
  if (order < 8) flushOf(BINS_STRIDE, factorial(order), counts);
  else flushOf(BINS_STRIDE_8, factorial(order), counts);
}

/** Counts the first `count` keys of the block straight into the counts of `order`: for a few windows. */
export function addKeysToCounts(order: i32, count: i32): void {
  const counts = COUNTS + <usize>order * COUNTS_STRIDE;
  for (let key: usize = 0; key < <usize>count << 1; key += 2) {
    const at = counts + (<usize>load<u16>(key, KEYS) << (order < 8 ? 1 : 2));
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** Counts the first `count` keys of the block, offsets, in two sub-histograms and keeps the keys from `target` on. */
export function addOffsetsToHit(count: i32, target: usize): void {
  memory.copy(target, KEYS, <usize>count << 1);
  const whole = <usize>(count & ~3) << 1;
  let key: usize = 0;
  for (; key < whole; key += 8) {
    const at0 = <usize>load<u16>(key, KEYS);
    store<u16>(at0, load<u16>(at0, BINS) + 1, BINS);
    const at1 = <usize>load<u16>(key, KEYS + 2);
    store<u16>(at1, load<u16>(at1, BINS + BINS_STRIDE) + 1, BINS + BINS_STRIDE);
    const at2 = <usize>load<u16>(key, KEYS + 4);
    store<u16>(at2, load<u16>(at2, BINS) + 1, BINS);
    const at3 = <usize>load<u16>(key, KEYS + 6);
    store<u16>(at3, load<u16>(at3, BINS + BINS_STRIDE) + 1, BINS + BINS_STRIDE);
  }
  for (; key < <usize>count << 1; key += 2) {
    const at = <usize>load<u16>(key, KEYS);
    store<u16>(at, load<u16>(at, BINS) + 1, BINS);
  }
}

/** The same for keys of order 8, which are indices. */
export function addIndicesToHit(count: i32, target: usize): void {
  memory.copy(target, KEYS, <usize>count << 1);
  const whole = <usize>(count & ~1) << 1;
  let key: usize = 0;
  for (; key < whole; key += 4) {
    const at0 = <usize>load<u16>(key, KEYS) << 1;
    store<u16>(at0, load<u16>(at0, BINS) + 1, BINS);
    const at1 = <usize>load<u16>(key, KEYS + 2) << 1;
    store<u16>(at1, load<u16>(at1, BINS + BINS_STRIDE_8) + 1, BINS + BINS_STRIDE_8);
  }
  if (count & 1) {
    const at = <usize>load<u16>(key, KEYS) << 1;
    store<u16>(at, load<u16>(at, BINS) + 1, BINS);
  }
}
