// Counts of lower orders from higher ones, and the exact sums of c ln c.
import { BINS, BINS_STRIDE, BINS_STRIDE_8, COUNTS, COUNTS_STRIDE, HIT_KEYS, TERMS, TERMS_FILLED, TERMS_LENGTH, TERMS_STRIDE } from "./layout";

/** c ln c in units of 2^-k for counts beyond the table, k as the bit length of the number of windows wants it. */
@external("kernel", "term")
declare function term(count: u32, bitLength: i32): f64;

/** Writes the table of terms of a bit length. */
@external("kernel", "fillTerms")
declare function fillTerms(bitLength: i32): void;

/** The table of terms for a number of windows. */
export function termsFor(windows: i32): usize {
  const bitLength = 32 - clz(windows);
  if (load<u8>(TERMS_FILLED + <usize>bitLength) == 0) {
    fillTerms(bitLength);
    store<u8>(TERMS_FILLED + <usize>bitLength, 1);
  }
  return TERMS + <usize>bitLength * TERMS_STRIDE;
}

// @ts-ignore: decorator
@inline
function termOf(count: u32, terms: usize): i64 {
  if (count < TERMS_LENGTH) return load<i64>(terms + (<usize>count << 3));
  return <i64>term(count, <i32>((terms - TERMS) / TERMS_STRIDE));
}

/** Exact whatever the sequence, so each path may take its own. `bins` u32 from `counts` on; beyond them, up to a multiple of 8, lie zeros. */
export function sumOfCounts(counts: usize, bins: i32, windows: i32): f64 {
  const terms = termsFor(windows);
  const end = counts + (<usize>bins << 2);
  return windows < <i32>TERMS_LENGTH ? sumOfSmall(counts, end, terms) : sumOfAny(counts, end, terms);
}

function sumOfAny(counts: usize, end: usize, terms: usize): f64 {
  let first: i64 = 0;
  let second: i64 = 0;
  for (let at = counts; at < end; at += 16) {
    if (!v128.any_true(v128.load(at))) continue;
    first += termOf(load<u32>(at), terms) + termOf(load<u32>(at, 4), terms);
    second += termOf(load<u32>(at, 8), terms) + termOf(load<u32>(at, 12), terms);
  }
  return <f64>(first + second);
}

/** Where no count can exceed the table. */
function sumOfSmall(counts: usize, end: usize, terms: usize): f64 {
  let first: i64 = 0;
  let second: i64 = 0;
  for (let at = counts; at < end; at += 32) {
    if (!v128.any_true(v128.or(v128.load(at), v128.load(at, 16)))) continue;
    first += load<i64>(terms + (<usize>load<u32>(at) << 3)) + load<i64>(terms + (<usize>load<u32>(at, 4) << 3));
    second += load<i64>(terms + (<usize>load<u32>(at, 8) << 3)) + load<i64>(terms + (<usize>load<u32>(at, 12) << 3));
    first += load<i64>(terms + (<usize>load<u32>(at, 16) << 3)) + load<i64>(terms + (<usize>load<u32>(at, 20) << 3));
    second += load<i64>(terms + (<usize>load<u32>(at, 24) << 3)) + load<i64>(terms + (<usize>load<u32>(at, 28) << 3));
  }
  return <f64>(first + second);
}

/** Counts of `order` from those of order + 1: index mod order! is the index of a window's first samples. */
export function marginal(order: i32, bins: i32): void {
  const target = COUNTS + <usize>order * COUNTS_STRIDE;
  const source = target + COUNTS_STRIDE;
  const stride = <usize>bins << 2;
  const sourceEnd = source + <usize>(order + 1) * stride;
  if (order < 4) {
    // Six or two bins do not fill vectors evenly.
    for (let bin: usize = 0; bin < stride; bin += 4) {
      let sum: u32 = 0;
      for (let from = source + bin; from < sourceEnd; from += stride) sum += load<u32>(from);
      store<u32>(target + bin, sum);
    }
    return;
  }
  for (let bin: usize = 0; bin < stride; bin += 16) {
    let sum = v128.load(source + bin);
    for (let from = source + bin + stride; from < sourceEnd; from += stride) sum = i32x4.add(sum, v128.load(from));
    v128.store(target + bin, sum);
  }
}

/**
 * Moves the counts of the bins that `count` keys of `order` hit to the counts of the order, one after the other, and
 * leaves every bin empty. Returns how many.
 */
export function drainHit(order: i32, count: i32): i32 {
  const counts = COUNTS + <usize>order * COUNTS_STRIDE;
  const end = HIT_KEYS + (<usize>count << 1);
  const to = order < 8 ? drainOffsets(counts, end) : drainIndices(counts, end);
  v128.store(to, i32x4.splat(0));
  v128.store(to, i32x4.splat(0), 16);
  return <i32>((to - counts) >> 2);
}

// Every key writes, but only a bin that was not empty moves on: there is no branch to mispredict.

function drainOffsets(to: usize, end: usize): usize {
  for (let key = HIT_KEYS; key < end; key += 2) {
    const at = <usize>load<u16>(key);
    const windows = <u32>load<u16>(at, BINS) + <u32>load<u16>(at, BINS + BINS_STRIDE);
    store<u16>(at, 0, BINS);
    store<u16>(at, 0, BINS + BINS_STRIDE);
    store<u32>(to, windows);
    to += <usize>(windows != 0) << 2;
  }
  return to;
}

function drainIndices(to: usize, end: usize): usize {
  for (let key = HIT_KEYS; key < end; key += 2) {
    const at = <usize>load<u16>(key) << 1;
    const windows = <u32>load<u16>(at, BINS) + <u32>load<u16>(at, BINS + BINS_STRIDE_8);
    store<u16>(at, 0, BINS);
    store<u16>(at, 0, BINS + BINS_STRIDE_8);
    store<u32>(to, windows);
    to += <usize>(windows != 0) << 2;
  }
  return to;
}

/**
 * Sum over the bins that `count` < 32,768 keys of `order` hit, leaving every bin empty. The second key of a bin finds it so
 * and adds the term of 0, which is 0.
 */
export function sumOfHit(order: i32, count: i32): f64 {
  const terms = termsFor(count);
  const end = HIT_KEYS + (<usize>count << 1);
  return order < 8 ? sumOfOffsets(terms, end) : sumOfIndices(terms, end);
}

function sumOfOffsets(terms: usize, end: usize): f64 {
  let sum: i64 = 0;
  for (let key = HIT_KEYS; key < end; key += 2) {
    const at = <usize>load<u16>(key);
    const windows = <usize>load<u16>(at, BINS) + <usize>load<u16>(at, BINS + BINS_STRIDE);
    store<u16>(at, 0, BINS);
    store<u16>(at, 0, BINS + BINS_STRIDE);
    sum += load<i64>(terms + (windows << 3));
  }
  return <f64>sum;
}

function sumOfIndices(terms: usize, end: usize): f64 {
  let sum: i64 = 0;
  for (let key = HIT_KEYS; key < end; key += 2) {
    const at = <usize>load<u16>(key) << 1;
    const windows = <usize>load<u16>(at, BINS) + <usize>load<u16>(at, BINS + BINS_STRIDE_8);
    store<u16>(at, 0, BINS);
    store<u16>(at, 0, BINS + BINS_STRIDE_8);
    sum += load<i64>(terms + (windows << 3));
  }
  return <f64>sum;
}
