// The fast path of the kernel: counts the ordinal patterns of one series at one delay for several orders.
import { drainHit, marginal, sumOfCounts, sumOfHit } from "./counts";
import { digitAlone, digits } from "./digits";
import { addKeys, addKeysToCounts, addIndicesToHit, addOffsetsToHit, flush, UNFLUSHED_MAX } from "./histogram";
import { keys } from "./keys";
import { addPairs, flushPairs, isSticky, pairKeys } from "./pairs";
import {
  BLOCK, COUNTS, COUNTS_STRIDE, COUNTS_USED, DIGITS_MAX, factorial, FREE, HIT_KEYS, ORDER_MAX, SEGMENTS, SUMS, TERMS_LENGTH,
} from "./layout";

/** Element types of the series as it lies in memory. */
const INT8 = 0;
const INT16 = 1;
const INT32 = 2;
const FLOAT32 = 3;

/** Pairs pay from here on, as measured. */
const PAIRS_ORDER_MAX = 5;
const PAIRS_WINDOWS_MIN = 4096;

/** Digits of a series so short are found once for all orders. */
const WHOLE_MAX = 4096;

let type: i32 = 0;
/** Where sample 0 is, or would be: of a segment, only its own samples are there. */
let series: usize = 0;
let segments: i32 = 0;
let length: i32 = 0;
let delay: i32 = 0;

/** Where the series may begin, at the earliest. */
export function free(): usize {
  return FREE;
}

/** Begins a series of `count` samples, whose segments follow. */
export function beginSeries(elementType: i32, count: i32): void {
  type = elementType;
  length = count;
  segments = 0;
}

/**
 * Windows that end before `stop`, and not in a segment before, are found where sample 0 would be at `address`;
 * 64 KiB before a segment's samples and 256 bytes behind them must exist.
 */
export function addSegment(address: usize, stop: i32): void {
  const segment = SEGMENTS + ((<usize>segments) << 3);
  store<usize>(segment, address);
  store<i32>(segment, stop, 4);
  segments++;
}

/** Chooses the segment of the windows that end at `end` and after; returns how many, at most BLOCK. */
function beginBlock(end: i32): i32 {
  let segment = SEGMENTS;
  while (load<i32>(segment, 4) <= end) segment += 8;
  series = load<usize>(segment);
  return min(BLOCK, load<i32>(segment, 4) - end);
}

function findDigits(order: i32, from: i32, count: i32): void {
  if (type == INT8) digits<i8>(order, series + <usize>from, count, delay);
  else if (type == INT16) digits<i16>(order, series + ((<usize>from) << 1), count, delay);
  else if (type == INT32) digits<i32>(order, series + ((<usize>from) << 2), count, delay);
  else if (type == FLOAT32) digits<f32>(order, series + ((<usize>from) << 2), count, delay);
  else digits<f64>(order, series + ((<usize>from) << 3), count, delay);
}

function findDigitAlone(digit: i32, from: i32, count: i32): void {
  if (type == INT8) digitAlone<i8>(digit, series + <usize>from, count, delay);
  else if (type == INT16) digitAlone<i16>(digit, series + ((<usize>from) << 1), count, delay);
  else if (type == INT32) digitAlone<i32>(digit, series + ((<usize>from) << 2), count, delay);
  else if (type == FLOAT32) digitAlone<f32>(digit, series + ((<usize>from) << 2), count, delay);
  else digitAlone<f64>(digit, series + ((<usize>from) << 3), count, delay);
}

/** What DIGITS holds: digits to order digitsOrder - 1 of the samples from digitsFrom on; those of a block can be used twice. */
let digitsOrder: i32 = 0;
let digitsFrom: i32 = 0;
let digitsStop: i32 = 0;

/** Set by `findDigitsOfBlock`: where the newest digit of the block's first window lies, and how far apart the others. */
let firstDigit: i32 = 0;
let apart: i32 = 0;

/** Digits of the `count` windows of `order` that end at `end` and after it, at most BLOCK. */
function findDigitsOfBlock(order: i32, end: i32, count: i32): void {
  const history = (order - 2) * delay;
  if (history + count > DIGITS_MAX) {
    for (let digit = 1; digit < order; digit++) findDigitAlone(digit, end - (order - 1 - digit) * delay, count);
    digitsOrder = 0;
    firstDigit = 0;
    apart = 0;
    return;
  }
  if (order > digitsOrder || end - history < digitsFrom || end + count > digitsStop) {
    const whole = length <= WHOLE_MAX && segments == 1;
    digitsOrder = order;
    digitsFrom = whole ? delay : end - history;
    digitsStop = whole ? length : end + count;
    findDigits(order, digitsFrom, digitsStop - digitsFrom);
  }
  firstDigit = end - digitsFrom;
  apart = delay;
}

function findKeys(order: i32, end: i32, count: i32): void {
  findDigitsOfBlock(order, end, count);
  keys(order, <usize>firstDigit, <usize>apart, count);
}

function countDense(order: i32): void {
  const bins = factorial(order);
  memory.fill(COUNTS + <usize>order * COUNTS_STRIDE, 0, (<usize>bins) << 2);
  let unflushed = 0;
  for (let end = (order - 1) * delay, count = 0; end < length; end += count) {
    count = beginBlock(end);
    if (unflushed + count > UNFLUSHED_MAX) {
      flush(order);
      unflushed = 0;
    }
    findKeys(order, end, count);
    addKeys(order, count);
    unflushed += count;
  }
  flush(order);
}

/** The same by pairs of windows. */
function countPairs(order: i32): void {
  memory.fill(COUNTS + <usize>order * COUNTS_STRIDE, 0, <usize>factorial(order) << 2);
  let unflushed = 0;
  let spread = false;
  for (let end = (order - 1) * delay, count = 0; end < length; end += count) {
    count = beginBlock(end);
    if (unflushed + count > 2 * UNFLUSHED_MAX) {
      flushPairs(order, spread);
      unflushed = 0;
    }
    findDigitsOfBlock(order, end, count);
    pairKeys(order, <usize>firstDigit, <usize>apart, count);
    if (unflushed == 0) spread = isSticky(count);
    addPairs(order, count, spread);
    unflushed += count;
  }
  flushPairs(order, spread);
}

/** From order + 1, and the windows that end in the last `delay` samples: they begin no longer window. */
function countMarginal(order: i32): void {
  marginal(order, factorial(order));
  for (let end = max((order - 1) * delay, length - delay), count = 0; end < length; end += count) {
    count = beginBlock(end);
    findKeys(order, end, count);
    addKeysToCounts(order, count);
  }
}

/** Keys of a series with fewer windows than bins: only the bins that are hit will be visited. */
function hitBins(order: i32): void {
  let target = HIT_KEYS;
  for (let end = (order - 1) * delay, count = 0; end < length; end += count) {
    count = beginBlock(end);
    findKeys(order, end, count);
    if (order < 8) addOffsetsToHit(count, target);
    else addIndicesToHit(count, target);
    target += <usize>count << 1;
  }
}

function storeSum(order: i32, used: i32, windows: i32): void {
  store<i32>(COUNTS_USED + (<usize>order << 2), used);
  store<f64>(SUMS + (<usize>order << 3), sumOfCounts(COUNTS + <usize>order * COUNTS_STRIDE, used, windows));
}

/**
 * Counts at one delay the orders whose bits are set in `orders`; each has a window. Fills SUMS, and if `listed` COUNTS and
 * COUNTS_USED for every order.
 */
export function count(delaySamples: i32, orders: i32, listed: bool): void {
  delay = delaySamples;
  digitsOrder = 0;
  let denseAbove = false;
  for (let order = ORDER_MAX; order >= 2; order--) {
    if ((orders & ((2 << order) - 1)) == 0) break;
    const wanted = ((orders >> order) & 1) != 0;
    if (!wanted && !denseAbove) continue;
    const bins = factorial(order);
    const windows = length - (order - 1) * delay;
    if (!denseAbove && bins > windows) {
      hitBins(order);
      if (listed || windows >= <i32>TERMS_LENGTH) storeSum(order, drainHit(order, windows), windows);
      else store<f64>(SUMS + (<usize>order << 3), sumOfHit(order, windows));
      continue;
    }
    if (denseAbove) countMarginal(order);
    else if (order <= PAIRS_ORDER_MAX && windows >= PAIRS_WINDOWS_MIN) countPairs(order);
    else countDense(order);
    denseAbove = true;
    if (wanted) storeSum(order, bins, windows);
  }
}

/** Counts of one order in all its bins, however few its windows. */
export function countAllBins(delaySamples: i32, order: i32): void {
  delay = delaySamples;
  digitsOrder = 0;
  countDense(order);
}

export { flip8, flip16 } from "./flip";
export { findRange, isFinite32, narrowCodes, quantiseLinear } from "./quantise";
export { quantiseRank } from "./rank";
