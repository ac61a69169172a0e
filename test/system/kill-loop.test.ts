/**
 * Goal: whenever a run dies, the next one goes on, and the maps are those of a run that never died, bit for bit.
 * Method: kill -9 at random moments, over and over, until a run gets to its end; ranges and pictures among them.
 * Replay: every loop prints its seed and times; put the seed into SEEDS. `npm run test:faults` makes many more rounds.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { MapJobReport } from "../../index.ts";
import { HOOK_MS, runWell } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { killUntilDone } from "../support/interrupted.ts";
import { compareMaps } from "../support/maps-files.ts";
import { simulateShardsInto } from "../support/simulated.ts";

const ROUNDS = Number(process.env.PE_FAULT_ROUNDS ?? 4);
const SEEDS = Array.from({ length: ROUNDS }, (_, round) => 101 + round);
const FIRST_MS_MAX = 900;

let input = "";
let clean = "";

function args(output: string, ...more: readonly string[]): string[] {
  const maps = ["--orders", "5-7", "--delays", "1-12", "--measures", "pe,weighted"];
  return ["run", "--input", input, "--output", output, ...maps, "--json", ...more];
}

beforeAll(async () => {
  const folder = await fileFolder();
  input = await simulateShardsInto(folder, 3000);
  clean = join(folder, "clean.hdf5");
  await runWell(args(clean));
}, HOOK_MS);

describe("a run that is killed over and over", () => {
  test.each(SEEDS)("gives every bit of a clean run (seed %i)", async (seed) => {
    const folder = await testFolder();
    const output = join(folder, "maps.hdf5");
    const { last } = await killUntilDone(args(output), seed, FIRST_MS_MAX);
    const report = JSON.parse(last.stdout) as MapJobReport;
    expect(report.problems).toEqual([]);
    expect(report.series.computed).toBe(120);
    expect(await compareMaps(output, clean)).toEqual([]);
    expect(leftovers(folder)).toEqual([]);
  });

  test("keeps what an earlier range put into the file", async () => {
    const folder = await testFolder();
    const output = join(folder, "maps.hdf5");
    for (const [place, range] of ["9:", "0:4", "4:9"].entries())
      await killUntilDone(args(output, "--shards", range), 200 + place, FIRST_MS_MAX);
    expect(await compareMaps(output, clean)).toEqual([]);
    expect(leftovers(folder)).toEqual([]);
  });
});
