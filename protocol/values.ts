/**
 * Parameters and results of tasks as bytes. What carries them (scheduler, journal, links) never looks inside; the client
 * and the threads of a worker do.
 *
 * A value is what JSON has (null, booleans, numbers, text, lists, plain objects), and besides undefined, bigint, Date,
 * Map, Set, and typed arrays. Maps arrive as plain objects; -0 arrives as 0.
 */
import { PeError } from "../common/errors.ts";
import { teach, valuePacker } from "./packing.ts";

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

/**
 * @param placeOf Finds futures in the value, at any depth.
 * @throws {PeError} `PE_PARAMETER` naming the place of what cannot travel: functions, symbols, instances of classes, cycles.
 */
export function encodeValue(value: unknown, placeOf?: PlaceOf): Uint8Array {
  return new Uint8Array(packValue(value, placeOf));
}

/**
 * As `encodeValue`, for who copies the bytes at once: a view of memory that other values share, and that is kept as long as
 * one of them is. Memory of its own costs a small value more than all the rest.
 */
export function packValue(value: unknown, placeOf: PlaceOf = nothing): Uint8Array {
  return valuePacker.pack(travelling(value, placeOf, "", 0));
}

const nothing: PlaceOf = () => undefined;

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

/** The value as it is packed: itself, unless something in it stands for a result. */
function travelling(value: unknown, placeOf: PlaceOf, path: string, depth: number): unknown {
  if (typeof value === "function" || typeof value === "symbol") throw refusal(path, `a ${typeof value}`);
  if (typeof value !== "object" || value === null) return value;
  if (depth > VALUE_DEPTH_MAX)
    throw refusal(path.slice(0, 40), `something that nests deeper than ${VALUE_DEPTH_MAX}, or contains itself`);
  const place = placeOf(value);
  if (place !== undefined) return new Need(place);
  if (Array.isArray(value))
    return mapped(value, (item: unknown, index) => travelling(item, placeOf, `${path}[${index}]`, depth + 1));
  if (ArrayBuffer.isView(value) || value instanceof Date) return value;
  if (value instanceof Map || value instanceof Set) {
    for (const item of value.values()) travelling(item, placeOf, `${path}{}`, depth + 1);
    return value;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw refusal(path, `an instance of ${value.constructor.name}`);
  return fields(value as Readonly<Record<string, unknown>>, placeOf, path, depth);
}

function fields(
  value: Readonly<Record<string, unknown>>,
  placeOf: PlaceOf,
  path: string,
  depth: number,
): Readonly<Record<string, unknown>> {
  let changed: Record<string, unknown> | undefined;
  for (const name in value) {
    const field = value[name];
    const packed =
      typeof field === "object" || typeof field === "function"
        ? travelling(field, placeOf, `${path}.${name}`, depth + 1)
        : field;
    if (packed !== field) (changed ??= { ...value })[name] = packed;
  }
  return changed ?? value;
}

/** The same list where nothing changes. */
function mapped(list: readonly unknown[], change: (item: unknown, index: number) => unknown): readonly unknown[] {
  let changed: unknown[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const item = change(list[index], index);
    if (item !== list[index]) (changed ??= [...list])[index] = item;
  }
  return changed ?? list;
}

function refusal(path: string, what: string): PeError {
  return new PeError("PE_PARAMETER", `Cannot send value${path}: it holds ${what}; send plain data`, {
    details: { path },
  });
}
