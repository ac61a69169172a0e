import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listInput, shardBlock } from "../../../data/inputs.ts";
import { GOLDEN, SHARDS } from "../../support/shard-fixtures.ts";
import { testFolder } from "../../support/folders.ts";

async function folderWith(...names: string[]): Promise<string> {
  const folder = await testFolder();
  for (const name of names) await writeFile(join(folder, name), "not read");
  return folder;
}

function namesOf({ files }: { files: readonly { name: string }[] }): string[] {
  return files.map(({ name }) => name);
}

describe("shardBlock()", () => {
  it("reads x and y of names of today", () => {
    expect(shardBlock("raw_shard_009_018.hdf5")).toEqual({ x: 9, y: 18 });
    expect(shardBlock("sub folder/raw_shard_1002_000.h5")).toEqual({ x: 1002, y: 0 });
  });
  it("reads INJ as x and FB as y, and the size, of older names", () => {
    expect(shardBlock("FB_018_INJ_009_09.hdf5")).toEqual({ x: 9, y: 18, size: 9 });
  });
  it("knows no block of other names", () => {
    for (const name of ["raw_all.hdf5", "raw_shard_1_2.txt", "my raw_shard_000_000.hdf5", "shard.hdf5"])
      expect(shardBlock(name)).toBeUndefined();
  });
});

describe("listInput()", () => {
  it("lists the shards of a folder by name, with sizes and whole milliseconds", async () => {
    const input = await listInput(GOLDEN);
    expect(input.kind).toBe("shards");
    expect(input.root).toBe(GOLDEN);
    expect(namesOf(input)).toEqual(
      ["000_000", "000_003", "003_000", "003_003"].map((block) => `raw_shard_${block}.hdf5`),
    );
    expect(input.files[0]).toMatchObject({ path: join(GOLDEN, "raw_shard_000_000.hdf5"), bytes: 43_383 });
    expect(Number.isInteger(input.files[0]!.modifiedMs)).toBe(true);
  });
  it("takes names with spaces and Unicode, in the order of code units", async () => {
    const folder = await folderWith("b  two.hdf5", "Ärger.h5", "B.hdf5", "a one.hdf5");
    expect(namesOf(await listInput(folder))).toEqual(["B.hdf5", "a one.hdf5", "b  two.hdf5", "Ärger.h5"]);
  });
  it("leaves out hidden files, sub-folders, other files, and the whole set beside its shards", async () => {
    const folder = await folderWith(".hidden.hdf5", "notes.txt", "raw_all.hdf5", "raw_shard_000_000.hdf5");
    await mkdir(join(folder, "raw_shard_009_000.hdf5"));
    expect(namesOf(await listInput(folder))).toEqual(["raw_shard_000_000.hdf5"]);
  });
  it("takes the whole set where it lies alone", async () => {
    expect(namesOf(await listInput(await folderWith("raw_all.hdf5")))).toEqual(["raw_all.hdf5"]);
  });
  it("leaves out maps, whatever they are called", async () => {
    const folder = await folderWith("raw_shard_000_000.hdf5", "maps.hdf5");
    await copyFile(join(GOLDEN, "maps.hdf5"), join(folder, "entropy of today.hdf5"));
    expect(namesOf(await listInput(folder))).toEqual(["raw_shard_000_000.hdf5"]);
  });
  it("keeps files that cannot be opened: the job names them", async () => {
    expect(namesOf(await listInput(await folderWith("broken.hdf5")))).toEqual(["broken.hdf5"]);
  });
  it("follows links to files, as a folder of links is a common way to choose shards", async () => {
    const folder = await testFolder();
    await symlink(join(GOLDEN, "raw_shard_000_000.hdf5"), join(folder, "raw_shard_000_000.hdf5"));
    expect((await listInput(folder)).files[0]!.bytes).toBe(43_383);
  });
  it("takes a pattern, with names from its longest folder without a wildcard", async () => {
    const input = await listInput(join(GOLDEN, "../gold*/raw_shard_00[3]_*.hdf5"));
    expect(input.kind).toBe("shards");
    expect(namesOf(input)).toEqual(["golden/raw_shard_003_000.hdf5", "golden/raw_shard_003_003.hdf5"]);
    expect(namesOf(await listInput(join(SHARDS, "**", "FB_*.hdf5")))).toEqual(["FB_000_INJ_000_09.hdf5"]);
    expect(namesOf(await listInput(join(SHARDS, "FB_00?_INJ_0[!1]0_09.hdf5")))).toEqual(["FB_000_INJ_000_09.hdf5"]);
  });
  it("prefers a file to the pattern of the same spelling", async () => {
    const folder = await folderWith("a[1].hdf5", "a1.hdf5");
    expect(namesOf(await listInput(join(folder, "a[1].hdf5")))).toEqual(["a[1].hdf5"]);
  });
  it("takes a single HDF5 file, also one without the ending, and a text", async () => {
    const folder = await testFolder();
    await copyFile(join(GOLDEN, "raw_shard_000_000.hdf5"), join(folder, "no ending"));
    expect(await listInput(join(folder, "no ending"))).toMatchObject({ kind: "hdf5", root: folder });
    await writeFile(join(folder, "series.txt"), "1\n2\n");
    expect(await listInput(join(folder, "series.txt"))).toMatchObject({
      kind: "text",
      files: [{ name: "series.txt", bytes: 4 }],
    });
  });
  it("says what it looked for where there is nothing", async () => {
    const folder = await testFolder();
    await expect(listInput(folder)).rejects.toMatchObject({
      code: "PE_INPUT_EMPTY",
      message: expect.stringContaining("raw_shard_000_000.hdf5 or other *.hdf5 and *.h5 files: the folder is empty"),
    });
    await expect(listInput(join(folder, "none"))).rejects.toMatchObject({
      code: "PE_INPUT_EMPTY",
      message: expect.stringContaining("there is no such file or folder"),
    });
    await expect(listInput(join(folder, "*.hdf5"))).rejects.toMatchObject({
      code: "PE_INPUT_EMPTY",
      message: expect.stringContaining("fit the pattern"),
    });
    await writeFile(join(folder, "empty.txt"), "");
    await expect(listInput(join(folder, "empty.txt"))).rejects.toMatchObject({ code: "PE_INPUT_EMPTY" });
    await expect(listInput("/dev/null")).rejects.toMatchObject({ code: "PE_INPUT_EMPTY" });
  });
});
