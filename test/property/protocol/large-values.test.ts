/**
 * Goal: a large value comes over unchanged, and bytes from anywhere become a value whose arrays lie within them, or a
 * `PE_PROTOCOL` error.
 * Method: arbitrary nested values with arrays of all types and sizes; their blobs with bytes changed, cut out or put in, and
 * with other numbers in the words that say where things are.
 * Replay: fast-check prints seed and path of a failure; give them as `{ seed, path }` to `fc.assert`.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isProtocolError } from "../../../protocol/codec.ts";
import { layOut, readValue } from "../../../protocol/large-values.ts";

const TYPES = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array] as const;
const WIDE = [Float32Array, Float64Array, BigInt64Array, BigUint64Array] as const;

/** On memory of its own or in the middle of some, which need not be aligned. */
const array = fc
  .record({
    Type: fc.constantFrom(...TYPES, ...WIDE),
    length: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 60, max: 1200 })),
    before: fc.integer({ min: 0, max: 3 }),
    seed: fc.integer(),
  })
  .map(({ Type, length, before, seed }) => {
    const memory = new Uint8Array((before + length) * Type.BYTES_PER_ELEMENT);
    for (let index = 0; index < memory.length; index++) memory[index] = (index * 31 + seed) & 0x3f;
    return new Type(memory.buffer, before * Type.BYTES_PER_ELEMENT, length);
  });

const { value } = fc.letrec((tie) => {
  return {
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.oneof(array, fc.string(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
      fc.array(tie("value"), { maxLength: 5 }),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie("value"), { maxKeys: 5, noNullPrototype: true }),
    ),
  };
});

const blobOf = (given: unknown): Buffer => Buffer.concat([...layOut(given).pieces]);

/** The arrays of a value that was read. */
function* arraysIn(read: unknown): Generator<ArrayBufferView> {
  if (ArrayBuffer.isView(read)) yield read;
  else if (typeof read === "object" && read !== null)
    for (const item of read instanceof Map || read instanceof Set ? read.values() : Object.values(read))
      yield* arraysIn(item);
}

const AROUND_BYTES = 8192;

/** Reads a blob that lies amid other bytes: undefined for the one error. @throws {Error} when an array is not within it. */
function readAmid(bytes: Uint8Array): ArrayBufferView[] | undefined {
  const memory = new SharedArrayBuffer(bytes.byteLength + 2 * AROUND_BYTES);
  const blob = new Uint8Array(memory, AROUND_BYTES, bytes.byteLength);
  blob.set(bytes);
  let read: unknown;
  try {
    read = readValue(blob);
  } catch (error) {
    if (isProtocolError(error)) return undefined;
    throw error;
  }
  const arrays = [...arraysIn(read)];
  for (const { buffer, byteOffset, byteLength } of arrays) {
    const [start, end] = buffer === memory ? [blob.byteOffset, AROUND_BYTES + blob.byteLength] : [0, buffer.byteLength];
    if (byteOffset < start || byteOffset + byteLength > end) throw new Error(`an array at ${byteOffset}`);
  }
  return arrays;
}

describe("readValue()", () => {
  test("reads what layOut() laid out", () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(readValue(blobOf(given))).toEqual(normal(given));
      }),
      { numRuns: 300 },
    );
  });

  test("refuses damaged blobs, or reads arrays within them", () => {
    fc.assert(
      fc.property(
        value,
        fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255), how: fc.constantFrom("set", "cut", "put") }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.boolean(),
        (given, changes, keepSize) => {
          const bytes = [...blobOf(given).subarray(0, 4096)];
          for (const { at, byte, how } of changes) {
            const place = at % bytes.length;
            if (how === "set") bytes[place] = byte;
            else bytes.splice(place, how === "cut" ? 1 : 0, ...(how === "put" ? [byte] : []));
          }
          const damaged = Buffer.from(bytes);
          // Else most of them would be refused for their length alone.
          if (keepSize && damaged.length >= 16) damaged.writeUInt32LE(damaged.length, 8);
          readAmid(damaged);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("refuses places of arrays that are not within the blob, whatever they say", () => {
    const number = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 1500 }));
    fc.assert(
      fc.property(fc.nat(20), number, number, (type, offset, length) => {
        const blob = blobOf([new Float64Array(100), new Uint8Array(513)]);
        // The list's head, the head of the first place; then what it says.
        const place = 16 + 1 + 3;
        blob[place] = type;
        blob.writeUInt32LE(offset, place + 1);
        blob.writeUInt32LE(length, place + 5);
        const first = readAmid(blob)?.[0];
        if (first !== undefined) expect([first.byteLength, first.byteOffset % 64]).toEqual([length, 0]);
      }),
      { numRuns: 3000 },
    );
  });
});

/** -0 arrives as 0. */
function normal(given: unknown): unknown {
  if (Object.is(given, -0)) return 0;
  if (typeof given !== "object" || given === null || ArrayBuffer.isView(given)) return given;
  if (Array.isArray(given)) return given.map(normal);
  return Object.fromEntries(Object.entries(given).map(([name, item]) => [name, normal(item)]));
}
