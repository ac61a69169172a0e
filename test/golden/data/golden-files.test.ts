/** Files that the original system's programs made, read by ours; expectations were computed by an independent program. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listInput } from "../../../data/inputs.ts";
import { readMaps } from "../../../data/maps.ts";
import { parseResults } from "../../../data/result-text.ts";
import { openShard } from "../../../data/shard.ts";
import { GOLDEN } from "../../support/shard-fixtures.ts";

describe("readMaps()", () => {
  it("reads the original's maps, and its coordinates by their type", async () => {
    const expected = JSON.parse(await readFile(join(GOLDEN, "maps_expected.json"), "utf8")) as Record<
      string,
      number[][]
    >;
    const maps = await readMaps(join(GOLDEN, "maps.hdf5"));
    expect([maps.xSize, maps.ySize]).toEqual([5, 4]);
    expect(maps.maps.map(({ name }) => name)).toEqual(Object.keys(expected).toSorted());
    for (const [name, rows] of Object.entries(expected)) expect([...maps.values(name)]).toEqual(rows.flat());
    expect(maps.coordinateNames()).toEqual({ x: "INJ_map", y: "FBT_map" });
    const { x, y } = maps.coordinates()!;
    expect([x[0], x[4], x[19]]).toEqual([10, 10.5, 12]);
    expect(Array.from(y.slice(0, 5))).toEqual([1, 1.25, 1.5, 1.75, 1]);
    maps.close();
  });
});

describe("openShard()", () => {
  it("finds each cell of the 5 x 4 grid once in the golden shards, where their attributes say 6 x 6", async () => {
    const cells: string[] = [];
    const ends: number[] = [];
    for (const file of (await listInput(GOLDEN)).files) {
      const shard = await openShard(file.name, { path: file.path });
      expect(shard.problems).toEqual([]);
      expect(new Set(shard.series.map(({ length }) => length))).toEqual(new Set([600]));
      cells.push(...shard.series.map(({ x, y }) => `${x},${y}`));
      ends.push(shard.attributes.xIndexMax!, shard.attributes.yIndexMax!);
      for (const index of shard.series.keys()) expect(shard.read(index).every(Number.isFinite)).toBe(true);
      shard.close();
    }
    const grid = Array.from({ length: 20 }, (_, cell) => `${Math.floor(cell / 4)},${cell % 4}`);
    expect(cells.toSorted()).toEqual(grid.toSorted());
    expect(Math.max(...ends)).toBe(5);
  });
});

describe("parseResults()", () => {
  it("reads the original's results, which are its map to 12 digits", async () => {
    const name = "raw_shard_000_000.hdf5-pe.txt";
    const maps = await readMaps(join(GOLDEN, "maps.hdf5"));
    const values = maps.values("m006t002");
    maps.close();
    for (const { x, y, value } of parseResults(await readFile(join(GOLDEN, name), "utf8"), name))
      expect(value).toBe(Number(values[x * 4 + y]!.toFixed(12)));
  });
});
