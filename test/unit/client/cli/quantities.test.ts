import { describe, expect, test } from "vitest";
import {
  parseCell,
  parseDelays,
  parseGrid,
  parseMeasures,
  parseOrders,
  parseTime,
  parseWhole,
} from "../../../../client/cli/quantities.ts";

describe("parseTime()", () => {
  test.each([
    ["50ps", 50e-12],
    ["4.5 ns", 4.5e-9],
    ["2us", 2e-6],
    ["2µs", 2e-6],
    ["1e-3s", 1e-3],
  ])("reads %s", (text, seconds) => {
    expect(parseTime(text, "--interval")).toBeCloseTo(seconds, 20);
  });

  test.each(["50", "ps", "0ps", "-1ps", "5 parsecs", ""])("refuses %j", (text) => {
    expect(() => parseTime(text, "--interval")).toThrowError(/Cannot read --interval/);
  });
});

describe("parseDelays()", () => {
  test("takes times for samples when the interval is known", () => {
    expect(parseDelays("1-3,4.5ns,50ps", 50e-12)).toEqual([1, 2, 3, 90]);
  });

  test("refuses a time without an interval, and one between two samples", () => {
    expect(() => parseDelays("4.5ns", undefined)).toThrowError(/--interval/);
    expect(() => parseDelays("4.52ns", 50e-12)).toThrowError(/90\.4 samples/);
  });

  test("refuses a delay of 0", () => {
    expect(() => parseDelays("0-3", undefined)).toThrowError(/at least 1/);
  });
});

describe("other quantities", () => {
  test("parseOrders() takes 2 to 9", () => {
    expect(parseOrders("3-7")).toEqual([3, 4, 5, 6, 7]);
    for (const text of ["1", "10", "1-3"]) expect(() => parseOrders(text)).toThrowError(/orders are 2 to 9/);
  });

  test("parseGrid() takes columns x rows", () => {
    expect(parseGrid("60x40")).toEqual({ xSize: 60, ySize: 40 });
    for (const text of ["60", "0x3", "ax3"]) expect(() => parseGrid(text)).toThrowError(/--grid/);
  });

  test("parseWhole() names the range", () => {
    expect(parseWhole("7", "--threads", 1, 8)).toBe(7);
    for (const text of ["9", "0", "1.5", "x", ""])
      expect(() => parseWhole(text, "--threads", 1, 8)).toThrowError(/from 1 to 8/);
  });

  test("parseCell() takes two indices", () => {
    expect(parseCell("12, 7", "--scan")).toEqual({ x: 12, y: 7 });
    expect(() => parseCell("12", "--scan")).toThrowError(/--scan/);
  });

  test("parseMeasures() gives each once, in their own order", () => {
    expect(parseMeasures("missing,pe,pe")).toEqual(["pe", "missing"]);
    expect(() => parseMeasures("pe,entropy")).toThrowError(/"entropy" is none of/);
  });
});
