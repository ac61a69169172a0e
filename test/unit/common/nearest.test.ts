import { expect, test } from "vitest";
import { counted } from "../../../common/counted.ts";
import { knownNames, nearest } from "../../../common/nearest.ts";

test("nearest() puts the name with the fewest slips first", () => {
  const maps = ["m003t001", "m005t001", "m005t010", "m005t090", "m005t001_weighted"];
  expect(nearest("m05t001", maps, 1)).toEqual(["m005t001"]);
  expect(nearest("m005t100", maps, 2)).toEqual(["m005t010", "m005t001"]);
  expect(nearest("anything", [], 3)).toEqual([]);
});

test("nearest() takes two letters that changed places for one slip", () => {
  expect(nearest("rnu", ["ran", "run"], 1)).toEqual(["run"]);
});

test("knownNames() tells all of a few names, and of many the nearest and their number", () => {
  expect(knownNames("x", [])).toBe("none");
  expect(knownNames("b", ["a", "b"])).toBe("a, b");
  const many = Array.from({ length: 400 }, (_, index) => `m005t${String(index + 1).padStart(3, "0")}`);
  expect(knownNames("m005t0900", many, 2)).toMatch(/^m005t090, \S+ and 398 more$/);
});

test("counted() has no plural for one", () => {
  expect([counted(0, "file"), counted(1, "file"), counted(2, "series", "series")]).toEqual([
    "0 files",
    "1 file",
    "2 series",
  ]);
});
