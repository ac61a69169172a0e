import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  formatResults,
  formatTaskLines,
  parseResults,
  parseTaskLines,
  resultFileName,
} from "../../../data/result-text.ts";
import { GOLDEN } from "../../support/shard-fixtures.ts";

describe("formatResults()", () => {
  it("prints the shortest text that reads back to the same number, without spaces or header", () => {
    const lines = [
      { x: 0, y: 0, value: 0.8942390185992766 },
      { x: 12, y: 350, value: 0 },
      { x: 1, y: 2, value: NaN },
      { x: 1, y: 3, value: 1.2e-10 },
    ];
    expect(formatResults(lines)).toBe("0,0,0.8942390185992766\n12,350,0\n1,2,NaN\n1,3,1.2e-10\n");
    expect(parseResults(formatResults(lines), "a")).toEqual(lines);
    expect(formatResults([])).toBe("");
  });
});

describe("parseResults()", () => {
  it("reads the 12 digits of the original system", () => {
    const name = "raw_shard_000_000.hdf5-pe.txt";
    const lines = parseResults(readFileSync(join(GOLDEN, name), "utf8"), name);
    expect(lines).toHaveLength(9);
    expect(lines[1]).toEqual({ x: 0, y: 1, value: 0.834368605861 });
  });
  it("takes carriage returns, blank lines at the end and Python's nan", () => {
    expect(parseResults("0,1,nan\r\n0,2,1\r\n\r\n", "a")).toEqual([
      { x: 0, y: 1, value: NaN },
      { x: 0, y: 2, value: 1 },
    ]);
  });
  it.each(["x,y,pe", "0,0", "0, 0, 0.5", "-1,0,0.5", "0,0,0.5,1", "0.5,0,1", "0,0,abc"])(
    "refuses %j with its line",
    (line) => {
      expect(() => parseResults(`0,0,1\n${line}\n`, "r.txt")).toThrow(
        expect.objectContaining({ code: "PE_RESULTS_UNREADABLE", details: { name: "r.txt", line: 2 } }),
      );
    },
  );
});

describe("resultFileName()", () => {
  it("appends -pe.txt to the file name of the shard", () => {
    expect(resultFileName("a/b  c/raw_shard_000_000.hdf5")).toBe("raw_shard_000_000.hdf5-pe.txt");
  });
});

describe("parseTaskLines()", () => {
  const tasks = [
    {
      order: 6,
      delay: 2,
      infile: "s3://bucket/Optically Injected/raw_shard_000_000.hdf5",
      outfile: "s3://bucket/out  two spaces/raw_shard_000_000.hdf5-pe.txt",
    },
    { order: 6, delay: 10, infile: "s3://bucket/b.hdf5", outfile: "out/b.hdf5-pe.txt" },
  ];
  it("reads what formatTaskLines() writes, spaces in keys included", () => {
    const text = formatTaskLines(tasks);
    expect(text.split("\n")[0]).toBe(`6\t2\t${tasks[0]!.infile}\t${tasks[0]!.outfile}`);
    expect(parseTaskLines(text, "tasks-m06t02.txt")).toEqual(tasks);
  });
  it("reads numbers with leading zeros and lines that end with a carriage return", () => {
    expect(parseTaskLines("06\t02\ta b\tc\r\n", "t")).toEqual([{ order: 6, delay: 2, infile: "a b", outfile: "c" }]);
  });
  it.each(["6 2 a b", "6\t2\ta", "6\t2\ta\tb\tc", "six\t2\ta\tb", "6\t2\t\tb"])("refuses %j with its line", (line) => {
    expect(() => parseTaskLines(`6\t2\ta\tb\n\n${line}\n`, "t.txt")).toThrow(
      expect.objectContaining({ code: "PE_RESULTS_UNREADABLE", details: { name: "t.txt", line: 3 } }),
    );
  });
});
