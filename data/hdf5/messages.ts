/**
 * What the messages of an object header say: element type, shape, storage, filters, attributes.
 * HDF5 File Format Specification 3.0, sections IV.A.2.b, d, i, l, m.
 */
import { textOf } from "./group.ts";
import type { AttributeValue, ElementType } from "./model.ts";
import { requirePlain, uint64 } from "./not-plain.ts";

/** Plain numbers with their byte order; undefined for everything else. */
export interface StoredType {
  readonly bytes: number;
  readonly element: ElementType | undefined;
  readonly bigEndian: boolean;
  /** A text of fixed length. */
  readonly isText: boolean;
  /** A number of a common width in another form: packed bits, or a float that is not IEEE's. */
  readonly isOddNumber: boolean;
}

const CLASS_INTEGER = 0;
const CLASS_FLOAT = 1;
const CLASS_TIME = 2;
const CLASS_STRING = 3;
const CLASS_LAST = 10;

/** Properties of IEEE floats: bit offset, precision, exponent location and size, mantissa location and size, bias. */
const FLOAT64 = [0, 64, 52, 11, 0, 52, 1023];
const FLOAT32 = [0, 32, 23, 8, 0, 23, 127];

export function parseDatatype(view: DataView): StoredType {
  const classAndVersion = view.getUint8(0);
  const typeClass = classAndVersion & 0x0f;
  const version = classAndVersion >> 4;
  requirePlain(version >= 1 && version <= 3 && typeClass <= CLASS_LAST, "a type of another version");
  const bits = view.getUint8(1);
  const bytes = view.getUint32(4, true);
  const other = { bytes, element: undefined, bigEndian: false, isText: typeClass === CLASS_STRING, isOddNumber: false };
  requirePlain(typeClass !== CLASS_TIME, "times");
  if (typeClass === CLASS_INTEGER) {
    requirePlain(isWidth(bytes), "integers of another width");
    const isWhole = view.getUint16(8, true) === 0 && view.getUint16(10, true) === bytes * 8;
    // The library would hand on such bits as they lie, without the sign.
    if (!isWhole) return { ...other, isOddNumber: true };
    return {
      ...other,
      element: { kind: "integer", signed: (bits & 0x08) !== 0, bytes },
      bigEndian: (bits & 0x01) !== 0,
    };
  }
  if (typeClass === CLASS_FLOAT && (bytes === 4 || bytes === 8)) {
    const narrow = [12, 13, 14, 15].map((at) => view.getUint8(at));
    const found = [view.getUint16(8, true), view.getUint16(10, true), ...narrow, view.getUint32(16, true)];
    const expected = bytes === 8 ? FLOAT64 : FLOAT32;
    const isVax = (bits & 0x40) !== 0;
    const isIeee = expected.every((value, index) => value === found[index]) && (bits & 0x30) === 0x20;
    if (!isIeee || isVax || view.getUint8(2) !== bytes * 8 - 1) return { ...other, isOddNumber: true };
    return { ...other, element: { kind: "float", signed: true, bytes }, bigEndian: (bits & 0x01) !== 0 };
  }
  return other;
}

function isWidth(bytes: number): bytes is 1 | 2 | 4 | 8 {
  return bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8;
}

/** `[]` for a scalar, undefined for a dataspace without values. */
export function parseDataspace(view: DataView): number[] | undefined {
  const version = view.getUint8(0);
  requirePlain(version === 1 || version === 2, "a dataspace of another version");
  const rank = view.getUint8(1);
  if (version === 2 && view.getUint8(3) === 2) return undefined;
  const at = version === 1 ? 8 : 4;
  return Array.from({ length: rank }, (_, dimension) => uint64(view, at + dimension * 8));
}

export type Layout =
  | { readonly kind: "compact"; readonly view: DataView }
  | { readonly kind: "contiguous"; readonly address: number; readonly bytes: number }
  | {
      readonly kind: "chunked";
      readonly treeAddress: number;
      readonly chunk: readonly number[];
      readonly elementBytes: number;
    };

export function parseLayout(view: DataView): Layout {
  requirePlain(view.getUint8(0) === 3, "a layout of another version");
  const layoutClass = view.getUint8(1);
  if (layoutClass === 0) {
    const length = view.getUint16(2, true);
    requirePlain(4 + length <= view.byteLength, "compact data beyond its message");
    return { kind: "compact", view: new DataView(view.buffer, view.byteOffset + 4, length) };
  }
  if (layoutClass === 1) return { kind: "contiguous", address: uint64(view, 2), bytes: uint64(view, 10) };
  requirePlain(layoutClass === 2, "a layout of another class");
  // The last dimension is the width of an element.
  const dimensions = view.getUint8(2) - 1;
  const chunk = Array.from({ length: dimensions }, (_, dimension) => view.getUint32(11 + dimension * 4, true));
  return {
    kind: "chunked",
    treeAddress: uint64(view, 3),
    chunk,
    elementBytes: view.getUint32(11 + dimensions * 4, true),
  };
}

export const FILTER = { deflate: 1, shuffle: 2, fletcher32: 3 } as const;

/**
 * Identifiers in the order in which the writer applied them.
 *
 * @param width Bytes of an element, by which shuffle must say that it shuffled.
 * @throws {NotPlain} for any that is not in `FILTER`
 */
export function parseFilters(view: DataView, width: number): number[] {
  const version = view.getUint8(0);
  requirePlain(version === 1 || version === 2, "filters of another version");
  const count = view.getUint8(1);
  const filters: number[] = [];
  let at = version === 1 ? 8 : 2;
  for (let index = 0; index < count; index++) {
    const id = view.getUint16(at, true);
    requirePlain(id === FILTER.deflate || id === FILTER.shuffle || id === FILTER.fletcher32, `filter ${id}`);
    filters.push(id);
    // Version 2 leaves out the name of the filters that all readers know, and the padding.
    const nameBytes = version === 1 ? view.getUint16(at + 2, true) : 0;
    const values = view.getUint16(at + (version === 1 ? 6 : 4), true);
    at += version === 1 ? 8 + padded(nameBytes) : 6;
    const isKnown = id !== FILTER.shuffle || (values === 1 && view.getUint32(at, true) === width);
    requirePlain(isKnown, "elements shuffled by another width");
    at += (values + (version === 1 ? values % 2 : 0)) * 4;
  }
  return filters;
}

/** Name and value; the value is undefined for what this program cannot use, texts of any length among it. */
export function parseAttribute(view: DataView): { name: string; value: AttributeValue | undefined } {
  const version = view.getUint8(0);
  requirePlain(version >= 1 && version <= 3, "an attribute of another version");
  // Flags tell of types that are stored elsewhere.
  requirePlain(version === 1 || view.getUint8(1) === 0, "an attribute with a shared type");
  const sizes = [view.getUint16(2, true), view.getUint16(4, true), view.getUint16(6, true)] as const;
  const [nameBytes, typeBytes, spaceBytes] = sizes;
  const stride = version === 1 ? padded : (bytes: number) => bytes;
  const nameAt = version === 3 ? 9 : 8;
  const typeAt = nameAt + stride(nameBytes);
  const spaceAt = typeAt + stride(typeBytes);
  const dataAt = spaceAt + stride(spaceBytes);
  requirePlain(dataAt <= view.byteLength && nameBytes > 1, "an attribute beyond its message");
  const name = textOf(new Uint8Array(view.buffer, view.byteOffset + nameAt, nameBytes - 1));
  requirePlain(!/[\0\ufffd]/.test(name) && view.getUint8(nameAt + nameBytes - 1) === 0, "an attribute without a name");
  const shape = parseDataspace(part(view, spaceAt, spaceBytes));
  const type = parseDatatype(part(view, typeAt, typeBytes));
  const isSingle = shape !== undefined && shape.every((length) => length === 1);
  if (!isSingle) return { name, value: undefined };
  requirePlain(dataAt + type.bytes <= view.byteLength, "an attribute's value beyond its message");
  // A series of such numbers is refused, but no attribute can be: the library reads its bits as they lie.
  requirePlain(!type.isOddNumber, "an attribute that is a number of another form");
  return { name, value: scalar(part(view, dataAt, type.bytes), type) };
}

function scalar(view: DataView, { element, bigEndian, isText }: StoredType): AttributeValue | undefined {
  if (isText) return textOf(new Uint8Array(view.buffer, view.byteOffset, view.byteLength)).replace(/\0.*$/s, "");
  if (element === undefined) return undefined;
  const little = !bigEndian;
  if (element.kind === "float") return element.bytes === 8 ? view.getFloat64(0, little) : view.getFloat32(0, little);
  if (element.bytes === 8) return element.signed ? view.getBigInt64(0, little) : view.getBigUint64(0, little);
  if (element.bytes === 4) return BigInt(element.signed ? view.getInt32(0, little) : view.getUint32(0, little));
  if (element.bytes === 2) return BigInt(element.signed ? view.getInt16(0, little) : view.getUint16(0, little));
  return BigInt(element.signed ? view.getInt8(0) : view.getUint8(0));
}

function part(view: DataView, at: number, length: number): DataView {
  return new DataView(view.buffer, view.byteOffset + at, length);
}

function padded(bytes: number): number {
  return (bytes + 7) & ~7;
}
