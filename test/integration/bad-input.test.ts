/** Bad input: each fault is named in the report (code, file, dataset), and everything else has its value. */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ErrorRecord, MapJobReport } from "../../index.ts";
import { permutationEntropy } from "../../index.ts";
import { readMaps } from "../../data/maps.ts";
import { runClient, runWell, unprivileged, type ClientOptions } from "../support/client.ts";
import {
  BLOCK,
  corruptSeries,
  cutShort,
  goodSeries,
  nameOf,
  samplesOf,
  writeBlock,
  type SeriesSpec,
} from "../support/bad-shards.ts";
import { leftovers, testFolder } from "../support/folders.ts";
import { compareMaps } from "../support/maps-files.ts";

/** 4 x 4 cells in four shards. */
const SIZE = 4;
const ORDER = 3;

interface Found {
  readonly report: MapJobReport;
  readonly values: Float64Array;
  readonly status: Uint8Array;
  readonly problems: readonly ErrorRecord[];
}

/** Good shards with the blocks of `change` in place of theirs. */
async function makeShards(change: (folder: string) => Promise<void>): Promise<{ input: string; output: string }> {
  const folder = await testFolder();
  const input = join(folder, "shards");
  await mkdir(input);
  for (const x of [0, 2]) for (const y of [0, 2]) await writeBlock(input, x, y, goodSeries(x, y));
  await change(input);
  return { input, output: join(folder, "maps.hdf5") };
}

function args(input: string, output: string, ...more: readonly string[]): string[] {
  return ["run", "--input", input, "--output", output, "--orders", "3", "--delays", "1", ...more];
}

/** Runs over shards with a fault; checks what holds for every fault. */
async function runOver(change: (folder: string) => Promise<void>, options: ClientOptions = {}): Promise<Found> {
  const { input, output } = await makeShards(change);
  const { status, stdout, stderr } = await runClient(args(input, output, "--json"), options);
  expect(status, stderr).toBe(65);
  const report = JSON.parse(stdout) as MapJobReport;
  expect(leftovers(join(input, ".."))).toEqual([]);
  const page = await readFile(join(input, "../maps.report.md"), "utf8");
  for (const { message } of report.problems) expect(page).toContain(message);
  const maps = await readMaps(output);
  try {
    const [values, cells] = [maps.values("m003t001"), maps.status("m003t001")!];
    return { report, values, status: cells, problems: report.problems };
  } finally {
    maps.close();
  }
}

/** Every cell but those of `without` has the value of its own samples. */
function expectRest({ values, status }: Found, without: readonly (readonly [number, number])[]): void {
  const lost = new Set(without.map(([x, y]) => x * SIZE + y));
  for (let cell = 0; cell < SIZE * SIZE; cell++) {
    const [x, y] = [Math.floor(cell / SIZE), cell % SIZE];
    const expected = lost.has(cell) ? NaN : permutationEntropy(samplesOf(x, y), ORDER, 1);
    expect(values[cell], `cell ${x},${y}`).toBe(expected);
    expect(status[cell] === 1, `status ${status[cell]} of cell ${x},${y}`).toBe(!lost.has(cell));
  }
}

/** Replaces one series of the block at the origin. */
function withSeries(edit: (series: SeriesSpec) => SeriesSpec[]): (folder: string) => Promise<void> {
  return async (folder) => {
    const [first, second, ...rest] = goodSeries(0, 0);
    await writeBlock(folder, 0, 0, [first!, ...edit(second!), ...rest]);
  };
}

function expectProblem(found: Found, code: string, dataset?: string): void {
  const named = found.problems.filter(
    (problem) =>
      problem.code === code &&
      problem.message.includes("raw_shard_000_000.hdf5") &&
      (dataset === undefined || problem.message.includes(`"${dataset}"`)),
  );
  expect(named, JSON.stringify(found.problems)).toHaveLength(1);
  expect(found.problems).toHaveLength(1);
}

const BLOCK_CELLS = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
] as const;

describe("run over bad input", () => {
  test("names a corrupt gzip stream, and computes its neighbours", async () => {
    const found = await runOver(
      async (folder) => await corruptSeries(join(folder, "raw_shard_000_000.hdf5"), samplesOf(0, 1)),
    );
    expectProblem(found, "PE_SHARD_UNREADABLE", nameOf(0, 1));
    expectRest(found, [[0, 1]]);
  });

  test("names a truncated file, and computes the others", async () => {
    const found = await runOver(async (folder) => await cutShort(join(folder, "raw_shard_000_000.hdf5")));
    expectProblem(found, "PE_SHARD_UNREADABLE");
    expectRest(found, BLOCK_CELLS);
    expect(found.report.tasks.failed).toBeGreaterThan(0);
  });

  test("names a file that is not HDF5", async () => {
    const found = await runOver(
      async (folder) => await writeFile(join(folder, "raw_shard_000_000.hdf5"), "once upon a time\n".repeat(99)),
    );
    expectProblem(found, "PE_SHARD_UNREADABLE");
    expectRest(found, BLOCK_CELLS);
  });

  test("names an empty file", async () => {
    const found = await runOver(async (folder) => await writeFile(join(folder, "raw_shard_000_000.hdf5"), ""));
    expectProblem(found, "PE_SHARD_UNREADABLE");
    expectRest(found, BLOCK_CELLS);
  });

  test("names a dataset of text", async () => {
    const found = await runOver(async (folder) => {
      await writeBlock(
        folder,
        0,
        0,
        goodSeries(0, 0).filter(({ dataset }) => dataset !== nameOf(0, 1)),
        [nameOf(0, 1)],
      );
    });
    expectProblem(found, "PE_SHARD_LAYOUT", nameOf(0, 1));
    expectRest(found, [[0, 1]]);
  });

  test("names a series without x_index", async () => {
    const found = await runOver(withSeries(({ dataset, samples }) => [{ dataset, y: 1, samples }]));
    expectProblem(found, "PE_SHARD_LAYOUT", nameOf(0, 1));
    expect(found.problems[0]!.message).toContain("x_index");
    expectRest(found, [[0, 1]]);
  });

  test("names a series of another length", async () => {
    const found = await runOver(withSeries((series) => [{ ...series, samples: samplesOf(0, 1, 150) }]));
    expectProblem(found, "PE_SERIES_RAGGED", nameOf(0, 1));
    expectRest(found, [[0, 1]]);
  });

  for (const [what, sample] of [
    ["NaN", NaN],
    ["infinity", -Infinity],
  ] as const)
    test(`names a series with ${what} and where it is`, async () => {
      const samples = samplesOf(0, 1);
      samples[17] = sample;
      const found = await runOver(withSeries((series) => [{ ...series, samples }]));
      expectProblem(found, "PE_SERIES_NOT_FINITE", nameOf(0, 1));
      expect(found.problems[0]!.message).toContain(`sample 17 is ${sample}`);
      expectRest(found, [[0, 1]]);
    });

  test("names a cell that two series of one shard claim", async () => {
    const found = await runOver(withSeries((series) => [series, { ...series, dataset: "x_000_y_001_again" }]));
    expectProblem(found, "PE_CELL_CONFLICT");
    expect(found.problems[0]!.message).toContain("cell (0, 1)");
    expectRest(found, [[0, 1]]);
  });

  test("reads places from attributes, never from dataset names", async () => {
    const { input, output } = await makeShards(async (folder) => {
      const [a, b, ...rest] = goodSeries(0, 0);
      await writeBlock(folder, 0, 0, [{ ...a!, dataset: b!.dataset }, { ...b!, dataset: a!.dataset }, ...rest]);
    });
    await runWell(args(input, output));
    const maps = await readMaps(output);
    try {
      expect(maps.values("m003t001")[1]).toBe(permutationEntropy(samplesOf(0, 1), ORDER, 1));
    } finally {
      maps.close();
    }
  });

  test("of a cell that two shards claim is the same in one full run and in two range runs", async () => {
    const double: SeriesSpec = { dataset: "again", x: 0, y: 1, samples: samplesOf(9, 9) };
    const { input, output } = await makeShards(async (folder) => {
      await writeBlock(folder, 2, 0, [...goodSeries(2, 0), double]);
    });
    const full = await runClient(args(input, output, "--json"));
    expect(full.status).toBe(65);
    const [problem, ...more] = (JSON.parse(full.stdout) as MapJobReport).problems;
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ code: "PE_CELL_CONFLICT" });
    for (const name of ["raw_shard_000_000.hdf5", "raw_shard_002_000.hdf5"]) expect(problem!.message).toContain(name);
    const pieces = join(input, "../pieces.hdf5");
    for (const [range, status] of [
      ["2:", 0],
      ["0:2", 65],
    ] as const)
      expect((await runClient(args(input, pieces, "--shards", range))).status).toBe(status);
    expect(await compareMaps(pieces, output)).toEqual([]);
  });

  test("does not take a shard without series for a fault", async () => {
    const { input, output } = await makeShards(async (folder) => void (await writeBlock(folder, 0, 0, [])));
    const { stdout } = await runWell(args(input, output, "--json"));
    expect((JSON.parse(stdout) as MapJobReport).emptyCells).toBe(BLOCK * BLOCK);
  });

  test("names a file without permission", async ({ skip }) => {
    const options = await unprivileged();
    if (options === undefined) return skip("no user without rights can run the client here");
    const found = await runOver(async (folder) => {
      await chmod(join(folder, ".."), 0o777);
      await chmod(join(folder, "raw_shard_000_000.hdf5"), 0);
    }, options);
    expectProblem(found, "PE_SHARD_UNREADABLE");
    expectRest(found, BLOCK_CELLS);
  });

  test("that leaves nothing to compute is an error of the command", async () => {
    const folder = await testFolder();
    const input = join(folder, "shards");
    await mkdir(input);
    await writeFile(join(input, "raw_shard_000_000.hdf5"), "not HDF5");
    const { status, stderr } = await runClient(args(input, join(folder, "maps.hdf5")));
    expect(status).toBe(65);
    expect(stderr).toContain("[PE_SHARD_UNREADABLE]");
  });
});
