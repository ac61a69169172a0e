/** The shards in test/fixtures/shards, made by h5py, and the values that make.py put into them. */
import { join } from "node:path";

export const GOLDEN = join(import.meta.dirname, "../fixtures/golden");
export const SHARDS = join(import.meta.dirname, "../fixtures/shards");

/** Values of the float series `k` of make.py. */
export function floats(k: number, length = 100): number[] {
  return Array.from({ length }, (_, i) => (((i * i + 7 * i + 3 * k) % 251) - 125) / 16);
}

/** Values of the integer series `k` of make.py. */
export function integers(k: number, length = 100): number[] {
  return Array.from({ length }, (_, i) => (i * i + 7 * i + 3 * k) % 101);
}
