/** A request becomes a job: one task for each shard of the grid. */
import { resolve } from "node:path";
import type { Job } from "../kind.ts";
import { parse } from "../parse.ts";
import { assertFolderFree, digestOf } from "./folder.ts";
import { MODELS } from "./models.ts";
import {
  requestSchema,
  type SimulateCommon,
  type SimulateRequest,
  type SimulateTask,
  type Simulation,
} from "./schema.ts";
import { SIMULATE_VERSION } from "./version.ts";

export interface SimulateJob extends Job<SimulateTask, SimulateCommon> {
  readonly simulation: Simulation;
  /** Where the shards go: an absolute path. */
  readonly output: string;
  readonly seriesCount: number;
  /** One thread, all tasks. */
  readonly costEstimateMs: number;
}

/**
 * Plans a simulation. Nothing is written before the first task runs.
 *
 * Its id comes from the parameters and the folder: the same again resumes it, and skips the shards that are there.
 *
 * @throws {PeError} `PE_PARAMETER`, `PE_OUTPUT_CONFLICT` when the folder holds another simulation or foreign shards.
 * @example
 * await planSimulation({
 *   model: "feedback", grid: { xSize: 60, ySize: 60 }, samples: 20_000, shardSize: 9, seed: 1, output: "shards",
 * });
 */
export async function planSimulation(request: SimulateRequest): Promise<SimulateJob> {
  const { output: folder, x, y, ...rest } = parse(requestSchema, request, "request");
  const model = MODELS[rest.model];
  const simulation: Simulation = { ...rest, x: x ?? sweepOf(model.x), y: y ?? sweepOf(model.y) };
  const output = resolve(folder);
  await assertFolderFree(output, simulation);

  const { grid, shardSize, samples } = simulation;
  const blocks = { x: Math.ceil(grid.xSize / shardSize), y: Math.ceil(grid.ySize / shardSize) };
  const seriesCount = grid.xSize * grid.ySize;
  const simulateNs = (samples + model.transient) * model.costNs;
  const writeNs = samples * WRITE_NS[simulation.gzipLevel]!;
  return {
    id: digestOf(simulation, output).slice(0, 32),
    kind: "simulate",
    version: SIMULATE_VERSION,
    common: { simulation, output },
    taskCount: blocks.x * blocks.y,
    simulation,
    output,
    seriesCount,
    costEstimateMs: (seriesCount * (simulateNs + writeNs)) / 1e6,
    // In the order of the shards' names.
    task: (index) => ({
      block: { x: Math.floor(index / blocks.y) * shardSize, y: (index % blocks.y) * shardSize },
    }),
  };
}

/** Compressing, writing and verifying one sample, by the level of compression. */
const WRITE_NS = [0, 250, 250, 250, 300, 300, 500, 600, 1700, 4000];

function sweepOf({ first, last }: { first: number; last: number }): Simulation["x"] {
  return { first, last };
}
