/**
 * The views of memory that a value may hold. Their numbers are part of the format of large values: they never change.
 *
 * Elements lie in the order of bytes of the host that wrote them: little-endian on every platform that this program is made
 * for.
 */

export interface ArrayType {
  /** Both the place of an array among the bytes and its length are multiples of it. */
  readonly elementBytes: number;
  /** A view on this memory, not a copy. */
  view(memory: ArrayBufferLike, offset: number, bytes: number): ArrayBufferView;
}

const TYPED = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;

/** By number. */
export const ARRAY_TYPES: readonly ArrayType[] = [
  ...TYPED.map((Type): ArrayType => {
    const elementBytes = Type.BYTES_PER_ELEMENT;
    // As declared, the constructors together take no shared memory; each of them does.
    const view: ArrayType["view"] = (memory, offset, bytes) =>
      new Type(memory as ArrayBuffer, offset, bytes / elementBytes);
    return { elementBytes, view };
  }),
  { elementBytes: 1, view: (memory, offset, bytes) => new DataView(memory as ArrayBuffer, offset, bytes) },
  { elementBytes: 1, view: (memory, offset, bytes) => Buffer.from(memory, offset, bytes) },
];

const NUMBERS: ReadonlyMap<unknown, number> = new Map(
  [...TYPED, DataView, Buffer].map((Type, number) => [Type as unknown, number]),
);

/** The number of its type; undefined for instances of other classes, which could not be made again. */
export function arrayTypeOf(view: ArrayBufferView): number | undefined {
  return NUMBERS.get(view.constructor);
}
