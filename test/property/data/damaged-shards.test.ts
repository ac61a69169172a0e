/**
 * Goal: no damage to a shard gives other numbers from the plain reader than from the HDF5 library without an error
 * from one of them.
 * Method: one byte of a file made by h5py is changed at a place and to a value that fast-check draws; both readers read
 * everything. (A byte that both read alike may still be wrong: the format has no checksum of its own, which is why a
 * job holds the SHA-256 of each shard.)
 * Replay: pass the `seed` and `path` that a failure prints to `fc.assert`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openPlain } from "../../../data/hdf5/plain.ts";
import { openRootWithLibrary } from "../../../data/hdf5/root-file.ts";
import { openShard } from "../../../data/shard.ts";
import { PeError } from "../../../common/errors.ts";
import { readingOf } from "../../support/hdf5-reading.ts";
import type { DatasetReading } from "../../support/hdf5-reading.ts";
import { SHARDS } from "../../support/shard-fixtures.ts";

const FILES = [
  "raw_shard_000_000.hdf5",
  "storage.hdf5",
  "types-big.hdf5",
  "many-attributes.hdf5",
  "FB_000_INJ_000_09.hdf5",
];
const contents = FILES.map((name) => new Uint8Array(readFileSync(join(SHARDS, name))));

/** A file with one byte changed. */
const damaged = fc
  .record({
    file: fc.nat(FILES.length - 1),
    place: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    change: fc.integer({ min: 1, max: 255 }),
  })
  .map(({ file, place, change }) => {
    const content = contents[file]!.slice();
    const at = Math.floor(place * content.length);
    content[at]! ^= change;
    return { name: FILES[file]!, at, content };
  });

async function attempt(
  read: () => DatasetReading[] | Promise<DatasetReading[]>,
): Promise<DatasetReading[] | undefined> {
  try {
    return await read();
  } catch {
    return undefined;
  }
}

/** Series that a reader would hand on with a place and values: what could become wrong numbers in a map. */
function usable(reading: readonly DatasetReading[]): Map<string, string> {
  const placed = reading.filter(({ values, attributes }) => {
    const hasPlace = (attributes[0] !== "undefined" && attributes[1] !== "undefined") || attributes[4] !== "undefined";
    return /^[0-9a-f]*$/.test(values) && hasPlace;
  });
  return new Map(
    placed.map(({ name, shape, element, attributes, values }) => [
      name,
      `${shape} ${element} ${attributes.join()} ${values}`,
    ]),
  );
}

/** Fails when the plain reader places a series elsewhere than the library does, or reads other values of it. */
async function expectSameReading(content: Uint8Array<ArrayBuffer>): Promise<void> {
  const plain = await attempt(() => readingOf(openPlain({ content })));
  if (plain === undefined) return;
  const library = await attempt(async () => readingOf(await openRootWithLibrary({ content })));
  if (library === undefined) return;
  const expected = usable(library);
  for (const [name, series] of usable(plain)) if (expected.has(name)) expect(series).toBe(expected.get(name));
}

describe("openPlain()", () => {
  it("leaves an attribute to the library whose float does not begin at the first bit", async () => {
    const content = contents[FILES.indexOf("types-big.hdf5")]!.slice();
    // The bit offset in the type of the first dataset's `x_variable`.
    content[752]! ^= 1;
    expect(() => openPlain({ content })).toThrow("a number of another form");
    await expectSameReading(content);
  });

  it("never differs from the library in what it reads of a damaged file", async () => {
    await fc.assert(
      fc.asyncProperty(damaged, ({ content }) => expectSameReading(content)),
      { numRuns: 1500 },
    );
  });
});

describe("openShard()", () => {
  it("answers a damaged file with series, problems or a named error, and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(damaged, async ({ content }) => {
        try {
          const shard = await openShard("damaged", { content });
          for (const [index, { length }] of shard.series.entries()) if (length < 1e6) shard.read(index);
          shard.close();
        } catch (error) {
          expect(error).toBeInstanceOf(PeError);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
