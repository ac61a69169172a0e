/** The fast path: WebAssembly SIMD. */
import type { CountsVisitor, PatternCounter } from "../counter.ts";
import { FACTORIALS } from "../pattern-codes.ts";
import { firstNonFinite } from "../series.ts";
import type { Series } from "../series.ts";
import { startModule } from "./module.ts";
import type { KernelModule } from "./module.ts";

/** Must be those of kernel/assembly/layout.ts. */
const COUNTS = 0x80000;
const COUNTS_STRIDE = 0x28000;
const SUMS = 0x1f0000;
const COUNTS_USED = 0x1f0100;

/** Keys of order 9 do not fit 16 bits. */
export const FAST_ORDER_MAX = 8;

const PAGE_BYTES = 65_536;
/** Digits are computed in whole vectors, so samples a little before and behind the series are read. */
const MARGIN_BYTES = PAGE_BYTES;

/** Element types as the module numbers them. */
const TYPES = { i8: 0, i16: 1, i32: 2, f32: 3, f64: 4 } as const;

export function createWasmCounter(): PatternCounter {
  const module = startModule();
  let sumsView = new Float64Array(module.memory.buffer, SUMS, 16);
  let usedView = new Int32Array(module.memory.buffer, COUNTS_USED, 16);

  const load = (series: Series): number => {
    const index = firstNonFinite(series);
    if (index >= 0) return index;
    const address = module.free() + MARGIN_BYTES;
    if (reserve(module, address + series.byteLength + MARGIN_BYTES)) {
      sumsView = new Float64Array(module.memory.buffer, SUMS, 16);
      usedView = new Int32Array(module.memory.buffer, COUNTS_USED, 16);
    }
    const bytes = new Uint8Array(series.buffer, series.byteOffset, series.byteLength);
    new Uint8Array(module.memory.buffer).set(bytes, address);
    module.setSeries(comparable(module, series, address), address, series.length);
    return -1;
  };

  const countsOf = (order: number, length: number): Uint32Array =>
    new Uint32Array(module.memory.buffer, COUNTS + order * COUNTS_STRIDE, length);

  const count = (delay: number, orders: readonly number[], sums: Float64Array, visit?: CountsVisitor): void => {
    let bits = 0;
    for (const order of orders) bits |= 1 << order;
    module.count(delay, bits);
    for (let index = 0; index < orders.length; index++) sums[index] = sumsView[orders[index]!]!;
    if (visit === undefined) return;
    orders.forEach((order, index) => visit(index, countsOf(order, usedView[order]!)));
  };

  const countsByIndex = (delay: number, order: number): Uint32Array => {
    module.countAllBins(delay, order);
    return countsOf(order, FACTORIALS[order]!);
  };

  return { load, count, countsByIndex };
}

/** Makes the series at `address` one that SIMD compares: unsigned integers become signed in the same order. */
function comparable(module: KernelModule, series: Series, address: number): number {
  if (series instanceof Float64Array) return TYPES.f64;
  if (series instanceof Float32Array) return TYPES.f32;
  if (series instanceof Int32Array) return TYPES.i32;
  if (series instanceof Uint16Array) module.flip16(address, series.byteLength);
  if (series instanceof Uint8Array) module.flip8(address, series.byteLength);
  return series.BYTES_PER_ELEMENT === 2 ? TYPES.i16 : TYPES.i8;
}

/** Whether the memory had to grow, which detaches every view of it. */
function reserve({ memory }: KernelModule, bytes: number): boolean {
  const missing = bytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
  return missing > 0;
}
