// Where everything lies in the module's memory. Fixed addresses become immediate offsets, worth a fifth of the time.

/** Window ends worked on at a time: keys and digits of a block stay in the first-level cache. */
export const BLOCK: i32 = 2048;
/** Samples for which digits are kept at a time: a block and the (order - 2) * delay samples before it. */
export const DIGITS_MAX: i32 = 8128;
export const ORDER_MAX: i32 = 8;

/** Keys of a block, u16; a vector more may be written than asked for. */
export const KEYS: usize = 0x1000;
/** Digits 1 .. 7 of a block as bytes, one array after the other. The strides avoid equal low 12 bits, which look like
 * one address to a processor that compares no more before it forwards a store to a load. */
export const DIGIT_1: usize = 0x3000;
export const DIGITS_STRIDE: usize = 0x2040;
export const DIGIT_2: usize = DIGIT_1 + DIGITS_STRIDE;
export const DIGIT_3: usize = DIGIT_2 + DIGITS_STRIDE;
export const DIGIT_4: usize = DIGIT_3 + DIGITS_STRIDE;
export const DIGIT_5: usize = DIGIT_4 + DIGITS_STRIDE;
export const DIGIT_6: usize = DIGIT_5 + DIGITS_STRIDE;
export const DIGIT_7: usize = DIGIT_6 + DIGITS_STRIDE;
/** Four sub-histograms of u16 bins; all zero between calls. */
export const BINS: usize = 0x20000;
/** Counts of every order as u32: dense, or only those of the bins that were hit. */
export const COUNTS: usize = 0x80000;
export const COUNTS_STRIDE: usize = 0x28000;
/** Sum of the terms per order, f64. */
export const SUMS: usize = 0x1f0000;
/** Entries of COUNTS in use per order, i32. */
export const COUNTS_USED: usize = 0x1f0100;
/** Tables of terms by bit length of the number of windows, 256 KiB each, i64. */
export const TERMS: usize = 0x200000;
export const TERMS_STRIDE: usize = 0x40000;
export const TERMS_LENGTH: u32 = 32768;
/** Which of those tables are filled, a byte each. */
export const TERMS_FILLED: usize = 0x1f0200;
/** Address and last window end of each segment. */
export const SEGMENTS: usize = 0x1f0400;
/** Keys of a series that has fewer windows than bins, u16. */
export const HIT_KEYS: usize = 0x940000;
/** One sample of each code, f64. */
export const LEVELS: usize = 0x960000;
/** Where each bucket of a ranking ends, u32; a word below is used too. */
export const BUCKET_ENDS: usize = 0x9e0100;
/** The series, and what quantisation needs, begin here; digits of windows that reach before it read what lies below. */
export const FREE: usize = 0xa30000;

/** The same for the tables of pairs, 120 rows of 256 bytes. */
export const PAIRS_STRIDE: usize = 0x7a40;
/** Distances of the sub-histograms, for orders to 7 and for order 8; again with different low 12 bits. */
export const BINS_STRIDE: usize = 0x2840;
export const BINS_STRIDE_8: usize = 0x13c80;

export function factorial(order: i32): i32 {
  let product = 1;
  for (let factor = 2; factor <= order; factor++) product *= factor;
  return product;
}
