/**
 * What this program sees of an HDF5 file, whoever reads it: the datasets at the root, each a block of numbers with
 * scalar attributes. Two readers give it: `plain.ts` (fast, plain files only) and `library.ts` (everything else).
 */

/** An attribute this program can use; integers are bigints. Arrays of one element count as scalars; others are left out. */
export type AttributeValue = number | bigint | string;

export type Attributes = ReadonlyMap<string, AttributeValue>;

/** Plain numbers of a width this program knows. */
export interface ElementType {
  readonly kind: "float" | "integer";
  readonly signed: boolean;
  readonly bytes: 1 | 2 | 4 | 8;
}

export interface DatasetInfo {
  readonly name: string;
  /** Absent for datasets without values (a null dataspace). */
  readonly shape: readonly number[] | undefined;
  /** Absent for what is not plain numbers: texts, compounds, half-precision floats ... */
  readonly element: ElementType | undefined;
  readonly attributes: Attributes;
  /** Why it must not or cannot be read, as the end of a sentence: `is a virtual dataset ...`. */
  readonly refusal: string | undefined;
}

/** The datasets at the root of an open file. Errors are `Error`s whose text is the reason; the caller says which file. */
export interface RootFile {
  readonly attributes: Attributes;
  /** Ascending by name; links that lead nowhere or out of the file are among them, refused. Groups are not. */
  readonly datasets: readonly DatasetInfo[];
  /**
   * All values of `datasets[index]`, row-major, little-endian. The bytes may be overwritten by the next read; their
   * offset in the buffer is a multiple of 8.
   */
  readBytes(index: number): Uint8Array;
  close(): void;
}

/** Where the bytes of a file come from. */
export type Source = { readonly content: Uint8Array } | { readonly path: string };

/** More in one dataset is refused: it is read whole. */
export const DATASET_BYTES_MAX = 1 << 30;

/** Order by UTF-16 code units: the same on every machine, unlike a collation. */
export function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The number an attribute stands for, if it is one. */
export function numberOf(value: AttributeValue | undefined): number | undefined {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "number" ? value : undefined;
}

/** Arrays for every `ElementType`. */
export type ElementArray =
  | Float64Array
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** `bytes` (little-endian, their offset a multiple of the element's width) as an array over the same memory. */
export function asArray(bytes: Uint8Array, { kind, signed, bytes: width }: ElementType): ElementArray {
  const { buffer, byteOffset } = bytes;
  const length = bytes.byteLength / width;
  if (kind === "float")
    return width === 8 ? new Float64Array(buffer, byteOffset, length) : new Float32Array(buffer, byteOffset, length);
  if (width === 1)
    return signed ? new Int8Array(buffer, byteOffset, length) : new Uint8Array(buffer, byteOffset, length);
  if (width === 2)
    return signed ? new Int16Array(buffer, byteOffset, length) : new Uint16Array(buffer, byteOffset, length);
  if (width === 4)
    return signed ? new Int32Array(buffer, byteOffset, length) : new Uint32Array(buffer, byteOffset, length);
  return signed ? new BigInt64Array(buffer, byteOffset, length) : new BigUint64Array(buffer, byteOffset, length);
}
