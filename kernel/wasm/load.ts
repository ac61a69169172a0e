/**
 * Brings a series into the module's memory in the narrowest form that keeps its order and ties exactly, if finding that
 * form costs less than it saves over the delays to come.
 */
import { firstNonFinite } from "../series.ts";
import type { Series } from "../series.ts";
import type { KernelModule } from "./module.ts";

const PAGE_BYTES = 65_536;
/** Digits are computed in whole vectors and blocks, so memory a little before and behind the samples is read. */
const MARGIN_BYTES = PAGE_BYTES;

/** Element types as the module numbers them. */
const INT8 = 0;
const INT16 = 1;
const INT32 = 2;
const FLOAT32 = 3;
const FLOAT64 = 4;

/** Delays from which quantising pays, as measured: evenly spaced levels, from float64 and from 32 bits; ranks. */
const LINEAR_DELAYS_MIN = 3;
const LINEAR_DELAYS_MIN_32 = 12;
const RANK_DELAYS_MIN = 16;

/** Ranks of so many samples fit 16 bits. Longer series are ranked in segments that overlap by the longest window. */
const SEGMENT_LENGTH_MAX = 65_536;
/** A longer overlap is not worth it. */
const SPAN_MAX = 16_384;

/** @returns Index of the first sample that is not finite, -1 when all are. */
export function loadSeries(module: KernelModule, series: Series, delays: number, spanMax: number): number {
  const { length } = series;
  if (series.BYTES_PER_ELEMENT < 4) return loadSmall(module, series);
  const wide = series instanceof Float64Array || delays >= LINEAR_DELAYS_MIN_32;
  if (!wide) return loadAsIs(module, series);

  const codes = module.free() + MARGIN_BYTES;
  const overlap = Math.min(spanMax, SPAN_MAX);
  const segments = Math.ceil(length / (SEGMENT_LENGTH_MAX - overlap));
  const codesBytes = 2 * (length + segments * (overlap + 64));
  const address = alignUp(codes + codesBytes + MARGIN_BYTES);
  reserve(module, address + 8 * length + MARGIN_BYTES);
  const samples = new Float64Array(module.memory.buffer, address, length + 8);
  samples.set(series);
  samples.fill(samples[length - 1]!, length);
  if (module.findRange(address, length) === 0) return firstNonFinite(series);
  if (delays >= LINEAR_DELAYS_MIN && quantiseLinear(module, address, codes, length)) return -1;
  if (series.BYTES_PER_ELEMENT === 4) return loadAsIs(module, series);
  if (delays >= RANK_DELAYS_MIN && quantiseRank(module, address, codes, length, spanMax)) return -1;
  place(module, FLOAT64, address, length);
  return -1;
}

function quantiseLinear(module: KernelModule, address: number, codes: number, length: number): boolean {
  if (module.quantiseLinear(address, codes, length, 256) !== 0) {
    module.narrowCodes(codes, codes, length);
    place(module, INT8, codes, length);
    return true;
  }
  if (module.quantiseLinear(address, codes, length, 65_536) === 0) return false;
  place(module, INT16, codes, length);
  return true;
}

function quantiseRank(module: KernelModule, address: number, codes: number, length: number, spanMax: number): boolean {
  if (length > SEGMENT_LENGTH_MAX && spanMax > SPAN_MAX) return false;
  const segments = length <= SEGMENT_LENGTH_MAX ? 1 : Math.ceil((length - spanMax) / (SEGMENT_LENGTH_MAX - spanMax));
  const step = Math.ceil((length - spanMax) / segments);
  module.beginSeries(INT16, length);
  let target = codes;
  for (let segment = 0; segment < segments; segment++) {
    const start = segment * step;
    const stop = segments === 1 ? length : Math.min(length, start + spanMax + step);
    if (module.quantiseRank(address + 8 * start, target, stop - start) === 0) return false;
    module.addSegment(target - 2 * start, stop);
    target = alignUp(target + 2 * (stop - start));
  }
  return true;
}

/** 8- and 16-bit samples; unsigned ones become signed in the same order, which is what SIMD compares. */
function loadSmall(module: KernelModule, series: Series): number {
  const address = copyBytes(module, series);
  if (series instanceof Uint16Array) module.flip16(address, series.byteLength);
  if (series instanceof Uint8Array) module.flip8(address, series.byteLength);
  place(module, series.BYTES_PER_ELEMENT === 2 ? INT16 : INT8, address, series.length);
  return -1;
}

/** float32 and int32 samples. */
function loadAsIs(module: KernelModule, series: Series): number {
  const address = copyBytes(module, series);
  if (series instanceof Float32Array) {
    new Float32Array(module.memory.buffer, address + series.byteLength, 4).fill(0);
    if (module.isFinite32(address, series.length) === 0) return firstNonFinite(series);
  }
  place(module, series instanceof Float32Array ? FLOAT32 : INT32, address, series.length);
  return -1;
}

function copyBytes(module: KernelModule, series: Series): number {
  const address = module.free() + MARGIN_BYTES;
  reserve(module, address + series.byteLength + MARGIN_BYTES);
  const bytes = new Uint8Array(series.buffer, series.byteOffset, series.byteLength);
  new Uint8Array(module.memory.buffer).set(bytes, address);
  return address;
}

function place(module: KernelModule, type: number, address: number, length: number): void {
  module.beginSeries(type, length);
  module.addSegment(address, length);
}

/** Growing detaches every view of the memory, so it is rare: to the longest series, and a quarter more. */
function reserve({ memory }: KernelModule, bytes: number): void {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil((missing + bytes / 4) / PAGE_BYTES));
}

function alignUp(address: number): number {
  return Math.ceil(address / 64) * 64;
}
