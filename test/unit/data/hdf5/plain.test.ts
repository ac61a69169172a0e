/** The plain reader against the HDF5 library: the same answer, or none. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openPlain } from "../../../../data/hdf5/plain.ts";
import { openRootWithLibrary } from "../../../../data/hdf5/root-file.ts";
import { readingOf } from "../../../support/hdf5-reading.ts";
import { GOLDEN, SHARDS } from "../../../support/shard-fixtures.ts";

const PLAIN = [
  ...["raw_shard_000_000", "raw_shard_000_003", "raw_shard_003_000", "raw_shard_003_003"].map((name) =>
    join(GOLDEN, `${name}.hdf5`),
  ),
  ...["raw_shard_000_000", "v108", "names-lie", "FB_000_INJ_000_09", "types-little", "types-big"].map((name) =>
    join(SHARDS, `${name}.hdf5`),
  ),
  ...["exactness", "storage", "fletcher-odd", "problems", "duplicates", "not-finite", "many-series", "größe  zwei"].map(
    (name) => join(SHARDS, `${name}.hdf5`),
  ),
];

describe("openPlain()", () => {
  it.each(PLAIN)("reads what the HDF5 library reads: %s", async (path) => {
    const expected = readingOf(await openRootWithLibrary({ path }));
    expect(readingOf(openPlain({ path }))).toEqual(expected);
    expect(readingOf(openPlain({ content: new Uint8Array(await readFile(path)) }))).toEqual(expected);
  });

  it.each([
    ["latest.hdf5", "another superblock"],
    ["matlab-like.h5", "no signature at its start"],
    ["links.hdf5", "a message of type 2"],
    ["external-storage.hdf5", "a message of type 7"],
    ["other-filters.hdf5", "filter 32000"],
  ])("leaves %s to the library: %s", (name, reason) => {
    expect(() => openPlain({ path: join(SHARDS, name) })).toThrow(reason);
  });

  it.each([
    [
      "a file that says it is longer",
      "another address space",
      (file: Buffer) => file.writeUInt32LE(file.length + 1, 40),
    ],
    ["a name twice", "names that do not ascend", (file: Buffer) => file.write("0", file.indexOf("x_000_y_001") + 10)],
    [
      "a header with a message more",
      "another number of messages",
      (file: Buffer) => {
        const root = file.readUInt32LE(64);
        file.writeUInt16LE(file.readUInt16LE(root + 2) + 1, root + 2);
      },
    ],
    [
      "two attributes of one name",
      "two attributes of one name",
      (file: Buffer) => file.write("x", file.indexOf("y_index\0")),
    ],
  ])("leaves %s to the library", async (_what, reason, damage) => {
    const file = await readFile(join(SHARDS, "raw_shard_000_000.hdf5"));
    damage(file);
    expect(() => openPlain({ content: file })).toThrow(reason);
  });

  it("takes no memory for lengths that a damaged file makes up", async () => {
    const content = new Uint8Array(await readFile(join(SHARDS, "raw_shard_000_000.hdf5")));
    // Every 8 bytes that could be a length or an address, one after the other.
    for (let position = 8; position + 8 <= content.length; position += 8) {
      const damaged = content.slice();
      damaged.fill(0x7f, position, position + 6);
      const before = process.memoryUsage().arrayBuffers;
      try {
        const file = openPlain({ content: damaged });
        for (const [index, { refusal, element, shape }] of file.datasets.entries())
          if (refusal === undefined && element !== undefined && shape?.length === 1 && shape[0]! < 1e6)
            file.readBytes(index);
      } catch {
        // Refused, as it should be.
      }
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5e7);
    }
  });
});
