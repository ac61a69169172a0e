/** Simulated shards: one seed, one set of values, however they were made. */
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { openShard } from "../../data/shard.ts";
import { sha256Of } from "../../data/hash.ts";
import { HOOK_MS, expectError, runWell, startClient } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";

const SIMULATION = ["simulate", "--model", "feedback", "--grid", "5x4", "--samples", "400", "--seed", "3"];

/** By cell: variables and a hash of the samples. */
async function seriesOf(folder: string): Promise<Map<string, string>> {
  const cells = new Map<string, string>();
  for (const name of (await readdir(folder)).filter((file) => file.endsWith(".hdf5"))) {
    const shard = await openShard(name, { path: join(folder, name) });
    try {
      for (const [index, { x, y, xVariable, yVariable, length }] of shard.series.entries()) {
        const samples = shard.read(index);
        const digest = sha256Of(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
        expect(cells.has(`${x},${y}`)).toBe(false);
        cells.set(`${x},${y}`, `${xVariable} ${yVariable} ${length} ${digest}`);
      }
    } finally {
      shard.close();
    }
  }
  return new Map([...cells].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

let reference: Map<string, string>;

beforeAll(async () => {
  const folder = join(await fileFolder(), "shards");
  await runWell([...SIMULATION, "--shard-size", "3", "--threads", "1", "--output", folder]);
  reference = await seriesOf(folder);
}, HOOK_MS);

describe("simulate", () => {
  test("fills every cell of the grid with a series of its own", () => {
    expect(reference.size).toBe(20);
    expect(new Set([...reference.values()].map((cell) => cell.split(" ")[3])).size).toBe(20);
  });

  test.each([
    ["two threads", ["--shard-size", "3", "--threads", "2"]],
    ["another shard size", ["--shard-size", "2"]],
    ["another compression", ["--shard-size", "9", "--gzip-level", "1"]],
  ])("gives the same values with %s", async (_, options) => {
    const folder = join(await testFolder(), "shards");
    await runWell([...SIMULATION, ...options, "--output", folder]);
    expect(await seriesOf(folder)).toEqual(reference);
  });

  test("gives other values for another seed", async () => {
    const folder = join(await testFolder(), "shards");
    await runWell([...SIMULATION, "--shard-size", "3", "--seed", "4", "--output", folder]);
    const found = await seriesOf(folder);
    for (const [cell, series] of found) expect(series).not.toBe(reference.get(cell));
  });

  test("goes on after kill -9, and makes a shard anew that was cut off", async () => {
    const folder = join(await testFolder(), "shards");
    const args = [...SIMULATION, "--shard-size", "1", "--output", folder];
    const { child, outcome } = startClient(args);
    while (child.exitCode === null && !(await shardsIn(folder)).length) await wait(5);
    child.kill("SIGKILL");
    await outcome;
    const [first] = await shardsIn(folder);
    await writeFile(join(folder, first!), "torn");
    await runWell(args);
    expect(await seriesOf(folder)).toEqual(reference);
    expect(leftovers(folder)).toEqual([]);
  });

  test("makes only what is missing when run again, and says how much there is", async () => {
    const folder = join(await testFolder(), "shards");
    const args = [...SIMULATION, "--shard-size", "3", "--output", folder, "--json"];
    await runWell(args);
    await rm(join(folder, "raw_shard_000_003.hdf5"));
    const { stdout } = await runWell(args);
    expect(JSON.parse(stdout)).toMatchObject({ shards: 4, series: 20 });
    expect(await seriesOf(folder)).toEqual(reference);
  });

  test("refuses to mix two simulations in one folder", async () => {
    const folder = join(await testFolder(), "shards");
    await runWell([...SIMULATION, "--shard-size", "3", "--output", folder]);
    const other = [...SIMULATION, "--shard-size", "3", "--seed", "9", "--output", folder];
    expect(await expectError(other, "PE_OUTPUT_CONFLICT", 73)).toContain("other parameters");
    expect(await seriesOf(folder)).toEqual(reference);
  });

  test.each([
    [["--model", "maser"], "feedback or injection"],
    [["--grid", "5"], "60x60"],
    [["--grid", "0x4"], "60x60"],
    [["--samples", "0"], "from 1"],
    [["--samples", "many"], "from 1"],
    [["--seed", "-1"], "from 0"],
    [["--shard-size", "0"], "from 1"],
    [["--gzip-level", "10"], "from 1 to 9"],
    [["--x", "1"], "--x"],
    [["--samples", "20000000", "--shard-size", "9"], "fewer samples or a smaller shard size"],
  ])("refuses %j and writes nothing", async (options, text) => {
    const folder = await testFolder();
    const args = [...SIMULATION, ...options, "--output", join(folder, "shards")];
    expect(await expectError(args, "PE_PARAMETER", 64)).toContain(text);
    expect(await readdir(folder)).toEqual([]);
  });
});

async function shardsIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).filter((name) => /^raw_shard.*hdf5$/.test(name));
}
