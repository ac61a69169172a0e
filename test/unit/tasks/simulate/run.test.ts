import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openShard } from "../../../../data/shard.ts";
import type { TaskContext } from "../../../../tasks/kind.ts";
import { parse } from "../../../../tasks/parse.ts";
import {
  planSimulation,
  simulate,
  type SimulateJob,
  type SimulateRequest,
  type SimulateSummary,
} from "../../../../tasks/simulate/index.ts";
import { simulateSeries } from "../../../../tasks/simulate/models.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "pe-simulate-"))));
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe("simulate.run()", () => {
  it("simulate.run() writes the cells of a block with their places and variables", async () => {
    const summaries = await runAll({ grid: { xSize: 5, ySize: 4 }, shardSize: 3 });
    expect(summaries.map(({ file, series, reused }) => ({ file, series, reused }))).toEqual([
      { file: "raw_shard_000_000.hdf5", series: 9, reused: false },
      { file: "raw_shard_000_003.hdf5", series: 3, reused: false },
      { file: "raw_shard_003_000.hdf5", series: 6, reused: false },
      { file: "raw_shard_003_003.hdf5", series: 2, reused: false },
    ]);
    const cells = await readFolder(folder);
    expect(cells.size).toBe(20);
    const corner = cells.get("4,3")!;
    expect(corner).toMatchObject({ xVariable: 1.2, yVariable: 4 });
    expect(cells.get("0,0")).toMatchObject({ xVariable: 0, yVariable: -4 });
    expect(cells.get("1,1")!.xVariable).toBeCloseTo(0.3, 12);
    const cell = { x: 4, y: 3, xVariable: 1.2, yVariable: 4 };
    expect(corner.samples).toEqual(simulateSeries("injection", cell, 100, 1));
    const shard = await openShard("shard", { path: join(folder, "raw_shard_003_003.hdf5") });
    expect(shard.attributes).toEqual({ xIndexMin: 3, yIndexMin: 3, xIndexMax: 5, yIndexMax: 5, shardSize: 3 });
    shard.close();
  });

  it("simulate.run() says in simulation.json what was simulated", async () => {
    await runAll({});
    const claim = JSON.parse(await readFile(join(folder, "simulation.json"), "utf8")) as unknown;
    expect(claim).toMatchObject({
      about: "Simulated, not measured.",
      model: "injection",
      x: { name: "injection strength K", first: 0, last: 1.2 },
      seed: 1,
    });
  });

  it("simulate.run() gives a cell the same values whatever the shard size", async () => {
    await runAll({ shardSize: 2, output: join(folder, "two") });
    await runAll({ shardSize: 9, output: join(folder, "nine") });
    expect(await readFolder(join(folder, "two"))).toEqual(await readFolder(join(folder, "nine")));
  });

  it("simulate.run() gives the same hash of the values wherever and whenever", async () => {
    const one = await runAll({ output: join(folder, "one") });
    const two = await runAll({ output: join(folder, "two") });
    expect(one.map((summary) => summary.valuesSha256)).toEqual(two.map((summary) => summary.valuesSha256));
    expect(new Set(one.map((summary) => summary.valuesSha256)).size).toBe(one.length);
  });

  it("simulate.run() keeps what is whole and makes again what is missing, cut short, altered or unmarked", async () => {
    const first = await runAll({});
    const shards = [
      "raw_shard_000_000.hdf5",
      "raw_shard_000_003.hdf5",
      "raw_shard_003_000.hdf5",
      "raw_shard_003_003.hdf5",
    ];
    const [missing, cut, altered, unmarked] = shards.map((name) => join(folder, name));
    const content = await readFile(altered!);
    content[content.length >> 1]! ^= 1;

    expect((await runAll({})).map(({ reused }) => reused)).toEqual([true, true, true, true]);
    await rm(missing!);
    expect((await runAll({})).map(({ reused }) => reused)).toEqual([false, true, true, true]);
    await truncate(cut!, (await stat(cut!)).size - 1);
    await writeFile(altered!, content);
    await writeFile(join(folder, ".simulation", "raw_shard_003_003.hdf5.json"), '{"bytes":');
    const last = await runAll({});
    expect(last.map(({ reused }) => reused)).toEqual([true, false, false, false]);
    expect(last.map(({ valuesSha256 }) => valuesSha256)).toEqual(first.map(({ valuesSha256 }) => valuesSha256));
    expect((await stat(unmarked!)).size).toBeGreaterThan(0);
  });

  it("simulate.run() refuses the folder of another simulation, and leaves it as it is", async () => {
    await runAll({});
    const before = await readdir(folder);
    const other = { code: "PE_OUTPUT_CONFLICT", message: expect.stringContaining("names other parameters") };
    await expect(planSimulation(request({ seed: 2 }))).rejects.toMatchObject(other);
    const planned = await planSimulation(request({ output: join(folder, "elsewhere"), seed: 2 }));
    await expect(simulate.run(planned.task(0), context({ ...planned.common, output: folder }))).rejects.toMatchObject(
      other,
    );
    expect(await readdir(folder)).toEqual(before);
  });

  it("simulate.run() lets one of two simulations that start at once have the folder", async () => {
    const jobs = await Promise.all(
      [1, 2].map(async (seed) => planSimulation(request({ seed, output: join(folder, "new") }))),
    );
    const ends = await Promise.allSettled(jobs.map(async (job) => simulate.run(job.task(0), context(job.common))));
    expect(ends.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect((await readdir(join(folder, "new", ".simulation"))).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("simulate.run() lets the tasks of one simulation start at once", async () => {
    const job = await planSimulation(request({}));
    const indices = Array.from({ length: job.taskCount }, (_, index) => index);
    await Promise.all(indices.map(async (index) => simulate.run(job.task(index), context(job.common))));
    expect((await readFolder(folder)).size).toBe(16);
  });

  it("simulate.run() names an output that cannot be", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const job = await planSimulation(request({ output: join(folder, "fine") }));
    await expect(simulate.run(job.task(0), context({ ...job.common, output: file }))).rejects.toMatchObject({
      code: "PE_OUTPUT_UNWRITABLE",
    });
  });
});

describe("simulate.schema", () => {
  it("simulate.schema takes every task of a plan, and run() no block outside the grid", async () => {
    const job = await planSimulation(request({}));
    expect(parse(simulate.schema, structuredClone(job.task(1)), "task")).toEqual(job.task(1));
    expect(parse(simulate.common, structuredClone(job.common), "common")).toEqual(job.common);
    await expect(simulate.run({ block: { x: 0, y: 4 } }, context(job.common))).rejects.toThrow("outside the grid");
  });
});

/** A simulation takes nothing from its thread but what its tasks share. */
function context(common: SimulateJob["common"]): TaskContext<SimulateJob["common"]> {
  return {
    common,
    index: 0,
    input: () => Promise.reject(new Error("not asked for")),
    findPart: () => Promise.reject(new Error("not asked for")),
    storePart: () => expect.unreachable("not asked for"),
  };
}

function request(different: Partial<SimulateRequest>): SimulateRequest {
  return {
    model: "injection",
    grid: { xSize: 4, ySize: 4 },
    samples: 100,
    shardSize: 3,
    seed: 1,
    output: folder,
    ...different,
  };
}

/** As a pool does: parameters pass through the schema on their way. */
async function runAll(different: Partial<SimulateRequest>): Promise<SimulateSummary[]> {
  const job = await planSimulation(request(different));
  const summaries: SimulateSummary[] = [];
  for (let index = 0; index < job.taskCount; index++) {
    const task = parse(simulate.schema, structuredClone(job.task(index)), "task");
    summaries.push(await simulate.run(task, context(job.common)));
  }
  return summaries;
}

interface ReadCell {
  readonly xVariable: number;
  readonly yVariable: number;
  readonly samples: Float64Array;
}

async function readFolder(path: string): Promise<Map<string, ReadCell>> {
  const cells = new Map<string, ReadCell>();
  for (const name of (await readdir(path)).filter((file) => file.endsWith(".hdf5"))) {
    const shard = await openShard(name, { path: join(path, name) });
    expect(shard.problems).toEqual([]);
    for (const [index, { x, y, xVariable, yVariable }] of shard.series.entries()) {
      expect(cells.has(`${x},${y}`)).toBe(false);
      cells.set(`${x},${y}`, { xVariable, yVariable, samples: Float64Array.from(shard.read(index)) });
    }
    shard.close();
  }
  return new Map([...cells].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
