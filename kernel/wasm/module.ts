/** The compiled module of kernel/assembly, started on first use. */
import { scaledTerm, termsForBitLength } from "../entropy.ts";
import { WASM_BASE64 } from "../wasm-bytes.ts";

/** The little of `WebAssembly` that is used here: neither es2023 nor the types of Node 20 declare it. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  validate(bytes: Uint8Array): boolean;
}

interface Memory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** What kernel/assembly/index.ts exports. */
export interface KernelModule {
  readonly memory: Memory;
  /** Addresses in `memory`; the layout is the module's own. */
  free(): number;
  beginSeries(type: number, length: number): void;
  addSegment(address: number, stop: number): void;
  flip8(address: number, bytes: number): void;
  flip16(address: number, bytes: number): void;
  /** Whether the float32 are finite; up to 3 behind them are looked at too. */
  isFinite32(series: number, length: number): number;
  /** False when one of the float64 is not finite; else what the quantisers below start from. */
  findRange(series: number, length: number): number;
  /** Whether the samples lie on at most `levels` evenly spaced levels; then their i16 codes are at `codes`. */
  quantiseLinear(series: number, codes: number, length: number, levels: number): number;
  narrowCodes(codes: number, bytes: number, length: number): void;
  /** Whether ranking paid; then the i16 ranks are at `codes`. */
  quantiseRank(series: number, codes: number, length: number): number;
  /** Bit m of `orders` asks for order m, which must have a window; `listed` is 1 for counts besides sums. */
  count(delay: number, orders: number, listed: number): void;
  /** Counts of one order in all its bins, however few its windows. */
  countAllBins(delay: number, order: number): void;
}

/** Must be those of kernel/assembly/layout.ts. */
const TERMS = 0x200000;
const TERMS_STRIDE = 0x40000;

let started: KernelModule | undefined;

/** Whether this engine has WebAssembly with SIMD. */
export function canStart(): boolean {
  return webAssembly()?.validate(moduleBytes()) === true;
}

/** The module of this thread. Its memory is shared by all who use it and grows with the longest series. */
export function startModule(): KernelModule {
  if (started !== undefined) return started;
  const api = webAssembly()!;
  const fillTerms = (bitLength: number): void => writeTerms(started!.memory, bitLength);
  const term = (count: number, bitLength: number): number => scaledTerm(count, termsForBitLength(bitLength).scaleBits);
  const instance = new api.Instance(new api.Module(moduleBytes()), { kernel: { fillTerms, term } });
  return (started = instance.exports as KernelModule);
}

/** Both paths take their terms from one table, so they cannot differ in the last bit. WebAssembly is little-endian. */
function writeTerms(memory: Memory, bitLength: number): void {
  const { high, low } = termsForBitLength(bitLength);
  const bytes = new DataView(memory.buffer, TERMS + bitLength * TERMS_STRIDE, 8 * high.length);
  for (let count = 0; count < high.length; count++) {
    bytes.setUint32(8 * count, low[count]!, true);
    bytes.setUint32(8 * count + 4, high[count]!, true);
  }
}

function webAssembly(): WebAssemblyApi | undefined {
  return (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;
}

let bytes: Uint8Array | undefined;

function moduleBytes(): Uint8Array {
  return (bytes ??= Uint8Array.from(atob(WASM_BASE64), (letter) => letter.charCodeAt(0)));
}
