import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ready } from "h5wasm";
import { describe, expect, it } from "vitest";
import { createWithLibrary, openWithLibrary } from "../../../../data/hdf5/library.ts";
import { openRootWithLibrary } from "../../../../data/hdf5/root-file.ts";
import { testFolder } from "../../../support/folders.ts";
import { SHARDS } from "../../../support/shard-fixtures.ts";

/** A file with a damaged chunk that only the library reads. */
async function damagedContent(): Promise<Uint8Array> {
  const content = new Uint8Array(await readFile(join(SHARDS, "latest.hdf5")));
  content[Buffer.from(content).indexOf(Buffer.from([0x78, 0xda])) + 30]! ^= 0xff;
  return content;
}

describe("openWithLibrary()", () => {
  it("throws for a damaged chunk, with a reason in one line, and reads the others", async () => {
    const file = await openRootWithLibrary({ content: await damagedContent() });
    const reasons = file.datasets.flatMap((_, index) => {
      try {
        file.readBytes(index);
        return [];
      } catch (error) {
        return [String(error)];
      }
    });
    file.close();
    expect(reasons).toEqual([
      expect.stringMatching(/^Error: (inflate\(\) failed|filter returned failure during read)$/),
    ]);
  });

  it("takes no more memory however many errors there were, and goes on working", async () => {
    const content = await damagedContent();
    const module = await ready;
    const fail = async (): Promise<void> => {
      const file = await openRootWithLibrary({ content });
      for (const index of file.datasets.keys())
        try {
          file.readBytes(index);
        } catch {
          // That is what is repeated here.
        }
      file.close();
    };
    await fail();
    const before = module.HEAPU8.length;
    for (let round = 0; round < 200; round++) await fail();
    expect(module.HEAPU8.length).toBe(before);
  });

  it("sees no other file of this machine", async () => {
    const module = await ready;
    expect(() => module.FS.readFile("/etc/passwd")).toThrow();
    const file = await openWithLibrary({ path: join(SHARDS, "latest.hdf5") });
    expect(module.FS.readdir("/").filter((name: string) => name.endsWith(".hdf5"))).toEqual([]);
    file.close();
  });

  it("leaves nothing in the library's file system once closed, or when it could not open", async () => {
    const module = await ready;
    const before = module.FS.readdir("/");
    (await openWithLibrary({ path: join(SHARDS, "latest.hdf5") })).close();
    await expect(openWithLibrary({ content: Buffer.from("no HDF5") })).rejects.toThrow("file signature not found");
    await expect(openWithLibrary({ path: join(SHARDS, "none") })).rejects.toMatchObject({ code: "ENOENT" });
    expect(module.FS.readdir("/")).toEqual(before);
  });

  it("reads attributes of every kind of number, texts of both kinds, and names the others", async () => {
    const file = await openWithLibrary({ path: join(SHARDS, "many-attributes.hdf5") });
    const attributes = file.attributes("/s");
    const found = ["x_index", "x_variable", "unit", "comment", "note_07"].map((name) => attributes.get(name));
    expect(found).toEqual([2n, 11, "mW", "variable length", 7]);
    expect(file.otherAttributes("/s")).toEqual(["range"]);
    expect(file.attributes("/").get("title")).toBe("a text");
    file.close();
  });
});

describe("createWithLibrary()", () => {
  it("refuses a name twice, a missing group, and a file that is there", async () => {
    const folder = await testFolder();
    const writer = await createWithLibrary(join(folder, "a.hdf5"));
    writer.dataset("/a", Float64Array.of(1), [1], 9);
    expect(() => writer.dataset("/a", Float64Array.of(2), [1], 9)).toThrow("name already exists");
    expect(() => writer.attribute("/none", "x", 1)).toThrow('there is no dataset or group "/none"');
    writer.close();
    await expect(createWithLibrary(join(folder, "a.hdf5"))).rejects.toMatchObject({ code: "EEXIST" });
    expect(await readdir(folder)).toEqual(["a.hdf5"]);
    const file = await openWithLibrary({ path: join(folder, "a.hdf5") });
    expect([...new Float64Array(file.readBytes("/a").buffer)]).toEqual([1]);
    file.close();
  });

  it("writes attributes that read back the same", async () => {
    const path = join(await testFolder(), "a.hdf5");
    const values = { whole: 2n ** 60n, negative: -1n, half: 0.5, nan: NaN, text: "größe  Ω", empty: "" };
    const writer = await createWithLibrary(path);
    for (const [name, value] of Object.entries(values)) writer.attribute("/", name, value);
    writer.close();
    const file = await openWithLibrary({ path });
    expect(Object.fromEntries(file.attributes("/"))).toEqual(values);
    file.close();
  });
});
