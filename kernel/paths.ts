/** The ways to the same bits, and which one is taken. */
import type { PatternCounter } from "./counter.ts";
import { refuse } from "./parameters.ts";
import { createPlainCounter } from "./plain/counter.ts";
import type { Series } from "./series.ts";
import { createWasmCounter, FAST_ORDER_MAX } from "./wasm/counter.ts";
import { canStart } from "./wasm/module.ts";

/** `auto` is WebAssembly where the engine has it with SIMD, else plain. */
export type KernelPath = "auto" | "wasm" | "plain";

let plainCounter: PatternCounter | undefined;
let fastCounter: PatternCounter | undefined;

/**
 * The counter of a path; one for all callers of a thread, who load a series and use it before they give way.
 *
 * @throws {PeError} `PE_PARAMETER` for an unknown path, or for `wasm` where it cannot run
 */
export function createCounter(path: KernelPath): PatternCounter {
  if (path !== "auto" && path !== "wasm" && path !== "plain")
    throw refuse(`path "${String(path)}" is not auto, wasm or plain`, { path });
  plainCounter ??= createPlainCounter();
  if (path === "plain" || (path === "auto" && !canStart())) return plainCounter;
  if (!canStart()) throw refuse("path wasm needs WebAssembly with SIMD, which this engine lacks; use auto", { path });
  return (fastCounter ??= joinCounters(createWasmCounter(), plainCounter));
}

/** Orders the fast path has no room for go the plain way: the values are the same. */
function joinCounters(fast: PatternCounter, plain: PatternCounter): PatternCounter {
  let current: Series | undefined;
  let plainHas: Series | undefined;
  const loadPlain = (): PatternCounter => {
    if (plainHas !== current) plain.load((plainHas = current!), 1, 0);
    return plain;
  };
  return {
    load(series, delays, spanMax) {
      [current, plainHas] = [series, undefined];
      return fast.load(series, delays, spanMax);
    },
    count(delay, orders, sums, visit) {
      if (orders.at(-1)! <= FAST_ORDER_MAX) return fast.count(delay, orders, sums, visit);
      const low = orders.filter((order) => order <= FAST_ORDER_MAX);
      if (low.length > 0) fast.count(delay, low, sums, visit);
      if (low.length === orders.length) return;
      const highSums = sums.subarray(low.length);
      loadPlain().count(
        delay,
        orders.slice(low.length),
        highSums,
        visit && ((at, counts) => visit(at + low.length, counts)),
      );
    },
    countsByIndex: (delay, order) => (order <= FAST_ORDER_MAX ? fast : loadPlain()).countsByIndex(delay, order),
  };
}
