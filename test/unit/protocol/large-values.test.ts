import { describe, expect, test } from "vitest";
import { INLINE_BYTES_MAX, VALUE_BYTES_MAX } from "../../../protocol/held-values.ts";
import { layOut, packOrLayOut, readValue } from "../../../protocol/large-values.ts";
import { decodeValue } from "../../../protocol/values.ts";

/** As a thread writes it: memory that was used before must not show. */
function blobOf(value: unknown): SharedArrayBuffer {
  const laidOut = layOut(value);
  const blob = new SharedArrayBuffer(laidOut.bytes);
  const bytes = new Uint8Array(blob).fill(0xee);
  laidOut.writeInto(bytes);
  return blob;
}

const ramp = (length: number) => Float64Array.from({ length }, (_, index) => index / 3);

describe("layOut() and readValue()", () => {
  const memory = new Uint8Array(4096).map((_, index) => index * 7);
  test.for([
    ["numbers", ramp(1000)],
    ["an array that is not aligned", new Uint8Array(memory.buffer, 3, 1001)],
    ["an array on shared memory", new Int32Array(new SharedArrayBuffer(4096), 8, 1000).fill(-5)],
    ["Int8Array", new Int8Array(memory.buffer)],
    ["Uint8ClampedArray", new Uint8ClampedArray(memory.buffer)],
    ["Int16Array", new Int16Array(memory.buffer)],
    ["Uint16Array", new Uint16Array(memory.buffer)],
    ["Int32Array", new Int32Array(memory.buffer)],
    ["Uint32Array", new Uint32Array(memory.buffer)],
    ["Float32Array", new Float32Array(1000).fill(0.5)],
    ["BigInt64Array", new BigInt64Array(memory.buffer)],
    ["BigUint64Array", new BigUint64Array(memory.buffer)],
    ["DataView", new DataView(memory.buffer, 5, 2000)],
    ["Buffer", Buffer.from(memory)],
    ["an empty array", new Float64Array(0)],
    ["small ones beside large ones", { a: ramp(3), b: [ramp(500), [ramp(2), { c: ramp(700) }]], d: "text", e: 12n }],
    ["a set and a list", [new Set([ramp(100), 1]), new Date(5), undefined, null]],
    ["what has no array", { text: "a".repeat(100_000), list: Array.from({ length: 1000 }, (_, index) => index) }],
    ["a number", 5],
    ["nothing", undefined],
  ] as const)("bring %s over unchanged, of the same type", ([, value]) => {
    const read = readValue(blobOf(value));
    expect(read).toStrictEqual(value);
  });

  test("a map arrives as a plain object, with its arrays", () => {
    expect(readValue(blobOf(new Map([["a", ramp(200)]])))).toEqual({ a: ramp(200) });
  });

  test("the arrays are views on the blob, aligned, and not copies", () => {
    const blob = blobOf({ a: ramp(100), b: new Uint8Array(999), c: ramp(100) });
    const read = readValue(blob) as Record<string, Uint8Array>;
    for (const array of Object.values(read)) {
      expect(array.buffer).toBe(blob);
      expect(array.byteOffset % 64).toBe(0);
    }
    expect(Object.values(readValue(blob) as object)[0]).not.toBe(read.a);
  });

  test("arrays that share memory keep their own parts of it, and one array twice is one", () => {
    const whole = ramp(1000);
    const [head, tail] = [whole.subarray(0, 600), whole.subarray(400)];
    const laidOut = layOut([head, tail, tail, tail]);
    expect(laidOut.bytes).toBeLessThan(2 * 4800 + 300);
    const read = readValue(blobOf([head, tail, tail, tail])) as Float64Array[];
    expect(read).toEqual([head, tail, tail, tail]);
    expect(read[3]!.byteOffset).toBe(read[1]!.byteOffset);
  });

  test("the same value gives the same bytes, wherever it is written", () => {
    const value = { a: ramp(111), b: Buffer.alloc(777, 1) };
    expect(Buffer.from(blobOf(value)).equals(Buffer.concat([...layOut(value).pieces]))).toBe(true);
  });

  test("a blob is read wherever it lies, also at an odd place", () => {
    const value = { a: ramp(300), b: [1, "two"] };
    const blob = new Uint8Array(blobOf(value));
    for (const offset of [0, 1, 4, 8, 24]) {
      const around = new Uint8Array(blob.byteLength + 100).fill(0xee);
      around.set(blob, offset);
      expect(readValue(around.subarray(offset, offset + blob.byteLength))).toEqual(value);
    }
  });

  test("results stand where futures stood, beside arrays", () => {
    const future = {};
    const laidOut = layOut({ a: ramp(200), b: [future] }, (object) => (object === future ? 0 : undefined));
    expect(readValue(Buffer.concat([...laidOut.pieces]), [ramp(300)])).toEqual({ a: ramp(200), b: [ramp(300)] });
  });

  test("layOut() copies no array", () => {
    const array = ramp(1000);
    expect(layOut({ array }).pieces.some(({ buffer }) => buffer === array.buffer)).toBe(true);
  });

  test("layOut() refuses more bytes than a value may have, before any is copied", () => {
    // Never written: such memory costs nothing.
    const large = new Uint8Array(2 ** 30);
    expect(() => layOut([large, large.subarray(1)])).toThrow(`one has at most ${VALUE_BYTES_MAX}`);
  });

  test("layOut() names the place of what cannot travel", () => {
    class Mine extends Float64Array {}
    expect(() => layOut({ a: [new Mine(1000)] })).toThrow("value.a[0]: it holds an instance of Mine");
    expect(() => layOut({ a: ramp(1000), b: () => 1 })).toThrow("value.b: it holds a function");
  });

  test.for([
    ["nothing", new Uint8Array(0)],
    ["a few bytes", new Uint8Array(15)],
    ["other bytes", new Uint8Array(100).fill(1)],
    ["what lacks its end", new Uint8Array(blobOf(ramp(100))).subarray(0, -1)],
    ["what has more at its end", Buffer.concat([new Uint8Array(blobOf(ramp(100))), Buffer.alloc(1)])],
  ] as const)("readValue() refuses %s", ([, bytes]) => {
    expect(() => readValue(bytes)).toThrow(expect.objectContaining({ code: "PE_PROTOCOL" }));
  });

  test("readValue() refuses a head that would end beyond the blob", () => {
    const blob = Buffer.from(blobOf("some text"));
    blob.writeUInt32LE(blob.readUInt32LE(4) + 1, 4);
    expect(() => readValue(blob)).toThrow(expect.objectContaining({ code: "PE_PROTOCOL" }));
  });

  test("the place of an array means nothing outside a blob", () => {
    const { pieces } = layOut(ramp(100));
    readValue(Buffer.concat([...pieces]));
    expect(() => decodeValue(pieces[1]!)).toThrow(expect.objectContaining({ code: "PE_PROTOCOL" }));
  });
});

describe("packOrLayOut()", () => {
  const isPacked = (value: unknown) => packOrLayOut(value, INLINE_BYTES_MAX) instanceof Uint8Array;

  test("packs what fits into a report, to the byte, and lays out what does not", () => {
    const heading = packOrLayOut(new Uint8Array(60_000), INLINE_BYTES_MAX) as Uint8Array;
    const most = INLINE_BYTES_MAX - (heading.byteLength - 60_000);
    expect([isPacked(new Uint8Array(most)), isPacked(new Uint8Array(most + 1))]).toEqual([true, false]);
    expect([isPacked("a".repeat(60_000)), isPacked("a".repeat(70_000))]).toEqual([true, false]);
    expect(isPacked(Array.from({ length: 10 }, () => ramp(1000)))).toBe(false);
  });

  test("either way the value is the same", () => {
    for (const value of ["a".repeat(70_000), [ramp(9000)], [new Uint8Array(65_536)], { many: "x".repeat(65_530) }]) {
      const laidOut = packOrLayOut(value, INLINE_BYTES_MAX);
      if (laidOut instanceof Uint8Array) expect(decodeValue(laidOut)).toEqual(value);
      else expect(readValue(Buffer.concat([...laidOut.pieces]))).toEqual(value);
    }
  });
});
