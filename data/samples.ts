/** Samples of a series as typed arrays. */
import { asArray } from "./hdf5/model.ts";
import type { ElementType } from "./hdf5/model.ts";

/** Samples in the narrowest array that holds the stored type exactly. */
export type SampleArray = Float64Array | Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array;

/**
 * `bytes` (little-endian, their offset a multiple of the element's width) as samples; a view where the type allows it.
 * Undefined where a 64-bit integer has no exact float64.
 */
export function asSamples(bytes: Uint8Array, element: ElementType): SampleArray | undefined {
  const stored = asArray(bytes, element);
  if (stored instanceof Uint32Array) return Float64Array.from(stored);
  return stored instanceof BigInt64Array || stored instanceof BigUint64Array ? exactly(stored) : stored;
}

/** Bytes of one sample as `asSamples` gives it. */
export function sampleWidth({ kind, signed, bytes }: ElementType): number {
  const isWidened = kind === "integer" && (bytes === 8 || (bytes === 4 && !signed));
  return isWidened ? Float64Array.BYTES_PER_ELEMENT : bytes;
}

function exactly(integers: BigInt64Array | BigUint64Array): Float64Array | undefined {
  const samples = new Float64Array(integers.length);
  for (const [index, integer] of integers.entries()) {
    const sample = Number(integer);
    if (BigInt(sample) !== integer) return undefined;
    samples[index] = sample;
  }
  return samples;
}
