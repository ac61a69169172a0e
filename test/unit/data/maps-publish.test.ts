import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createWithLibrary, openWithLibrary } from "../../../data/hdf5/library.ts";
import { CELL_STATUS, mapName, OWNER_CONFLICT, OWNER_NONE, publishMaps, readMaps } from "../../../data/maps.ts";
import type { Maps } from "../../../data/maps.ts";
import { testFolder } from "../../support/folders.ts";
import { withSmallDisk } from "../../support/small-disk.ts";
import { withH5dump, withH5py } from "../../support/independent-hdf5.ts";
import { compareMaps, mapsContent } from "../../support/maps-files.ts";
import { cellOf, CLAIMS, digestOf, jobOf, KEYS, X_SIZE, Y_SIZE } from "../../support/maps-updates.ts";
import { GOLDEN } from "../../support/shard-fixtures.ts";

const CELLS = X_SIZE * Y_SIZE;

async function withMaps<Result>(path: string, act: (maps: Maps) => Result): Promise<Result> {
  const maps = await readMaps(path);
  try {
    return act(maps);
  } finally {
    maps.close();
  }
}

async function newPath(): Promise<string> {
  return join(await testFolder(), "maps.hdf5");
}

/** The golden maps in a grid of 5 x 4, with attributes of the original system only. */
async function originalPath(): Promise<string> {
  const path = await newPath();
  await writeFile(path, await readFile(join(GOLDEN, "maps.hdf5")));
  return path;
}

const originalGrid = {
  xSize: 5,
  ySize: 4,
  owners: new Int32Array(20).fill(0),
  coordinates: { x: new Float64Array(20).fill(NaN), y: new Float64Array(20).fill(NaN) },
};
const half = { values: new Float64Array(20).fill(0.5), status: new Uint8Array(20).fill(CELL_STATUS.value) };

describe("publishMaps()", () => {
  it("writes maps, statuses, owners, coordinates and the input they come from", async () => {
    const path = await newPath();
    const published = await publishMaps(path, jobOf());
    expect(published).toEqual({
      maps: KEYS.map((key) => ({ name: mapName(key), cells: CELLS, cellsDone: 11, cellsFailed: 2 })),
      conflicts: [],
    });
    await withMaps(path, (maps) => {
      expect([maps.xSize, maps.ySize]).toEqual([X_SIZE, Y_SIZE]);
      expect(maps.sources).toEqual([jobOf().source]);
      expect([...maps.owners(digestOf("input"))!]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3, OWNER_NONE]);
      for (const key of KEYS) {
        const info = maps.maps.find(({ name }) => name === mapName(key))!;
        expect(info).toMatchObject({ ...key, cellsDone: 11, cellsFailed: 2, sourceDigest: digestOf("input") });
        expect(info.attributes.get("order")).toBe(BigInt(key.order));
        const expected = [...maps.owners(digestOf("input"))!].map((owner, cell) =>
          owner === OWNER_NONE ? { value: NaN, status: CELL_STATUS.notComputed } : cellOf(key, owner, cell),
        );
        expect([...maps.values(info.name)]).toEqual(expected.map(({ value }) => value));
        expect([...maps.status(info.name)!]).toEqual(expected.map(({ status }) => status));
      }
      expect(maps.coordinates()!.x[11]).toBeNaN();
      expect(Array.from(maps.coordinates()!.x.slice(0, 4))).toEqual([10, 10, 10, 10.5]);
      expect(Array.from(maps.coordinates()!.y.slice(0, 4))).toEqual([1, 1.25, 1.5, 1]);
    });
    expect(await readdir(join(path, ".."))).toEqual(["maps.hdf5"]);
  });

  it("writes what h5py reads as the original's layout", async (context) => {
    const path = await newPath();
    await publishMaps(path, jobOf());
    const script = `
import h5py, json, sys
f = h5py.File(sys.argv[1], "r")
m = f["m003t001"]
text = {k: v if isinstance(v, str) else [int(v), str(v.dtype)] for k, v in m.attrs.items()}
print(json.dumps([{k: int(v) for k, v in f.attrs.items()}, sorted(f), m.shape, m.chunks, m.compression_opts, str(m.dtype), text,
  sorted(k for k in f if f[k].attrs["type"] == "permutation entropy"), f["x_variables"].attrs["type"], f["provenance"].attrs["type"],
  [repr(v) for v in m[:].ravel().tolist()], [s["name"] for s in json.loads(f["provenance/" + text["source_digest"][:12] + "/shards"][()])]]))`;
    const values = await withMaps(path, (maps) => [...maps.values("m003t001")]);
    expect(withH5py(context, script, path)).toEqual([
      { x_size: X_SIZE, y_size: Y_SIZE },
      ["m003t001", "m006t002_weighted", "provenance", "x_variables", "y_variables"],
      [X_SIZE, Y_SIZE],
      [X_SIZE, Y_SIZE],
      9,
      "float64",
      {
        type: "permutation entropy",
        order: [3, "int64"],
        delay: [1, "int64"],
        cells_done: [11, "int64"],
        cells_failed: [2, "int64"],
        software: "pe-cluster 0.0.0",
        kernel: "test-1",
        source_digest: digestOf("input"),
        date: "2024-01-02T03:04:05.000Z",
      },
      ["m003t001"],
      "x_variables",
      "provenance",
      values.map((value) => (Number.isNaN(value) ? "nan" : expect.stringMatching(/^0\.\d+$/))),
      jobOf().source.shards.map(({ name }) => name),
    ]);
  });

  it("writes what h5dump reads", async (context) => {
    const path = await newPath();
    await publishMaps(path, jobOf());
    expect(withH5dump(context, "-H", "-B", path)).toContain("SUPERBLOCK_VERSION 0");
    expect(withH5dump(context, "-d", "/m003t001", path)).toContain("(0,0): 0.333333, ");
  });

  it("merges ranges of one input into what one job over all of it gives", async () => {
    const [whole, parts] = [await newPath(), await newPath()];
    await publishMaps(whole, jobOf());
    for (const shards of [[2], [0, 3], [1]]) await publishMaps(parts, jobOf({ shards }));
    expect(await compareMaps(parts, whole)).toEqual([]);
  });

  it("says of a part how many cells are done, and leaves the others NaN", async () => {
    const path = await newPath();
    const { maps: published } = await publishMaps(path, jobOf({ shards: [2] }));
    expect(published[0]).toMatchObject({ cells: CELLS, cellsDone: 2, cellsFailed: 0 });
    await withMaps(path, (maps) => {
      expect([...maps.values("m003t001")].filter((value) => !Number.isNaN(value))).toHaveLength(2);
      expect(maps.coordinates()!.x.filter((value) => !Number.isNaN(value))).toHaveLength(2);
    });
  });

  it("replaces a cell that the same shard computes again, and no other", async () => {
    const path = await newPath();
    await publishMaps(path, jobOf());
    const again = jobOf({ shards: [1] });
    const values = new Float64Array(CELLS).fill(0.25);
    const status = new Uint8Array(CELLS).fill(CELL_STATUS.value);
    await publishMaps(path, { ...again, maps: [{ ...KEYS[0]!, load: async () => ({ values, status }) }] });
    await withMaps(path, (maps) => {
      expect(Array.from(maps.values("m003t001").slice(2, 7))).toEqual([
        cellOf(KEYS[0]!, 0, 2).value,
        0.25,
        0.25,
        0.25,
        cellOf(KEYS[0]!, 2, 6).value,
      ]);
      expect(maps.values("m006t002_weighted")[3]).toBe(cellOf(KEYS[1]!, 1, 3).value);
    });
  });

  it("makes a cell of two shards NaN for ever, in one job or in two, and names the shards", async () => {
    const claims = [...CLAIMS.slice(0, 3), [8, 9, 10, 0]];
    const [whole, parts] = [await newPath(), await newPath()];
    expect((await publishMaps(whole, jobOf({ claims }))).conflicts).toEqual([{ x: 0, y: 0, shards: [] }]);
    await publishMaps(parts, jobOf({ claims, shards: [0, 1, 2] }));
    const { conflicts } = await publishMaps(parts, jobOf({ claims, shards: [3] }));
    expect(conflicts).toEqual([{ x: 0, y: 0, shards: ["größe  0.hdf5", "größe  3.hdf5"] }]);
    expect(await compareMaps(parts, whole)).toEqual([]);
    await publishMaps(parts, jobOf({ claims, shards: [0] }));
    expect(await compareMaps(parts, whole)).toEqual([]);
    await withMaps(parts, (maps) => {
      expect(maps.values("m003t001")[0]).toBeNaN();
      expect(maps.status("m003t001")![0]).toBe(CELL_STATUS.conflict);
      expect(maps.owners(digestOf("input"))![0]).toBe(OWNER_CONFLICT);
    });
  });

  it("adds maps to those of the original system, whose values, names and coordinates stay", async () => {
    const path = await originalPath();
    const before = await mapsContent(path);
    const names = await withMaps(path, (maps) => maps.coordinateNames());
    await publishMaps(path, jobOf({ change: { ...originalGrid, maps: [{ ...KEYS[1]!, load: async () => half }] } }));
    await withMaps(path, (maps) => {
      expect(maps.maps.map(({ name }) => name)).toEqual(["m003t001", "m005t007", "m006t002", "m006t002_weighted"]);
      expect(maps.coordinateNames()).toEqual(names);
    });
    const after = await mapsContent(path);
    for (const [name, block] of before.blocks) expect([name, after.blocks.get(name)]).toEqual([name, block]);
  });

  it("refuses to merge into a map that does not say where it comes from, and replaces it when told to", async () => {
    const path = await originalPath();
    const bytes = await readFile(path);
    const job = jobOf({
      change: { ...originalGrid, maps: [{ order: 6, delay: 2, measure: "pe", load: async () => half }] },
    });
    await expect(publishMaps(path, job)).rejects.toMatchObject({
      code: "PE_MAPS_CONFLICT",
      message: expect.stringContaining("map m006t002 does not say which input it comes from"),
    });
    expect(await readFile(path)).toEqual(bytes);
    await publishMaps(path, { ...job, replace: true });
    await withMaps(path, (maps) => {
      expect(maps.values("m006t002")).toEqual(half.values);
      expect(maps.maps.map(({ sourceDigest }) => sourceDigest)).toEqual([undefined, undefined, digestOf("input")]);
    });
  });

  it("refuses cells of another input, names both, and replaces exactly the job's maps when told to", async () => {
    const path = await newPath();
    await publishMaps(path, jobOf());
    const bytes = await readFile(path);
    const other = jobOf({ input: "another", shards: [0], keys: [KEYS[0]!] });
    const refusal = expect.stringContaining(
      `comes from input ${digestOf("input").slice(0, 12)}, this is input ${digestOf("another").slice(0, 12)}`,
    );
    await expect(publishMaps(path, other)).rejects.toMatchObject({ code: "PE_MAPS_CONFLICT", message: refusal });
    expect(await readFile(path)).toEqual(bytes);
    await publishMaps(path, { ...other, replace: true });
    await withMaps(path, (maps) => {
      expect(maps.maps.map(({ cellsDone }) => cellsDone)).toEqual([3, 11]);
      expect(maps.sources.map(({ digest }) => digest).toSorted()).toEqual(
        [digestOf("input"), digestOf("another")].toSorted(),
      );
      expect(maps.status("m006t002_weighted")![5]).toBe(CELL_STATUS.value);
    });
    // Once no map comes from the first input, nothing of it stays.
    await publishMaps(path, jobOf({ input: "another", keys: [KEYS[1]!], change: { replace: true } }));
    await withMaps(path, (maps) => expect(maps.sources.map(({ digest }) => digest)).toEqual([digestOf("another")]));
  });

  it("keeps the other inputs of a file through later merges", async () => {
    const path = await newPath();
    await publishMaps(path, jobOf({ keys: [KEYS[0]!] }));
    await publishMaps(path, jobOf({ input: "another", keys: [KEYS[1]!], change: { replace: true } }));
    const before = await mapsContent(path, (name) => name === "m003t001");
    await publishMaps(path, jobOf({ input: "another", keys: [KEYS[1]!], shards: [1] }));
    expect((await mapsContent(path, (name) => name === "m003t001")).blocks).toEqual(before.blocks);
  });

  it("refuses another grid, another kernel, and coordinates of another experiment", async () => {
    const path = await newPath();
    await publishMaps(path, jobOf());
    await expect(publishMaps(path, jobOf({ change: originalGrid }))).rejects.toMatchObject({
      code: "PE_MAPS_CONFLICT",
      message: expect.stringContaining("its grid is 4 x 3, that of the input 5 x 4"),
    });
    await expect(publishMaps(path, jobOf({ change: { kernel: "test-2" } }))).rejects.toMatchObject({
      message: expect.stringContaining("was computed by kernel test-1, this is kernel test-2"),
    });
    const { x, y } = jobOf().coordinates;
    const elsewhere = { x: x.map((value) => value + 1), y };
    const keys = [{ order: 4, delay: 4, measure: "pe" as const }];
    await expect(
      publishMaps(path, jobOf({ input: "another", keys, change: { coordinates: elsewhere } })),
    ).rejects.toMatchObject({
      message: expect.stringContaining("its x coordinate of cell 0,0 is 10, that of the input 11"),
    });
  });

  it("keeps hashes of shards from earlier jobs, and refuses a shard that changed", async () => {
    const path = await newPath();
    const hashed = (shards: readonly number[], text: string) => {
      const job = jobOf({ shards });
      const named = job.source.shards.map((shard, ordinal) =>
        shards.includes(ordinal) ? { ...shard, sha256: digestOf(`${text} ${ordinal}`) } : shard,
      );
      return { ...job, source: { ...job.source, shards: named } };
    };
    await publishMaps(path, hashed([0], "one"));
    await publishMaps(path, hashed([1], "one"));
    await withMaps(path, ({ sources }) =>
      expect(sources[0]!.shards.map(({ sha256 }) => sha256)).toEqual([
        digestOf("one 0"),
        digestOf("one 1"),
        undefined,
        undefined,
      ]),
    );
    await expect(publishMaps(path, hashed([1], "two"))).rejects.toMatchObject({
      code: "PE_INPUT_CHANGED",
      message: expect.stringContaining('shard "größe  1.hdf5" has another content'),
    });
  });

  it("writes no coordinates that nobody knows", async () => {
    const path = await newPath();
    const unknown = { x: new Float64Array(CELLS).fill(NaN), y: new Float64Array(CELLS).fill(NaN) };
    await publishMaps(path, jobOf({ change: { coordinates: unknown } }));
    await withMaps(path, (maps) => expect(maps.coordinates()).toBeUndefined());
  });

  it("copies whatever else lies in the file, or refuses to lose it", async () => {
    const path = await newPath();
    const writer = await createWithLibrary(path);
    writer.attribute("/", "x_size", BigInt(X_SIZE));
    writer.attribute("/", "y_size", BigInt(Y_SIZE));
    writer.attribute("/", "title", "größe");
    writer.dataset("/counts", Int16Array.of(1, -2, 3), [3], 9);
    writer.attribute("/counts", "scale", 0.5);
    writer.group("/notes");
    writer.text("/notes/one", "a note: größe");
    writer.close();
    await publishMaps(path, jobOf());
    const file = await openWithLibrary({ path });
    expect(file.attributes("/").get("title")).toBe("größe");
    expect(file.attributes("/counts").get("scale")).toBe(0.5);
    expect(file.dataset("/counts").element).toMatchObject({ signed: true, bytes: 2 });
    expect([...new Int16Array(file.readBytes("/counts").buffer)]).toEqual([1, -2, 3]);
    expect(file.readText("/notes/one")).toBe("a note: größe");
    file.close();
  });

  it("refuses to lose what it cannot copy", async (context) => {
    const path = await newPath();
    const script = `
import h5py, sys, numpy as np
f = h5py.File(sys.argv[1], "w")
f.attrs["x_size"], f.attrs["y_size"] = ${X_SIZE}, ${Y_SIZE}
f.create_dataset("table", data=np.zeros(3, dtype=[("a", "f8"), ("b", "i4")]))
print(1)`;
    withH5py(context, script, path);
    const bytes = await readFile(path);
    await expect(publishMaps(path, jobOf())).rejects.toMatchObject({
      code: "PE_MAPS_CONFLICT",
      message: expect.stringContaining('"/table" is of a type that cannot be copied'),
    });
    expect(await readFile(path)).toEqual(bytes);
    expect(await readdir(join(path, ".."))).toEqual(["maps.hdf5"]);
  });

  it("refuses to lose an attribute that it cannot copy", async (context) => {
    const path = await newPath();
    const script = `
import h5py, sys
f = h5py.File(sys.argv[1], "w")
f.attrs["x_size"], f.attrs["y_size"], f.attrs["limits"] = ${X_SIZE}, ${Y_SIZE}, [0.5, 1.5]
print(1)`;
    withH5py(context, script, path);
    await expect(publishMaps(path, jobOf())).rejects.toMatchObject({
      code: "PE_MAPS_CONFLICT",
      message: expect.stringContaining('attribute limits of "/" is of a type that cannot be copied'),
    });
  });

  it("refuses an old file that cannot be read, and one that is no maps file", async () => {
    const path = await newPath();
    const golden = await readFile(join(GOLDEN, "maps.hdf5"));
    for (const content of ["no HDF5", golden.subarray(0, 5000)]) {
      await writeFile(path, content);
      await expect(publishMaps(path, jobOf())).rejects.toMatchObject({ code: "PE_MAPS_UNREADABLE" });
    }
    await copyFile(join(GOLDEN, "raw_shard_000_000.hdf5"), path);
    await expect(publishMaps(path, jobOf())).rejects.toMatchObject({
      code: "PE_MAPS_UNREADABLE",
      message: expect.stringContaining("it is no maps file"),
    });
  });

  it("keeps the old file when a map cannot be loaded", async () => {
    const path = await newPath();
    await publishMaps(path, jobOf());
    const bytes = await readFile(path);
    const failing = { ...KEYS[0]!, load: () => Promise.reject(new Error("the part is gone")) };
    await expect(publishMaps(path, jobOf({ change: { maps: [failing] } }))).rejects.toMatchObject({
      code: "PE_MAPS_UNREADABLE",
      message: expect.stringContaining("the part is gone"),
    });
    expect(await readFile(path)).toEqual(bytes);
    expect(await readdir(join(path, ".."))).toEqual(["maps.hdf5"]);
  });

  it("says that the folder is missing, or a folder in the way", async () => {
    const folder = await testFolder();
    await expect(publishMaps(join(folder, "none", "maps.hdf5"), jobOf())).rejects.toMatchObject({
      code: "PE_OUTPUT_UNWRITABLE",
    });
    await expect(publishMaps(folder, jobOf())).rejects.toMatchObject({ code: "PE_OUTPUT_UNWRITABLE" });
  });

  it("says that the disk is full, and keeps the old file", async (context) => {
    await withSmallDisk(context, "100k", async (folder) => {
      const path = join(folder, "maps.hdf5");
      await publishMaps(path, jobOf());
      const bytes = await readFile(path);
      const keys = Array.from({ length: 60 }, (_, delay) => ({ order: 3, delay: delay + 2, measure: "pe" as const }));
      await expect(publishMaps(path, jobOf({ keys }))).rejects.toMatchObject({ code: "PE_DISK_FULL" });
      expect(await readFile(path)).toEqual(bytes);
      expect(await readdir(folder)).toEqual(["maps.hdf5"]);
    });
  });
});

describe("readMaps()", () => {
  it("says what is missing: the file, a map", async () => {
    await expect(readMaps(await newPath())).rejects.toMatchObject({ code: "PE_INPUT_EMPTY" });
    await withMaps(join(GOLDEN, "maps.hdf5"), (maps) => {
      expect(() => maps.values("m009t009")).toThrow(expect.objectContaining({ code: "PE_MAPS_UNREADABLE" }));
      expect(maps.status("m006t002")).toBeUndefined();
      expect(maps.owners(digestOf("input"))).toBeUndefined();
    });
  });
});
