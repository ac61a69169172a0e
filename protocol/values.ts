/**
 * Parameters and results of tasks as bytes. What carries them (scheduler, journal, links) never looks inside; the client
 * and the threads of a worker do.
 *
 * A value is what JSON has (null, booleans, numbers, text, lists, plain objects), and besides undefined, bigint, Date,
 * Map, Set, and typed arrays. Maps arrive as plain objects; -0 arrives as 0.
 */
import { PeError } from "../common/errors.ts";
import { arrayTypeOf } from "./array-types.ts";
import { renewMemory, teach, valuePacker } from "./packing.ts";

/** Levels that a value may nest. */
export const VALUE_DEPTH_MAX = 64;

/** Stands in parameters for the result of another task, by its place among the task's needs. */
class Need {
  readonly place: number;

  constructor(place: number) {
    this.place = place;
  }
}

/** Results that the parameters being decoded refer to; decoding is synchronous. */
let inputs: readonly unknown[] = [];

teach(
  1,
  Need,
  ({ place }) => new Uint8Array(Uint32Array.of(place).buffer),
  (bytes) => inputs[new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)],
);

/** The place among a task's needs of something whose result is meant, or undefined for any other object. */
export type PlaceOf = (object: object) => number | undefined;

/** What is packed in place of an object; undefined for the object itself. */
export type Substitute = (object: object) => object | undefined;

/**
 * @param placeOf Finds futures in the value, at any depth.
 * @throws {PeError} `PE_PARAMETER` naming the place of what cannot travel: functions, symbols, instances of classes, cycles.
 */
export function encodeValue(value: unknown, placeOf?: PlaceOf): Uint8Array {
  return new Uint8Array(packValue(value, placeOf));
}

/** A `Substitute` that puts needs where the results of other tasks are meant. */
export function needsOf(placeOf: PlaceOf): Substitute {
  return (object) => {
    const place = placeOf(object);
    return place === undefined ? undefined : new Need(place);
  };
}

/**
 * As `encodeValue`, for who copies the bytes at once: a view of memory that other values share, and that is kept as long as
 * one of them is. Memory of its own costs a small value more than all the rest.
 */
export function packValue(value: unknown, placeOf?: PlaceOf): Uint8Array {
  return packSubstituted(value, placeOf === undefined ? nothing : needsOf(placeOf));
}

/** As `packValue`, with other objects than needs in the places of some. */
export function packSubstituted(value: unknown, substitute: Substitute): Uint8Array {
  return packTravelling(travelling(value, substitute, "", 0));
}

/** As `packValue`; undefined for a value whose arrays have more bytes than that: they have not been copied. */
export function packUnlessLarge(value: unknown, arrayBytesMax: number): Uint8Array | undefined {
  arrayBytes = 0;
  const itself = travelling(value, nothing, "", 0);
  return arrayBytes > arrayBytesMax ? undefined : packTravelling(itself);
}

/** Of the arrays that `travelling` has met. */
let arrayBytes = 0;

const nothing: Substitute = () => undefined;

/** A packer keeps its memory for what comes: after a larger value that is too much. */
const KEPT_BYTES_MAX = 1 << 20;

function packTravelling(value: unknown): Uint8Array {
  const bytes = valuePacker.pack(value);
  if (bytes.byteLength > KEPT_BYTES_MAX) renewMemory();
  return bytes;
}

/**
 * @param results Of the needs that `encodeValue` found, in their order.
 * @throws {PeError} `PE_PROTOCOL` when the bytes are no value.
 */
export function decodeValue(bytes: Uint8Array, results: readonly unknown[] = []): unknown {
  inputs = results;
  try {
    // The decoder writes a property on what it is given: it gets a view of its own.
    return valuePacker.unpack(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    throw new PeError("PE_PROTOCOL", "Cannot decode a value: it is not whole, or was not made by this version", {
      cause: error,
    });
  } finally {
    inputs = [];
  }
}

/** The value as it is packed: itself, unless something in it is substituted. */
function travelling(value: unknown, substitute: Substitute, path: string, depth: number): unknown {
  if (typeof value === "function" || typeof value === "symbol") throw refusal(path, `a ${typeof value}`);
  if (typeof value !== "object" || value === null) return value;
  if (depth > VALUE_DEPTH_MAX)
    throw refusal(path.slice(0, 40), `something that nests deeper than ${VALUE_DEPTH_MAX}, or contains itself`);
  const other = substitute(value);
  if (other !== undefined) return other;
  if (Array.isArray(value)) return items(value, substitute, path, depth);
  if (ArrayBuffer.isView(value)) {
    if (arrayTypeOf(value) === undefined) throw refusal(path, `an instance of ${value.constructor.name}`);
    arrayBytes += value.byteLength;
    return value;
  }
  if (value instanceof Date) return value;
  if (value instanceof Set) return setOf(value, substitute, path, depth);
  if (value instanceof Map) return mapOf(value, substitute, path, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw refusal(path, `an instance of ${value.constructor.name}`);
  return fields(value as Readonly<Record<string, unknown>>, substitute, path, depth);
}

/** Whether a look into it is needed: text and numbers travel as they are. */
function isToWalk(value: unknown): boolean {
  return typeof value === "object" || typeof value === "function" || typeof value === "symbol";
}

function fields(
  value: Readonly<Record<string, unknown>>,
  substitute: Substitute,
  path: string,
  depth: number,
): Readonly<Record<string, unknown>> {
  let changed: Record<string, unknown> | undefined;
  for (const name in value) {
    const field = value[name];
    const packed = isToWalk(field) ? travelling(field, substitute, `${path}.${name}`, depth + 1) : field;
    if (packed !== field) (changed ??= { ...value })[name] = packed;
  }
  return changed ?? value;
}

/** The same list where nothing changes. */
function items(list: readonly unknown[], substitute: Substitute, path: string, depth: number): readonly unknown[] {
  let changed: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    const packed = isToWalk(item) ? travelling(item, substitute, `${path}[${index}]`, depth + 1) : item;
    if (packed !== item) (changed ??= [...list])[index] = packed;
  }
  return changed ?? list;
}

function setOf(set: ReadonlySet<unknown>, substitute: Substitute, path: string, depth: number): ReadonlySet<unknown> {
  const list = [...set];
  const packed = items(list, substitute, path, depth);
  return packed === list ? set : new Set(packed);
}

function mapOf(
  map: ReadonlyMap<unknown, unknown>,
  substitute: Substitute,
  path: string,
  depth: number,
): ReadonlyMap<unknown, unknown> {
  let changed: Map<unknown, unknown> | undefined;
  for (const [key, item] of map) {
    const packed = isToWalk(item) ? travelling(item, substitute, `${path}{}`, depth + 1) : item;
    if (packed !== item) (changed ??= new Map(map)).set(key, packed);
  }
  return changed ?? map;
}

function refusal(path: string, what: string): PeError {
  return new PeError("PE_PARAMETER", `Cannot send value${path}: it holds ${what}; send plain data`, {
    details: { path },
  });
}
