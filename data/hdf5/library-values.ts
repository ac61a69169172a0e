/* oxlint-disable no-underscore-dangle -- the library's memory is managed by functions of such names */
/** Values in the HDF5 library's memory, and what its descriptions of types mean here. */
import type { AttributeValue, ElementType } from "./model.ts";

/** The library's memory. Its view changes whenever the memory grows: take it anew for each use. */
export interface LibraryMemory {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  UTF8ToString(pointer: number): string;
  readonly HEAPU8: Uint8Array;
}

/** The library's description of a type and its dimensions. */
export interface LibraryType {
  /** One of `H5T_class_t`. */
  readonly type: number;
  /** Bytes of an element. */
  readonly size: number;
  readonly signed: boolean;
  /** A text of any length: the element is a pointer. */
  readonly vlen: boolean;
  readonly shape: readonly number[] | null;
  readonly total_size: number;
}

const CLASS_INTEGER = 0;
const CLASS_FLOAT = 1;
const CLASS_STRING = 3;

/** Plain numbers of a width this program knows. */
export function elementOf({ type, size, signed }: LibraryType): ElementType | undefined {
  const isFloat = type === CLASS_FLOAT && (size === 4 || size === 8);
  const isInteger = type === CLASS_INTEGER && (size === 1 || size === 2 || size === 4 || size === 8);
  if (!isFloat && !isInteger) return undefined;
  return { kind: isFloat ? "float" : "integer", signed: isFloat || signed, bytes: size };
}

/** A number or a text, also as an array of one. */
export function isScalar(type: LibraryType): boolean {
  return type.shape !== null && type.total_size === 1 && (isText(type) || elementOf(type) !== undefined);
}

export function isText({ type }: LibraryType): boolean {
  return type === CLASS_STRING;
}

/** Lends `use` zeroed memory. @throws {Error} when there is none */
export function withMemory<Result>(memory: LibraryMemory, bytes: number, use: (pointer: number) => Result): Result {
  const pointer = memory._malloc(Math.max(bytes, 1));
  if (pointer === 0) throw new Error(`no memory for ${bytes} bytes`);
  try {
    memory.HEAPU8.fill(0, pointer, pointer + bytes);
    return use(pointer);
  } finally {
    memory._free(pointer);
  }
}

/** The value at `pointer`, of a type that `isScalar`. */
export function scalarAt(memory: LibraryMemory, pointer: number, type: LibraryType): AttributeValue {
  const { buffer } = memory.HEAPU8;
  const view = new DataView(buffer, pointer, type.size);
  if (isText(type)) {
    if (type.vlen) return memory.UTF8ToString(view.getUint32(0, true));
    return Buffer.from(buffer, pointer, type.size).toString("utf8").replace(/\0.*$/s, "");
  }
  const element = elementOf(type)!;
  if (element.kind === "float") return element.bytes === 8 ? view.getFloat64(0, true) : view.getFloat32(0, true);
  const bits = BigInt(element.bytes * 8);
  let word = 0n;
  for (let byte = element.bytes - 1; byte >= 0; byte--) word = (word << 8n) | BigInt(view.getUint8(byte));
  return element.signed ? BigInt.asIntN(Number(bits), word) : word;
}
