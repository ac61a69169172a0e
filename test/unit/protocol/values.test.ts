import { describe, expect, test } from "vitest";
import { PeError } from "../../../common/errors.ts";
import { decodeValue, encodeValue, packValue } from "../../../protocol/values.ts";

describe("encodeValue() and decodeValue()", () => {
  test.for([
    [null],
    [undefined],
    [true],
    [0.1],
    [NaN],
    [2 ** 53 - 1],
    ["λ"],
    [12_345_678_901_234_567_890n],
    [[1, [2, [null]]]],
    [{ a: { b: [{}] } }],
    [new Date(5)],
    [new Set([1, "a"])],
    [Uint8Array.of(1, 2)],
    [Float64Array.of(1.5, -2)],
    [{ deep: [Int32Array.of(7)] }],
  ])("bring %o over unchanged", ([value]) => {
    expect(decodeValue(encodeValue(value))).toEqual(value);
  });

  test("give each value memory of its own", () => {
    const first = encodeValue("one");
    encodeValue("two");
    expect(decodeValue(first)).toBe("one");
  });

  test("put results where the futures stood, at any depth", () => {
    const one = { future: 1 };
    const two = { future: 2 };
    const bytes = encodeValue({ a: [one, { b: two }], c: one }, (object) =>
      object === one ? 0 : object === two ? 1 : undefined,
    );
    expect(decodeValue(bytes, ["first", 2])).toEqual({ a: ["first", { b: 2 }], c: "first" });
  });

  test("put results into maps and sets, too", () => {
    const future = {};
    const bytes = encodeValue([new Map([["a", future]]), new Set([1, [future]])], (object) =>
      object === future ? 0 : undefined,
    );
    expect(decodeValue(bytes, ["result"])).toEqual([{ a: "result" }, new Set([1, ["result"]])]);
  });

  test.for([[[Symbol("x")]], [{ a: Symbol("x") }], [new Set([() => 1])]])(
    "encodeValue() refuses %o, which is within something",
    ([value]) => {
      expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: "PE_PARAMETER" }));
    },
  );

  test("encodeValue() refuses an array of a class that could not be made again", () => {
    class Mine extends Uint8Array {}
    expect(() => encodeValue({ a: new Mine(4) })).toThrow("value.a: it holds an instance of Mine");
  });

  test("packValue() does not keep the memory that a large value took", () => {
    packValue("a".repeat(3 << 20));
    expect(packValue(1).buffer.byteLength).toBeLessThan(1 << 20);
  });

  test("encodeValue() leaves the value it is given alone", () => {
    const future = {};
    const value = { a: [future] };
    encodeValue(value, (object) => (object === future ? 0 : undefined));
    expect(value.a[0]).toBe(future);
  });

  test.for([
    ["a function", { a: [() => 1] }, "value.a[0]: it holds a function"],
    ["a symbol", Symbol("x"), "it holds a symbol"],
    ["an instance of a class", { a: new URL("http://localhost") }, "value.a: it holds an instance of URL"],
  ] as const)("encodeValue() refuses %s by its place", ([, value, text]) => {
    expect(() => encodeValue(value)).toThrow(text);
  });

  test("encodeValue() refuses what contains itself", () => {
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    expect(() => encodeValue(cyclic)).toThrow("contains itself");
  });

  test("decodeValue() refuses bytes that are no value", () => {
    expect(() => decodeValue(encodeValue("a long enough text").subarray(0, 5))).toThrow(PeError);
  });

  test("a value cannot reach the prototype of objects", () => {
    const value = JSON.parse('{"__proto__":{"polluted":1}}') as object;
    decodeValue(encodeValue(value));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
