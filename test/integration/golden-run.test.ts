/** The main job on the golden shards: every value, the report, the streams. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readMaps } from "../../data/maps.ts";
import { parseResults } from "../../data/result-text.ts";
import type { MapJobReport } from "../../index.ts";
import { runWell } from "../support/client.ts";
import { leftovers, testFolder } from "../support/folders.ts";
import { copyGoldenShards, goldenPath, sharedFile } from "../support/golden.ts";

const TOLERANCE = 1e-12;

test("run on the golden shards gives every value of the independent program", async () => {
  const folder = await testFolder();
  const input = await copyGoldenShards(join(folder, "shards"));
  const output = join(folder, "maps.hdf5");
  await runWell(["run", "--input", input, "--output", output, "--orders", "3-6", "--delays", "1-7"]);
  const expected = JSON.parse(readFileSync(goldenPath("maps_expected.json"), "utf8")) as Record<string, number[][]>;
  const maps = await readMaps(output);
  try {
    expect([maps.xSize, maps.ySize]).toEqual([5, 4]);
    expect(Object.keys(expected)).not.toHaveLength(0);
    for (const [name, rows] of Object.entries(expected)) {
      const values = maps.values(name);
      for (const [x, row] of rows.entries())
        for (const [y, value] of row.entries())
          expect(Math.abs(values[x * 4 + y]! - value), `${name} at ${x},${y}`).toBeLessThanOrEqual(TOLERANCE);
    }
  } finally {
    maps.close();
  }
  expect(leftovers(folder)).toEqual([]);
  expect((await readdir(folder)).toSorted()).toEqual(["maps.hdf5", "maps.report.json", "maps.report.md", "shards"]);
});

test("export of a golden map gives the lines of the original result file", async () => {
  const folder = await testFolder();
  const input = await copyGoldenShards(join(folder, "shards"));
  const output = join(folder, "maps.hdf5");
  await runWell(["run", "--input", input, "--output", output, "--orders", "6", "--delays", "2", "--shards", "0:1"]);
  const { stdout } = await runWell(["export", output, "--map", "m006t002"]);
  const name = "raw_shard_000_000.hdf5-pe.txt";
  const original = parseResults(readFileSync(goldenPath(name), "utf8"), name);
  const found = parseResults(stdout, "export");
  expect(found.map(({ x, y }) => `${x},${y}`)).toEqual(original.map(({ x, y }) => `${x},${y}`));
  for (const [place, { value }] of found.entries()) {
    expect(value.toFixed(12)).toBe(original[place]!.value.toFixed(12));
    expect(stdout.split("\n")[place]).toBe(`${found[place]!.x},${found[place]!.y},${value}`);
  }
});

test("run --json prints one document that equals the report file, and nothing else on stdout", async () => {
  const folder = await testFolder();
  const input = await copyGoldenShards(join(folder, "shards"));
  const output = join(folder, "maps.hdf5");
  const args = ["run", "--input", input, "--output", output, "--orders", "3,4", "--delays", "1"];
  const { stdout, stderr } = await runWell([...args, "--json"]);
  const report = JSON.parse(stdout) as MapJobReport;
  expect(report).toMatchObject({
    grid: [5, 4],
    samples: 600,
    orders: [3, 4],
    delays: [1],
    measures: ["pe"],
    series: { computed: 20, now: 20 },
    jobCells: { withValue: 20, withReason: 0 },
    emptyCells: 0,
    problems: [],
    tasks: { finishedBefore: 0, failed: 0 },
  });
  expect(report.maps.map(({ name, cells, cellsDone }) => [name, cells, cellsDone])).toEqual([
    ["m003t001", 20, 20],
    ["m004t001", 20, 20],
  ]);
  expect(JSON.parse(readFileSync(join(folder, "maps.report.json"), "utf8"))).toEqual(report);
  const page = readFileSync(join(folder, "maps.report.md"), "utf8");
  expect(page).toContain("| m003t001 | 20 of 20 |");
  expect(page).toContain("Grid: 5 x 4 cells, 0 of them without a series");
  expect(stderr).toContain("grid 5 x 4");
  expect(stderr).not.toContain("\r");
});

test("run with all measures writes each under its name, within its bounds", async () => {
  const folder = await testFolder();
  const input = await copyGoldenShards(join(folder, "shards"));
  const output = join(folder, "maps.hdf5");
  const measures = "pe,weighted,complexity,missing";
  await runWell([
    "run",
    "--input",
    input,
    "--output",
    output,
    "--orders",
    "3,5",
    "--delays",
    "1,2",
    "--measures",
    measures,
  ]);
  const maps = await readMaps(output);
  try {
    expect(maps.maps.map(({ name }) => name).filter((name) => name.startsWith("m005t002"))).toEqual([
      "m005t002",
      "m005t002_complexity",
      "m005t002_missing",
      "m005t002_weighted",
    ]);
    expect(maps.maps).toHaveLength(16);
    for (const { name } of maps.maps)
      for (const value of maps.values(name)) {
        expect(value, name).toBeGreaterThanOrEqual(0);
        expect(value, name).toBeLessThanOrEqual(1);
      }
  } finally {
    maps.close();
  }
});

test("run on the Santa Fe series gives its published-by-two-programs values", async ({ skip }) => {
  const input = sharedFile("santafe_a.txt");
  if (input === undefined) return skip("needs ../shared/data/santafe_a.txt");
  const output = join(await testFolder(), "maps.hdf5");
  const { stdout } = await runWell([
    "run",
    "--input",
    input,
    "--output",
    output,
    "--orders",
    "3-7",
    "--delays",
    "1",
    "--json",
  ]);
  const found = (JSON.parse(stdout) as MapJobReport).maps.map(({ mean }) => mean!);
  const expected = [0.819359684521, 0.692328162383, 0.584497184203, 0.484040894564, 0.419186084529];
  for (const [place, value] of expected.entries()) expect(Math.abs(found[place]! - value)).toBeLessThan(1e-12);
});
