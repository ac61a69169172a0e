import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimFolder, createWhole, digestOf } from "../../../../tasks/simulate/folder.ts";
import type { Simulation } from "../../../../tasks/simulate/schema.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "pe-simulate-"))));
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe("claimFolder()", () => {
  it("claimFolder() lets exactly one of many simulations have a folder", async () => {
    for (let round = 0; round < 20; round++) {
      const claims = Array.from({ length: 12 }, async (_, seed) =>
        claimFolder(join(folder, `${round}`), simulation(seed)),
      );
      const ends = await Promise.allSettled(claims);
      expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    }
  });

  it("claimFolder() takes the same simulation with its fields in another order for the same", async () => {
    await claimFolder(folder, simulation(1));
    const { seed, ...rest } = simulation(1);
    const turned: Simulation = { seed, ...rest, x: { last: 1, first: 0 } };
    await expect(claimFolder(folder, turned)).resolves.toBeUndefined();
    expect(digestOf(turned)).toBe(digestOf(simulation(1)));
  });
});

describe("createWhole()", () => {
  it("createWhole() creates a file, leaves one that is there, and leaves nothing else", async () => {
    const path = join(folder, "claim.json");
    await createWhole(path, "first", folder);
    await createWhole(path, "second", folder);
    expect(await readFile(path, "utf8")).toBe("first");
    expect(await readdir(folder)).toEqual(["claim.json"]);
  });
});

function simulation(seed: number): Simulation {
  return {
    model: "feedback",
    grid: { xSize: 2, ySize: 2 },
    x: { first: 0, last: 1 },
    y: { first: 0, last: 1 },
    samples: 10,
    shardSize: 9,
    seed,
    gzipLevel: 6,
  };
}
