/**
 * Goal: disjoint ranges of one input, published one after the other in any order, give the file that one full job gives.
 * Method: fast-check draws which shards claim which cells (some cells twice), a partition of the shards into jobs, and
 * an order of the jobs; then every value, status, owner, count and coordinate is compared bit for bit.
 * Replay: pass the `seed` and `path` that a failure prints to `fc.assert`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { publishMaps } from "../../../data/maps.ts";
import { compareMaps } from "../../support/maps-files.ts";
import { jobOf, X_SIZE, Y_SIZE } from "../../support/maps-updates.ts";

const SHARDS = 6;

const claims = fc.array(fc.uniqueArray(fc.nat(X_SIZE * Y_SIZE - 1), { maxLength: 5 }), {
  minLength: SHARDS,
  maxLength: SHARDS,
});

/** Jobs as lists of shards: each shard in one of them, in an order of its own. */
const jobs = fc
  .tuple(
    fc.array(fc.nat(3), { minLength: SHARDS, maxLength: SHARDS }),
    fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }),
  )
  .map(([jobOfShard, order]) =>
    order.map((job) => [...jobOfShard.keys()].filter((shard) => jobOfShard[shard] === job)),
  );

describe("publishMaps()", () => {
  it("gives the same file for disjoint ranges in any order as for the whole input", async () => {
    await fc.assert(
      fc.asyncProperty(claims, jobs, async (cells, parts) => {
        const folder = await mkdtemp(join(tmpdir(), "pe-test-"));
        try {
          await publishMaps(join(folder, "whole.hdf5"), jobOf({ claims: cells }));
          for (const shards of parts) await publishMaps(join(folder, "parts.hdf5"), jobOf({ claims: cells, shards }));
          expect(await compareMaps(join(folder, "parts.hdf5"), join(folder, "whole.hdf5"))).toEqual([]);
        } finally {
          await rm(folder, { recursive: true });
        }
      }),
      { numRuns: 60 },
    );
  });
});
