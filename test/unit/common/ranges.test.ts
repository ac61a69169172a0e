import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PeError } from "../../../common/errors.ts";
import {
  formatList,
  formatRanges,
  parseList,
  parseRanges,
  rangesCount,
  rangesInclude,
  uniteRanges,
} from "../../../common/ranges.ts";

describe("parseRanges()", () => {
  test.each([
    ["0:40,60:", 100, "0:40,60:100"],
    [":", 5, "0:5"],
    ["7", 100, "7:8"],
    ["10:20,0:12,20:21", 100, "0:21"],
    ["90:200", 100, "90:100"],
    ["100:200", 100, ""],
    ["5:5", 100, ""],
    [" 1 : 2 , 3 ", 9, "1:2,3:4"],
  ])("reads %s of %i as %s", (text, length, expected) => {
    expect(formatRanges(parseRanges(text, length, "--shards"))).toBe(expected);
  });

  test.each(["", "a", "1-2", "5:3", "1:2:3", "-1:2", "1.5:2", "0:40,,60:"])(
    "refuses %j and names the option",
    (text) => {
      expect(() => parseRanges(text, 10, "--shards")).toThrowError(PeError);
      expect(() => parseRanges(text, 10, "--shards")).toThrowError(/Cannot read --shards/);
    },
  );
});

describe("uniteRanges()", () => {
  const range = fc.tuple(fc.nat(60), fc.nat(12)).map(([start, length]) => ({ start, stop: start + length }));

  test("covers exactly what its ranges cover, once, ascending and apart", () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), (ranges) => {
        const united = uniteRanges(ranges);
        for (let value = 0; value < 80; value++)
          expect(rangesInclude(united, value)).toBe(rangesInclude(ranges, value));
        for (const [index, { start, stop }] of united.entries()) {
          expect(stop).toBeGreaterThan(start);
          if (index > 0) expect(start).toBeGreaterThan(united[index - 1]!.stop);
        }
        expect(rangesCount(united)).toBe(
          Array.from({ length: 80 }, (_, v) => v).filter((v) => rangesInclude(ranges, v)).length,
        );
      }),
    );
  });
});

describe("parseList()", () => {
  test("reads values and inclusive ranges, ascending, each once", () => {
    expect(parseList("22-24,1-3,90,2", "--delays")).toEqual([1, 2, 3, 22, 23, 24, 90]);
  });

  test.each(["", "3-1", "x", "1:4", "1,", "1-2-3", "0-2000000"])("refuses %j", (text) => {
    expect(() => parseList(text, "--delays")).toThrowError(/Cannot read --delays/);
  });

  test("reads back what formatList() writes", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500), { minLength: 1, maxLength: 40 }), (values) => {
        const ascending = values.toSorted((a, b) => a - b);
        expect(parseList(formatList(ascending), "--delays")).toEqual(ascending);
      }),
    );
  });
});
