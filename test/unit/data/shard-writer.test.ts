import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Of } from "../../../data/hash.ts";
import { openPlain } from "../../../data/hdf5/plain.ts";
import { openShard } from "../../../data/shard.ts";
import { shardFileName, writeShard } from "../../../data/shard-writer.ts";
import type { ShardToWrite } from "../../../data/shard-writer.ts";
import { testFolder } from "../../support/folders.ts";
import { withSmallDisk } from "../../support/small-disk.ts";
import { withH5dump, withH5py } from "../../support/independent-hdf5.ts";
import { floats } from "../../support/shard-fixtures.ts";

const SHARD: ShardToWrite = {
  xIndexMin: 9,
  yIndexMin: 0,
  shardSize: 9,
  series: [
    { x: 9, y: 0, xVariable: 10.5, yVariable: 0.25, samples: Float64Array.from(floats(0)) },
    { x: 9, y: 1, xVariable: 10.5, yVariable: NaN, samples: Float64Array.of(NaN, -0, Infinity, 5e-324) },
    { x: 1002, y: 17, xVariable: 0, yVariable: -1, samples: Float64Array.of(1) },
  ],
};

describe("writeShard()", () => {
  it("writes what openShard() reads, by the plain reader", async () => {
    const path = join(await testFolder(), shardFileName(9, 0));
    const { bytes, sha256 } = await writeShard(path, SHARD);
    const content = new Uint8Array(await readFile(path));
    expect([bytes, sha256]).toEqual([content.length, sha256Of(content)]);
    openPlain({ content }).close();
    const shard = await openShard("a", { content });
    expect(shard.problems).toEqual([]);
    expect(shard.attributes).toEqual({ xIndexMin: 9, yIndexMin: 0, xIndexMax: 17, yIndexMax: 8, shardSize: 9 });
    expect(shard.series.map(({ dataset }) => dataset)).toEqual(
      ["x_009_y_000", "x_009_y_001", "x_1002_y_017"].toSorted(),
    );
    for (const { x, y, xVariable, yVariable, samples } of SHARD.series) {
      const index = shard.series.findIndex((series) => series.x === x && series.y === y);
      expect(shard.series[index]).toMatchObject({ xVariable, yVariable, length: samples.length });
      expect(shard.read(index)).toEqual(samples);
    }
    shard.close();
  });

  it("writes what h5py reads as the original's layout", async (context) => {
    const path = join(await testFolder(), "a.hdf5");
    await writeShard(path, SHARD);
    const script = `
import h5py, json, sys
f = h5py.File(sys.argv[1], "r")
d = f["x_009_y_000"]
print(json.dumps([{k: [int(v), str(v.dtype)] for k, v in f.attrs.items()}, d.shape, d.chunks, str(d.dtype), d.compression,
  d.compression_opts, d[:].tolist(), {k: [float(v), str(v.dtype)] for k, v in d.attrs.items()}]))`;
    expect(withH5py(context, script, path)).toEqual([
      {
        x_index_min: [9, "int64"],
        y_index_min: [0, "int64"],
        x_index_max: [17, "int64"],
        y_index_max: [8, "int64"],
        shard_size: [9, "int64"],
      },
      [100],
      [100],
      "float64",
      "gzip",
      9,
      floats(0),
      {
        x_index: [9, "int64"],
        y_index: [0, "int64"],
        x_variable: [10.5, "float64"],
        y_variable: [0.25, "float64"],
      },
    ]);
  });

  it("writes what h5dump reads", async (context) => {
    const path = join(await testFolder(), "a.hdf5");
    await writeShard(path, SHARD);
    const shown = withH5dump(context, "-H", "-p", "-B", path);
    expect(shown).toContain("SUPERBLOCK_VERSION 0");
    expect(shown).toContain("COMPRESSION DEFLATE { LEVEL 9 }");
  });

  it("takes another level of gzip", async () => {
    const path = join(await testFolder(), "a.hdf5");
    const fast = await writeShard(path, SHARD, { gzipLevel: 1 });
    const shard = await openShard("a", { path });
    expect(shard.read(0)).toEqual(SHARD.series[0]!.samples);
    shard.close();
    expect(fast.bytes).toBeGreaterThan(0);
  });

  it("refuses two series of one cell, and leaves nothing", async () => {
    const folder = await testFolder();
    const twice = { ...SHARD, series: [SHARD.series[0]!, SHARD.series[0]!] };
    await expect(writeShard(join(folder, "a.hdf5"), twice)).rejects.toMatchObject({ code: "PE_OUTPUT_UNWRITABLE" });
    expect(await readdir(folder)).toEqual([]);
  });

  it("says that the disk is full, and keeps the old file", async (context) => {
    await withSmallDisk(context, "64k", async (folder) => {
      const path = join(folder, "a.hdf5");
      await writeFile(path, "old");
      const noise = Float64Array.from({ length: 20_000 }, (_, index) => Math.sin(index * index));
      const large = { ...SHARD, series: [{ ...SHARD.series[0]!, samples: noise }] };
      await expect(writeShard(path, large)).rejects.toMatchObject({ code: "PE_DISK_FULL" });
      expect(await readFile(path, "utf8")).toBe("old");
      expect(await readdir(folder)).toEqual(["a.hdf5"]);
    });
  });
});

describe("shardFileName()", () => {
  it("has three digits each, or more", () => {
    expect(shardFileName(9, 18)).toBe("raw_shard_009_018.hdf5");
    expect(shardFileName(0, 1002)).toBe("raw_shard_000_1002.hdf5");
  });
});
