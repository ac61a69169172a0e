/**
 * The unit by which the kernel is judged: one increment of a random bin, in WebAssembly. Nothing that counts one window at
 * a time can be faster.
 *
 * The module, from its text form: four times in a row
 *   (local.set $at (i32.shl (i32.load16_u offset=0 (local.get $key)) (i32.const 2)))
 *   (i32.store offset=0x40000 (local.get $at) (i32.add (i32.load offset=0x40000 (local.get $at)) (i32.const 1)))
 * with key offsets 0, 2, 4, 6, in a loop over `$key` from 0 to the parameter.
 */
import { Random } from "../common/random.ts";

const MODULE =
  "AGFzbQEAAAABBQFgAX8AAwIBAAUDAQAFBxQCBm1lbW9yeQIAB3NjYXR0ZXIAAAqBAQF/AQJ/A0AgAS8BAEECdCECIAIgAigCgIAQQQFqNgKAgBAg" +
  "AS8BAkECdCECIAIgAigCgIAQQQFqNgKAgBAgAS8BBEECdCECIAIgAigCgIAQQQFqNgKAgBAgAS8BBkECdCECIAIgAigCgIAQQQFqNgKAgBAgAUEI" +
  "aiIBIABJDQALCw==";

/** Uniform u16 keys over 5,040 u32 bins. */
const BINS = 5040;
export const INCREMENTS = 100_000;

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly scatter: (bytes: number) => void;
}

interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** A function that makes `INCREMENTS` increments. */
export function scatteredIncrement(): () => void {
  const api = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;
  const { memory, scatter } = new api.Instance(new api.Module(Buffer.from(MODULE, "base64"))).exports as Exports;
  const random = new Random(1);
  const keys = new Uint16Array(memory.buffer, 0, INCREMENTS);
  for (let at = 0; at < INCREMENTS; at++) keys[at] = random.integer(BINS);
  return () => scatter(2 * INCREMENTS);
}
