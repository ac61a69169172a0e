/**
 * Large values: a value whose arrays lie as they are in one piece of memory, its blob, in which threads share them, workers
 * send them and disks keep them. A reader gets views on the blob; no array passes through msgpack.
 *
 * Layout, 32-bit words little-endian: mark · bytes of the head · bytes of the whole · 0 · the head · the arrays, the first and each after
 * it at a multiple of 64 bytes. The head is the value as `values.ts` has it; each larger array is in it as its type, its place from where
 * the arrays begin, and its bytes. No place depends on where the blob lies.
 */
import { assert } from "../common/assert.ts";
import { PeError } from "../common/errors.ts";
import { ARRAY_TYPES, arrayTypeOf } from "./array-types.ts";
import { VALUE_BYTES_MAX } from "./held-values.ts";
import { teach } from "./packing.ts";
import { decodeValue, needsOf, packSubstituted, packUnlessLarge, type PlaceOf, type Substitute } from "./values.ts";

/** "PEV1", and another one for every other layout. */
const MARK = 0x3156_4550;
const PREAMBLE_BYTES = 16;
/** A cache line, and the widest registers: more than the largest element needs. */
const ALIGNMENT = 64;
const PADDING = new Uint8Array(ALIGNMENT);
/** Smaller arrays stay in the head: their place would cost about as much as they do. */
const ARRAY_BYTES_MIN = 512;

/** A value of which the size is known, and that is not copied yet. To be written before what it holds changes. */
export interface LaidOut {
  /** Of its blob. */
  readonly bytes: number;
  /** The blob in pieces, in their order. */
  readonly pieces: readonly Uint8Array[];
  /** @param target As long as the blob; what was in it does not matter. */
  writeInto(target: Uint8Array): void;
}

/** Stands in the head for an array. */
class Placed {
  readonly type: number;
  readonly offset: number;
  readonly bytes: number;

  constructor(type: number, offset: number, bytes: number) {
    this.type = type;
    this.offset = offset;
    this.bytes = bytes;
  }
}

/** Where the arrays are of the blob that is being read; reading is synchronous. */
let region: { readonly memory: ArrayBufferLike; readonly start: number; readonly end: number } | undefined;

const PLACED_BYTES = 9;

teach(
  2,
  Placed,
  ({ type, offset, bytes }) => {
    const words = new DataView(new ArrayBuffer(PLACED_BYTES));
    words.setUint8(0, type);
    words.setUint32(1, offset, true);
    words.setUint32(5, bytes, true);
    return new Uint8Array(words.buffer);
  },
  (packed) => {
    const words = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
    return viewOf(words.getUint8(0), words.getUint32(1, true), words.getUint32(5, true));
  },
);

/**
 * @param placeOf Finds futures in the value, as for `encodeValue`.
 * @returns What has memory only for the head; the arrays are still those of the value. An array that is in the value twice is one.
 * @throws {PeError} `PE_PARAMETER` as `encodeValue`, `PE_LIMIT` when it is larger than a value may be.
 */
export function layOut(value: unknown, placeOf?: PlaceOf): LaidOut {
  const arrays: Uint8Array[] = [];
  const known = new Map<object, Placed>();
  const needs: Substitute = placeOf === undefined ? () => undefined : needsOf(placeOf);
  let end = 0;
  const head = packSubstituted(value, (object) => {
    if (!ArrayBuffer.isView(object) || object.byteLength < ARRAY_BYTES_MIN) return needs(object);
    const type = arrayTypeOf(object);
    if (type === undefined) return undefined;
    let placed = known.get(object);
    if (placed === undefined) {
      const { buffer, byteOffset, byteLength } = object;
      placed = new Placed(type, end, byteLength);
      known.set(object, placed);
      arrays.push(new Uint8Array(buffer, byteOffset, byteLength));
      end = aligned(end + byteLength);
    }
    return placed;
  });
  return laidOut(head, arrays);
}

/**
 * The result of a task: packed as `packValue` does when that takes at most `packedBytesMax`, else laid out. A small one is walked once, as it
 * is to be packed at all.
 *
 * @throws {PeError} As `layOut`.
 */
export function packOrLayOut(value: unknown, packedBytesMax: number): Uint8Array | LaidOut {
  const packed = packUnlessLarge(value, packedBytesMax);
  if (packed === undefined) return layOut(value);
  return packed.byteLength <= packedBytesMax ? packed : laidOut(packed, []);
}

/**
 * @param blob Whole; at a multiple of 8 bytes in its memory, or it is copied. Its arrays, but for small ones, become views on
 *   it: who writes into them writes into the blob.
 * @param results Of the needs that `layOut` found, in their order.
 * @throws {PeError} `PE_PROTOCOL` when it is no blob of this version.
 */
export function readValue(blob: Uint8Array | SharedArrayBuffer, results?: readonly unknown[]): unknown {
  const bytes = alignedBytes(blob);
  const { byteLength: end } = bytes;
  if (end < PREAMBLE_BYTES) throw notWhole("it has no beginning");
  const preamble = new DataView(bytes.buffer, bytes.byteOffset, PREAMBLE_BYTES);
  if (preamble.getUint32(0, true) !== MARK) throw notWhole("it was not made by this version");
  const headEnd = PREAMBLE_BYTES + preamble.getUint32(4, true);
  if (preamble.getUint32(8, true) !== end || headEnd > end)
    throw notWhole(`it has ${end} bytes, and should have others`);
  // The decoder wants memory of its own, which nobody changes meanwhile.
  const head = new Uint8Array(bytes.subarray(PREAMBLE_BYTES, headEnd));
  region = { memory: bytes.buffer, start: bytes.byteOffset + aligned(headEnd), end: bytes.byteOffset + end };
  try {
    return decodeValue(head, results);
  } finally {
    region = undefined;
  }
}

/** A view on the blob, and never beyond. */
function viewOf(type: number, offset: number, bytes: number): ArrayBufferView {
  const arrayType = ARRAY_TYPES[type];
  if (region === undefined || arrayType === undefined) throw notWhole("it holds an array of no type");
  const start = region.start + offset;
  if (offset % ALIGNMENT !== 0 || bytes % arrayType.elementBytes !== 0 || start + bytes > region.end)
    throw notWhole("an array is not within it");
  return arrayType.view(region.memory, start, bytes);
}

function laidOut(head: Uint8Array, arrays: readonly Uint8Array[]): LaidOut {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const push = (piece: Uint8Array): void => {
    pieces.push(piece);
    bytes += piece.byteLength;
  };
  const preamble = new DataView(new ArrayBuffer(PREAMBLE_BYTES));
  push(new Uint8Array(preamble.buffer));
  push(head);
  for (const array of arrays) {
    push(PADDING.subarray(0, aligned(bytes) - bytes));
    push(array);
  }
  if (bytes > VALUE_BYTES_MAX)
    throw new PeError(
      "PE_LIMIT",
      `Cannot keep a value of ${bytes} bytes: one has at most ${VALUE_BYTES_MAX}; divide it into several`,
    );
  preamble.setUint32(0, MARK, true);
  preamble.setUint32(4, head.byteLength, true);
  preamble.setUint32(8, bytes, true);
  return { bytes, pieces, writeInto: (target) => writePieces(pieces, bytes, target) };
}

function writePieces(pieces: readonly Uint8Array[], bytes: number, target: Uint8Array): void {
  assert(target.byteLength === bytes, () => `${target.byteLength} bytes for a value of ${bytes}`);
  let at = 0;
  for (const piece of pieces) {
    target.set(piece, at);
    at += piece.byteLength;
  }
}

function alignedBytes(blob: Uint8Array | SharedArrayBuffer): Uint8Array {
  if (blob instanceof SharedArrayBuffer) return new Uint8Array(blob);
  return blob.byteOffset % 8 === 0 ? blob : new Uint8Array(blob);
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

function notWhole(why: string): PeError {
  return new PeError("PE_PROTOCOL", `Cannot read a large value: ${why}`);
}
