import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { planSimulation, type SimulateRequest } from "../../../../tasks/simulate/index.ts";

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "pe-simulate-"))));
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe("planSimulation()", () => {
  it("planSimulation() gives a task for each shard, in the order of their names, with the sweeps of the model", async () => {
    const job = await planSimulation(request({ grid: { xSize: 10, ySize: 4 }, shardSize: 3 }));
    expect(job).toMatchObject({ kind: "simulate", taskCount: 8, seriesCount: 40, output: folder });
    const blocks = Array.from({ length: 8 }, (_, index) => job.task(index).block);
    expect(blocks.slice(0, 3)).toEqual([
      { x: 0, y: 0 },
      { x: 0, y: 3 },
      { x: 3, y: 0 },
    ]);
    expect(blocks.at(-1)).toEqual({ x: 9, y: 3 });
    expect(job.simulation).toMatchObject({ x: { first: 0, last: 1.2 }, y: { first: -4, last: 4 }, gzipLevel: 6 });
    expect(job.costEstimateMs).toBeGreaterThan(0);
  });

  it("planSimulation() writes nothing", async () => {
    await planSimulation(request({}));
    expect(await readdir(folder)).toEqual([]);
    await expect(planSimulation(request({ output: join(folder, "not", "there") }))).resolves.toBeDefined();
  });

  it("planSimulation() gives the same id for the same request, and another for any other", async () => {
    const { id } = await planSimulation(request({}));
    expect((await planSimulation(request({}))).id).toBe(id);
    expect((await planSimulation(request({ x: { first: 0, last: 1.2 } }))).id).toBe(id);
    const others: Partial<SimulateRequest>[] = [
      { seed: 2 },
      { samples: 101 },
      { shardSize: 4 },
      { model: "feedback" },
      { x: { first: 0, last: 1 } },
      { grid: { xSize: 4, ySize: 5 } },
      { gzipLevel: 9 },
      { output: join(folder, "other") },
    ];
    const ids = await Promise.all(others.map(async (other) => (await planSimulation(request(other))).id));
    expect(new Set([id, ...ids]).size).toBe(others.length + 1);
  });

  it.each([
    [{ grid: { xSize: 0, ySize: 4 } }, /grid\.xSize: expected at least 1/],
    [{ grid: { xSize: 1001, ySize: 4 } }, /grid\.xSize: expected at most 1000/],
    [{ samples: 1.5 }, /samples: expected a whole number/],
    [{ seed: -1 }, /seed: expected at least 0/],
    [{ shardSize: 100, samples: 20_000 }, /choose fewer samples or a smaller shard size/],
    [{ x: { first: 0, last: Number.NaN } }, /x\.last/],
    [{ gzipLevel: 10 }, /gzipLevel/],
    [{ output: "" }, /output: expected a folder/],
    [{ model: "maser" as "feedback" }, /model: expected feedback or injection/],
  ])("planSimulation() refuses %j", async (wrong, message) => {
    await expect(planSimulation(request(wrong))).rejects.toMatchObject({
      code: "PE_PARAMETER",
      message: expect.stringMatching(message),
    });
  });

  it("planSimulation() refuses a folder with shards that no simulation made", async () => {
    await writeFile(join(folder, "raw_shard_000_000.hdf5"), "measured");
    await expect(planSimulation(request({}))).rejects.toMatchObject({
      code: "PE_OUTPUT_CONFLICT",
      message: expect.stringContaining("raw_shard_000_000.hdf5, which no simulation made"),
    });
  });
});

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
