/** Metadata by ranges, against the reader that has the whole file: the same, or nothing. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readMetadata, type ByteRange, type Metadata } from "../../../../data/hdf5/metadata.ts";
import { openPlain } from "../../../../data/hdf5/plain.ts";
import { testFolder } from "../../../support/folders.ts";
import { writeLargeShards } from "../../../support/large-shards.ts";
import { GOLDEN, SHARDS } from "../../../support/shard-fixtures.ts";

interface Fetched {
  readonly metadata: Metadata | undefined;
  readonly rounds: readonly (readonly ByteRange[])[];
}

async function fetched(content: Uint8Array): Promise<Fetched> {
  const rounds: (readonly ByteRange[])[] = [];
  const metadata = await readMetadata({
    size: content.length,
    fetch: async (ranges) => {
      rounds.push(ranges);
      return ranges.map(({ start, stop }) => content.slice(start, stop));
    },
  });
  return { metadata, rounds };
}

function whole(content: Uint8Array): Metadata | undefined {
  try {
    const { attributes, datasets } = openPlain({ content });
    return { attributes, datasets };
  } catch {
    return undefined;
  }
}

/** A file may be longer than it says. */
async function padded(path: string, bytes: number): Promise<Uint8Array> {
  const file = await readFile(path);
  const content = new Uint8Array(file.length + bytes);
  content.set(file);
  return content;
}

const bytesOf = (rounds: Fetched["rounds"]): number =>
  rounds.flat().reduce((sum, { start, stop }) => sum + stop - start, 0);

const FILES = [
  join(GOLDEN, "raw_shard_000_000.hdf5"),
  ...["raw_shard_000_000", "v108", "names-lie", "FB_000_INJ_000_09", "types-big", "storage", "many-series"].map(
    (name) => join(SHARDS, `${name}.hdf5`),
  ),
];

describe("readMetadata()", () => {
  it.each(FILES)("gives what the whole file gives: %s", async (path) => {
    const content = await padded(path, 4_000_000);
    const { metadata, rounds } = await fetched(content);
    expect(metadata).toBeDefined();
    expect(metadata).toEqual(whole(content));
    expect(bytesOf(rounds)).toBeLessThan(content.length / 2);
  });

  it("asks in a few rounds for all that it misses, each range once", async () => {
    const { rounds } = await fetched(await padded(join(SHARDS, "many-series.hdf5"), 4_000_000));
    expect(rounds[0]).toEqual([{ start: 0, stop: 16_384 }]);
    expect(rounds.length).toBeLessThanOrEqual(5);
    const starts = rounds.flat().map(({ start }) => start);
    expect(new Set(starts).size).toBe(starts.length);
  });

  it("fetches some kB for each dataset of a large shard, whose headers lie far apart", async () => {
    const folder = await testFolder();
    await writeLargeShards(folder, 1);
    const content = new Uint8Array(await readFile(join(folder, "raw_shard_000_000.hdf5")));
    const { metadata, rounds } = await fetched(content);
    expect(metadata?.datasets).toHaveLength(9);
    expect(metadata).toEqual(whole(content));
    expect(rounds.flat().length).toBeGreaterThanOrEqual(9);
    expect(rounds.flat().length).toBeLessThan(16);
    expect(bytesOf(rounds)).toBeLessThan(100_000);
  });

  it.each(["latest.hdf5", "links.hdf5", "external-storage.hdf5"])(
    "leaves %s to whoever has all of it",
    async (name) => {
      expect((await fetched(await padded(join(SHARDS, name), 1_000_000))).metadata).toBeUndefined();
    },
  );

  it("stops when the whole costs less", async () => {
    const { metadata, rounds } = await fetched(await padded(join(SHARDS, "raw_shard_000_000.hdf5"), 0));
    expect(metadata).toBeUndefined();
    expect(bytesOf(rounds)).toBeLessThanOrEqual(16_384);
  });

  it("tells an error of fetching, and nothing of what it could not know", async () => {
    const size = 1_000_000;
    await expect(readMetadata({ size, fetch: () => Promise.reject(new Error("away")) })).rejects.toThrow("away");
  });

  it("gives what the whole file gives of a damaged one, or nothing", async () => {
    const intact = await padded(join(SHARDS, "many-series.hdf5"), 4_000_000);
    const used = (await readFile(join(SHARDS, "many-series.hdf5"))).length;
    await fc.assert(
      fc.asyncProperty(fc.nat(used - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        intact[at]! ^= change;
        try {
          const { metadata, rounds } = await fetched(intact);
          if (metadata !== undefined) expect(metadata).toEqual(whole(intact));
          expect(rounds.length).toBeLessThanOrEqual(64);
        } finally {
          intact[at]! ^= change;
        }
      }),
      { numRuns: 300 },
    );
  });
});
