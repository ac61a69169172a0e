/** Ranges compose: parts of an input, in any order, touched, copied or overlapping, give the maps of one full run. */
import { cp, readdir, readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { Random } from "../../common/random.ts";
import { HOOK_MS, expectError, runWell } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { copyGolden, copyGoldenShards } from "../support/golden.ts";
import { compareMaps, differences, mapsContent } from "../support/maps-files.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

let input = "";
let full = "";

beforeAll(async () => {
  const folder = await fileFolder();
  input = await simulateShardsInto(folder);
  full = join(folder, "full.hdf5");
  await runWell(runArgs(input, full));
}, HOOK_MS);

/** Runs each piece into one file. */
async function compose(pieces: readonly (readonly string[])[]): Promise<string> {
  const folder = await testFolder();
  const output = join(folder, "maps.hdf5");
  for (const piece of pieces) await runWell(runArgs(input, output, ...piece));
  expect(leftovers(folder)).toEqual([]);
  return output;
}

describe("run over ranges", () => {
  for (const seed of [1, 2])
    test(`over disjoint --shards in random order (seed ${seed}) equals one full run`, async () => {
      const pieces = shuffled(["0:3", "3:4,9:12", "4:9", "12:"], new Random(seed));
      const output = await compose(pieces.map((range) => ["--shards", range]));
      expect(await compareMaps(output, full)).toEqual([]);
    });

  test("over disjoint --x and --y windows that cut through shards equals one full run", async () => {
    const output = await compose([
      ["--x", "5:", "--y", "0:4"],
      ["--x", "0:5"],
      ["--x", "5:12", "--y", "4:"],
    ]);
    expect(await compareMaps(output, full)).toEqual([]);
  });

  test("that overlap equals one full run", async () => {
    const output = await compose([
      ["--shards", "4:16"],
      ["--shards", "0:9,2:5"],
      ["--x", "2:8"],
    ]);
    expect(await compareMaps(output, full)).toEqual([]);
  });

  test("leaves cells outside of the range NaN and counts those that are done", async () => {
    const output = await compose([["--x", "0:4", "--y", "1:3"]]);
    const { blocks } = await mapsContent(output);
    expect(blocks.get("m003t001 counts")).toEqual(["8 done, 0 failed"]);
    const done = blocks.get("m003t001 status")!.flatMap((status, cell) => (status === "1" ? [cell] : []));
    expect(done).toEqual([1, 2, 11, 12, 21, 22, 31, 32]);
    expect(blocks.get("m003t001 values")!.filter((value) => value.endsWith("(NaN)"))).toHaveLength(112);
  });
});

describe("run into a file that is there", () => {
  test("refuses maps of another input, and replaces them when told to", async () => {
    const folder = await testFolder();
    const other = join(folder, "other");
    await runWell([
      "simulate",
      "--model",
      "injection",
      "--grid",
      "12x10",
      "--samples",
      "600",
      "--shard-size",
      "3",
      "--seed",
      "6",
      "--gzip-level",
      "1",
      "--output",
      other,
    ]);
    const output = join(folder, "maps.hdf5");
    await cp(full, output);
    const before = await readFile(output);
    const told = await expectError(runArgs(other, output), "PE_MAPS_CONFLICT", 65);
    expect(told).toContain("m003t001");
    expect((await readFile(output)).equals(before)).toBe(true);
    expect(leftovers(folder)).toEqual([]);
    await runWell(runArgs(other, output, "--replace"));
    const clean = join(folder, "clean.hdf5");
    await runWell(runArgs(other, clean));
    expect(await compareMaps(output, clean)).toEqual([]);
  });

  test("refuses another grid even with --replace", async () => {
    const folder = await testFolder();
    const golden = await copyGoldenShards(join(folder, "golden"));
    const output = join(folder, "maps.hdf5");
    await cp(full, output);
    const told = await expectError(runArgs(golden, output, "--replace"), "PE_MAPS_CONFLICT", 65);
    expect(told).toContain("its grid is 12 x 10, that of the input 5 x 4");
  });

  test("goes on with a touched input and with a copied one", async () => {
    const folder = await testFolder();
    const copy = join(folder, "copy");
    await cp(input, copy, { recursive: true });
    const output = join(folder, "maps.hdf5");
    await runWell(runArgs(copy, output, "--shards", "0:5"));
    for (const name of await readdir(copy)) await utimes(join(copy, name), new Date(), new Date(1e12));
    await runWell(runArgs(copy, output, "--shards", "5:11"));
    await runWell(runArgs(input, output, "--shards", "11:"));
    expect(await compareMaps(output, full)).toEqual([]);
  });

  test("keeps its other maps bit for bit, those of the original system too", async () => {
    const folder = await testFolder();
    const golden = await copyGoldenShards(folder);
    const output = await copyGolden("maps.hdf5", folder);
    const before = await mapsContent(output);
    await runWell(["run", "--input", golden, "--output", output, "--orders", "4", "--delays", "3"]);
    const old = (name: string): boolean => !name.startsWith("m004t003");
    const after = await mapsContent(output, old);
    const kept = [...after.blocks].filter(([name]) => before.blocks.has(name));
    expect(differences({ ...after, blocks: new Map(kept) }, before)).toEqual([]);
    expect((await mapsContent(output)).blocks.get("m004t003 counts")).toEqual(["20 done, 0 failed"]);
  });

  test("refuses to merge into a map of the original system, which names no input", async () => {
    const folder = await testFolder();
    const golden = await copyGoldenShards(folder);
    const output = await copyGolden("maps.hdf5", folder);
    const before = await readFile(output);
    const args = ["run", "--input", golden, "--output", output, "--orders", "6", "--delays", "2"];
    await expectError(args, "PE_MAPS_CONFLICT", 65);
    expect((await readFile(output)).equals(before)).toBe(true);
    await runWell([...args, "--replace"]);
  });
});

function shuffled<Value>(values: readonly Value[], random: Random): Value[] {
  const left = [...values];
  return Array.from(values, () => left.splice(random.integer(left.length), 1)[0]!);
}
