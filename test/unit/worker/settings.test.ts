import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { Given } from "../../../common/command-line/command.ts";
import { readBytes, readResources, readSettings } from "../../../worker/settings.ts";

describe("readSettings()", () => {
  test("takes folders of kinds with commas between them, and each time that they are named", () => {
    const { kinds } = readSettings(new Given([["kinds", ["a,b", "c"]]]));
    expect(kinds).toEqual(["a", "b", "c"].map((folder) => resolve(folder)));
  });

  test("has no folders of kinds where none is named", () => {
    expect(readSettings(new Given([])).kinds).toEqual([]);
  });
});

describe("readBytes()", () => {
  test.each([
    ["4GB", 4e9],
    ["512MiB", 512 * 2 ** 20],
    ["1.5g", 1.5e9],
    ["268435456", 2 ** 28],
  ])("reads %s", (text, bytes) => {
    expect(readBytes(text)).toBe(bytes);
  });

  test.each(["", "lots", "4XB", "-1GB", "1MB", "9e99"])("refuses %j", (text) => {
    expect(() => readBytes(text)).toThrow("Cannot read --memory-limit");
  });
});

describe("readResources()", () => {
  test("reads names and amounts", () => {
    expect(readResources("gpu=1, licence=20")).toEqual([
      { name: "gpu", amount: 1 },
      { name: "licence", amount: 20 },
    ]);
  });

  test.each(["", "gpu", "gpu=", "gpu=-1", "gpu=1.5", "gpu=1,gpu=2", "gpu=1000001", "g pu=1"])("refuses %j", (text) => {
    expect(() => readResources(text)).toThrow("Cannot read --resources");
  });
});
