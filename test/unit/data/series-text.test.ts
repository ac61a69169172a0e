import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseSeriesText, readSeriesText } from "../../../data/series-text.ts";
import { testFolder } from "../../support/folders.ts";

function parse(text: string): { type: string; samples: number[] } {
  const samples = parseSeriesText(Buffer.from(text), "a.txt");
  return { type: samples.constructor.name, samples: [...samples] };
}

describe("parseSeriesText()", () => {
  it.each([
    ["0\n255\n", "Uint8Array", [0, 255]],
    ["-1\n127\n", "Int8Array", [-1, 127]],
    ["0\n256\n", "Uint16Array", [0, 256]],
    ["-1\n128\n", "Int16Array", [-1, 128]],
    ["0\n70000\n", "Int32Array", [0, 70_000]],
    ["0\n2147483648\n", "Float64Array", [0, 2_147_483_648]],
    ["0\n0.5\n", "Float64Array", [0, 0.5]],
    ["1\n-0\n", "Float64Array", [1, -0]],
    ["", "Uint8Array", []],
  ])("takes the narrowest array that holds all samples: %j", (text, type, samples) => {
    expect(parse(text)).toEqual({ type, samples });
  });
  it("passes over blank lines, comments, spaces, carriage returns and a byte order mark", () => {
    expect(parse("\ufeff# made today\r\n\r\n 1 \r\n\t2\r\n  # two of them\n3").samples).toEqual([1, 2, 3]);
  });
  it("reads every spelling of a number, and NaN and infinity as such", () => {
    expect(parse("+1\n.5\n5.\n1e3\n-2.5E-2").samples).toEqual([1, 0.5, 5, 1000, -0.025]);
    expect(parse("nan\nNaN\ninf\n-Infinity").samples).toEqual([NaN, NaN, Infinity, -Infinity]);
  });
  it.each(["1,2", "1 2", "0x10", "1e", "one", "--1", "1_000", "."])("refuses a line that is no number: %j", (line) => {
    const refusal = { code: "PE_SHARD_LAYOUT", details: { shard: "a.txt", line: 3 } };
    expect(() => parse(`1\n# two\n${line}\n`)).toThrow(expect.objectContaining(refusal));
    expect(() => parse(`1\n# two\n${line}\n`)).toThrow(`line 3 is not a number: "${line}"`);
  });
  it("shows no more than the start of a long line", () => {
    expect(() => parse("x".repeat(1000))).toThrow(`"${"x".repeat(40)}..."`);
  });
});

describe("readSeriesText()", () => {
  it("reads a file", async () => {
    const path = join(await testFolder(), "a.txt");
    await writeFile(path, "1\n2\n3\n");
    expect([...(await readSeriesText(path))]).toEqual([1, 2, 3]);
  });
});
