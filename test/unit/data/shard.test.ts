import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PeError } from "../../../common/errors.ts";
import { cellsClaimedTwice, openShard } from "../../../data/shard.ts";
import type { Shard } from "../../../data/shard.ts";
import { floats, GOLDEN, integers, SHARDS } from "../../support/shard-fixtures.ts";
import { testFolder } from "../../support/folders.ts";

async function withShard<Result>(name: string, act: (shard: Shard) => Result): Promise<Result> {
  const shard = await openShard(name, { path: join(SHARDS, name) });
  try {
    return act(shard);
  } finally {
    shard.close();
  }
}

/** Samples of a dataset as plain numbers, with the constructor's name in front. */
function samplesOf(shard: Shard, dataset: string): (string | number)[] {
  const index = shard.series.findIndex((series) => series.dataset === dataset);
  const samples = shard.read(index);
  return [samples.constructor.name, ...samples];
}

describe("openShard()", () => {
  it("reads what the laser system wrote, from content, from shared memory and from a path", async () => {
    const path = join(SHARDS, "raw_shard_000_000.hdf5");
    const content = new Uint8Array(await readFile(path));
    const shared = new Uint8Array(new SharedArrayBuffer(content.length));
    shared.set(content);
    for (const source of [{ content }, { content: shared }, { path }]) {
      const shard = await openShard("a", source);
      expect(shard.attributes).toEqual({ xIndexMin: 0, yIndexMin: 0, xIndexMax: 1, yIndexMax: 1, shardSize: 2 });
      expect(shard.problems).toEqual([]);
      expect(shard.series[1]).toEqual({
        dataset: "x_000_y_001",
        x: 0,
        y: 1,
        xVariable: 10,
        yVariable: 1.25,
        length: 100,
      });
      for (const [k, { dataset }] of shard.series.entries())
        expect(samplesOf(shard, dataset)).toEqual(["Float64Array", ...floats(k)]);
      shard.close();
    }
  });

  it.each(["latest.hdf5", "v108.hdf5"])("reads the same from newer formats of the file: %s", async (name) => {
    await withShard(name, (shard) => {
      expect(shard.attributes.shardSize).toBe(2);
      for (const [k, { dataset }] of shard.series.entries())
        expect(samplesOf(shard, dataset)).toEqual(["Float64Array", ...floats(k)]);
    });
  });

  it("places series by their attributes, never by their names", async () => {
    await withShard("names-lie.hdf5", ({ series }) => {
      expect(series.map(({ dataset, x, y }) => [dataset, x, y])).toEqual([
        ["x_007_y_008", 0, 1],
        ["x_007_y_009", 0, 0],
      ]);
    });
  });

  it("reads the older layout: INJ is x, FB is y, the first column is the series", async () => {
    await withShard("FB_000_INJ_000_09.hdf5", (shard) => {
      expect(shard.series).toMatchObject([
        { dataset: "FB_000_INJ_000", x: 0, y: 0, length: 100, xVariable: NaN },
        { dataset: "FB_000_INJ_001", x: 1, y: 0 },
        { dataset: "FB_001_INJ_000", x: 0, y: 1 },
      ]);
      expect(samplesOf(shard, "FB_001_INJ_000")).toEqual(["Float64Array", ...floats(1)]);
    });
  });

  it.each(["types-little.hdf5", "types-big.hdf5"])("gives each element type its own array: %s", async (name) => {
    const arrays = ["Float64", "Float32", "Int8", "Uint8", "Int16", "Uint16", "Int32", "Float64", "Float64", "Float64"];
    const types = ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"];
    await withShard(name, (shard) => {
      for (const { dataset } of shard.series) {
        const k = types.indexOf(dataset.slice(0, 2));
        const expected = dataset.startsWith("f") ? floats(k) : integers(k);
        expect(samplesOf(shard, dataset)).toEqual([`${arrays[k]}Array`, ...expected]);
      }
      expect(shard.series).toHaveLength(14);
    });
  });

  it("reads 64-bit integers where float64 holds them exactly, and refuses others", async () => {
    await withShard("exactness.hdf5", (shard) => {
      expect(samplesOf(shard, "exact")).toEqual(["Float64Array", 2 ** 53, 2 ** 60, -(2 ** 53)]);
      expect(() => shard.read(1)).toThrow(expect.objectContaining({ code: "PE_SHARD_LAYOUT" }));
      expect(() => shard.read(1)).toThrow(/"inexact" has an integer above 2\^53/);
    });
  });

  it("reads every storage that HDF5 offers for plain numbers", async () => {
    await withShard("storage.hdf5", (shard) => {
      expect(shard.problems).toEqual([]);
      expect(shard.series).toHaveLength(9);
      for (const { dataset, x, length } of shard.series)
        expect([dataset, ...samplesOf(shard, dataset).slice(1)]).toEqual([dataset, ...floats(x, length)]);
    });
  });

  it("checks Fletcher-32 over an odd number of bytes", async () => {
    await withShard("fletcher-odd.hdf5", (shard) =>
      expect(samplesOf(shard, "odd")).toEqual(["Uint8Array", ...integers(0, 99)]),
    );
  });

  it("names a filter that it does not have, and reads the rest", async () => {
    await withShard("other-filters.hdf5", (shard) => {
      expect(shard.problems).toMatchObject([{ code: "PE_SHARD_UNREADABLE", details: { dataset: "lzf" } }]);
      expect(shard.problems[0]!.message).toContain('needs the filter "lzf"');
      expect(samplesOf(shard, "scale_offset")).toEqual(["Float64Array", ...floats(1)]);
    });
  });

  it("refuses numbers that do not fill their bytes, whose sign would be lost, and floats that are not IEEE's", async () => {
    for (const [name, datasets] of [
      ["partial-types.hdf5", ["other_floats", "twelve_bits"]],
      ["packed.hdf5", ["packed"]],
    ] as const)
      await withShard(name, ({ series, problems }) => {
        expect(series).toEqual([]);
        expect(problems.map(({ code, details }) => [code, details["dataset"]])).toEqual(
          datasets.map((dataset) => ["PE_SHARD_LAYOUT", dataset]),
        );
      });
  });

  it("refuses a series that was never written in full, which HDF5 would read as zeros", async () => {
    await withShard("never-written.hdf5", ({ series, problems }) => {
      expect(series).toEqual([]);
      expect(problems[0]!.message).toContain('"half" was never written in full');
    });
  });

  it("names each dataset that cannot be used, and why", async () => {
    await withShard("problems.hdf5", ({ series, problems }) => {
      expect(series.map(({ dataset }) => dataset)).toEqual(["good"]);
      const reasons = Object.fromEntries(
        problems.map(({ code, message, details }) => [details["dataset"], `${code} ${message.split('" ').at(-1)}`]),
      );
      const noNumbers = "PE_SHARD_LAYOUT is not of plain integers or floats of 8 to 64 bits";
      const shaped = (shape: string) => `PE_SHARD_LAYOUT has shape (${shape}); a series has shape (n) or (n, 1)`;
      const index = (value: string) =>
        `PE_SHARD_LAYOUT has x_index = ${value}; expected a whole number from 0 to 1000000`;
      expect(reasons).toEqual({
        boolean: noNumbers,
        complex: noNumbers,
        compound: noNumbers,
        half_float: noNumbers,
        text: noNumbers,
        cube: shaped("10, 10, 1"),
        null: shaped("none"),
        row: shaped("1, 100"),
        scalar: shaped(""),
        table: shaped("10, 10"),
        fraction: index("1.5"),
        huge: index("2000000"),
        negative: index("-1"),
        no_attributes: "PE_SHARD_LAYOUT has no number as attribute x_index",
        text_index: "PE_SHARD_LAYOUT has no number as attribute x_index",
        no_y: "PE_SHARD_LAYOUT has no number as attribute y_index",
      });
    });
  });

  it.each(["links.hdf5", "external-storage.hdf5"])("refuses every way out of the file: %s", async (name) => {
    await withShard(name, (shard) => {
      expect(samplesOf(shard, "good")).toEqual(["Float64Array", ...floats(0)]);
      expect(shard.series).toHaveLength(1);
      expect(shard.problems.length).toBe(name === "links.hdf5" ? 5 : 1);
      for (const problem of shard.problems) expect(problem.code).toBe("PE_SHARD_UNREADABLE");
      expect(shard.problems.map(({ message }) => message).join("\n")).toContain(
        "has external storage, which is refused",
      );
    });
  });

  it("leaves two series of one cell to the caller, who finds them by cellsClaimedTwice()", async () => {
    await withShard("duplicates.hdf5", ({ series, problems }) => {
      expect(problems).toEqual([]);
      expect([...cellsClaimedTwice(series)]).toEqual(["1,1"]);
    });
  });

  it("reads a group of many nodes and a header of many blocks", async () => {
    await withShard("many-series.hdf5", (shard) => {
      expect(shard.series.map(({ x }) => x)).toEqual(Array.from({ length: 40 }, (_, x) => x));
      expect(samplesOf(shard, "x_039_y_000")).toEqual(["Uint8Array", ...integers(39, 5)]);
    });
    await withShard("many-attributes.hdf5", ({ series }) => {
      expect(series).toMatchObject([{ x: 2, y: 3, xVariable: 11, yVariable: 1.75 }]);
    });
  });

  it("reads files as MATLAB writes them, and names in any language", async () => {
    await withShard("matlab-like.h5", (shard) => {
      expect(shard.series).toMatchObject([{ x: 1, y: 2, xVariable: 0.5, yVariable: 1.5 }]);
      expect(samplesOf(shard, "series")).toEqual(["Float64Array", ...floats(0)]);
    });
    await withShard("größe  zwei.hdf5", ({ series }) => expect(series[0]!.dataset).toBe("Intensität 1"));
  });

  it("hands on NaN as it is: the kernel names it", async () => {
    await withShard("not-finite.hdf5", (shard) => expect(samplesOf(shard, "nan")[18]).toBeNaN());
  });

  it("refuses what is no HDF5 file, an empty one, one that is not there, and a folder", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "text.hdf5"), "this is a text");
    await writeFile(join(folder, "empty.hdf5"), "");
    const refusals: [string, string][] = [
      ["text.hdf5", "it is not an HDF5 file"],
      ["empty.hdf5", "it is empty"],
      ["none.hdf5", "ENOENT"],
      [".", "EISDIR"],
    ];
    for (const [name, reason] of refusals)
      await expect(openShard(name, { path: join(folder, name) })).rejects.toMatchObject({
        code: "PE_SHARD_UNREADABLE",
        message: expect.stringContaining(reason),
        details: { shard: name },
      });
  });

  it("refuses a truncated file at every length, from content and from a path", async () => {
    const whole = new Uint8Array(await readFile(join(GOLDEN, "raw_shard_003_003.hdf5")));
    const path = join(await testFolder(), "cut.hdf5");
    for (const length of [1, 8, 95, 96, 500, 2000, 5000, whole.length - 1]) {
      const content = whole.slice(0, length);
      await writeFile(path, content);
      for (const source of [{ content }, { path }])
        await expect(openShard("cut", source)).rejects.toMatchObject({ code: "PE_SHARD_UNREADABLE" });
    }
  });

  it("names the dataset of a corrupt chunk, and reads the others", async () => {
    const content = new Uint8Array(await readFile(join(SHARDS, "raw_shard_000_000.hdf5")));
    const at = Buffer.from(content).indexOf(Buffer.from([0x78, 0xda]));
    content[at + 40]! ^= 0x10;
    const shard = await openShard("a", { content });
    const failed: PeError[] = [];
    for (const index of shard.series.keys())
      try {
        shard.read(index);
      } catch (error) {
        if (error instanceof PeError) failed.push(error);
      }
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ code: "PE_SHARD_UNREADABLE", details: { shard: "a" } });
    expect(failed[0]!.message).toMatch(/dataset "x_\d+_y_\d+" a chunk/);
  });

  it("notices a flipped bit under Fletcher-32", async () => {
    const content = new Uint8Array(await readFile(join(SHARDS, "storage.hdf5")));
    const samples = Buffer.from(Float64Array.from(floats(6).slice(0, 50)).buffer);
    const at = Buffer.from(content).indexOf(samples);
    expect(at).toBeGreaterThan(0);
    content[at + 100]! ^= 1;
    const shard = await openShard("a", { content });
    const index = shard.series.findIndex(({ dataset }) => dataset === "fletcher32");
    expect(() => shard.read(index)).toThrow(/does not fit its Fletcher-32 checksum/);
  });
});
