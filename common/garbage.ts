/**
 * Garbage of this thread, collected when we ask for it.
 *
 * V8 collects when a thread has made much garbage, and does not count shared memory as any thread's. One that only looks at large arrays
 * in shared memory makes next to none: their memory would stay for hours after the last use, many gigabytes of it (400 arrays of
 * 15 MB, one used after the other, took 6 GB). Memory is given back when every thread that ever saw it has collected.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Of a thread's time, collections may take this part: they look at all that it holds, however much that is. */
const TIME_SHARE = 0.1;

let collect: (() => void) | undefined;
let endedMs = -Infinity;
let tookMs = 0;

/**
 * Collects all garbage of this thread, in some 10 ms where its heap is small.
 *
 * @returns False: not now, because the last time took long and was not long ago. To be tried again.
 */
export function collectGarbage(): boolean {
  const startMs = performance.now();
  if ((startMs - endedMs) * TIME_SHARE < tookMs) return false;
  collect ??= collector();
  collect();
  endedMs = performance.now();
  tookMs = endedMs - startMs;
  return true;
}

/** What `node --expose-gc` has: nothing else makes V8 collect, and a program that uses this package as a library was started without it. */
function collector(): () => void {
  // It stays set: to take it back while another thread is about to use it would be a race.
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("globalThis.gc") as (() => void) | undefined;
  // Without it V8 collects when it likes.
  return gc ?? (() => undefined);
}
