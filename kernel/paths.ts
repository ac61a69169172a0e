/** The ways to the same bits, and which one is taken. */
import type { PatternCounter } from "./counter.ts";
import { refuse } from "./parameters.ts";
import { createPlainCounter } from "./plain/counter.ts";

/** `auto` is WebAssembly where the engine has it with SIMD, else plain. */
export type KernelPath = "auto" | "wasm" | "plain";

let plain: PatternCounter | undefined;

/**
 * The counter of a path; one for all callers of a thread, which load a series and use it before they give way.
 *
 * @throws {PeError} `PE_PARAMETER` for an unknown path, or for `wasm` where it cannot run
 */
export function createCounter(path: KernelPath): PatternCounter {
  if (path !== "auto" && path !== "wasm" && path !== "plain")
    throw refuse(`path "${String(path)}" is not auto, wasm or plain`, { path });
  return (plain ??= createPlainCounter());
}
