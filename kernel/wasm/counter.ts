/** The fast path: WebAssembly SIMD. */
import type { CountsVisitor, PatternCounter } from "../counter.ts";
import { FACTORIALS } from "../pattern-codes.ts";
import type { Series } from "../series.ts";
import { loadSeries } from "./load.ts";
import { startModule } from "./module.ts";

/** Must be those of kernel/assembly/layout.ts. */
const COUNTS = 0x80000;
const COUNTS_STRIDE = 0x28000;
const SUMS = 0x1f0000;
const COUNTS_USED = 0x1f0100;

/** Keys of order 9 do not fit 16 bits. */
export const FAST_ORDER_MAX = 8;

export function createWasmCounter(): PatternCounter {
  const module = startModule();
  // Made anew when the memory has grown, which detaches the old ones.
  let sumsView = new Float64Array(0);
  let usedView = new Int32Array(0);

  const load = (series: Series, delays: number, spanMax: number): number => {
    const index = series.length === 0 ? -1 : loadSeries(module, series, delays, spanMax);
    if (sumsView.buffer !== module.memory.buffer) {
      sumsView = new Float64Array(module.memory.buffer, SUMS, 16);
      usedView = new Int32Array(module.memory.buffer, COUNTS_USED, 16);
    }
    return index;
  };

  const countsOf = (order: number, length: number): Uint32Array =>
    new Uint32Array(module.memory.buffer, COUNTS + order * COUNTS_STRIDE, length);

  const count = (delay: number, orders: readonly number[], sums: Float64Array, visit?: CountsVisitor): void => {
    let bits = 0;
    for (const order of orders) bits |= 1 << order;
    module.count(delay, bits, visit === undefined ? 0 : 1);
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
