/** One task: the series of a block of cells, written as one shard. Runs in a pool thread. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { shardFileName, writeShard, type SeriesToWrite } from "../../data/shard-writer.ts";
import { PeError } from "../../common/errors.ts";
import type { Kind, TaskContext } from "../kind.ts";
import { claimFolder, findWholeShard, markShardWhole, type ShardMarker } from "./folder.ts";
import { simulateSeries, type Cell } from "./models.ts";
import { jobCommonSchema, taskSchema, type SimulateCommon, type SimulateTask, type Simulation } from "./schema.ts";
import { SIMULATE_VERSION } from "./version.ts";

/** What a finished task tells. */
export interface SimulateSummary extends ShardMarker {
  readonly [key: string]: unknown;
  /** Name of the shard within the output folder. */
  readonly file: string;
  readonly series: number;
  /** Whether the shard was there already. */
  readonly reused: boolean;
}

export const simulate = {
  name: "simulate",
  version: SIMULATE_VERSION,
  schema: taskSchema,
  common: jobCommonSchema,
  // A shard carries the time of its writing.
  pure: false,
  describe: ({ simulation: { model, grid }, output }) => ({
    model,
    grid: `${grid.xSize} x ${grid.ySize}`,
    output,
  }),
  run: runTask,
} satisfies Kind<SimulateTask, SimulateCommon>;

async function runTask(
  { block }: SimulateTask,
  { common: { simulation, output } }: TaskContext<SimulateCommon>,
): Promise<SimulateSummary> {
  if (block.x >= simulation.grid.xSize || block.y >= simulation.grid.ySize)
    throw new PeError("PE_PARAMETER", `Cannot simulate block ${block.x},${block.y}: it lies outside the grid`);
  const file = shardFileName(block.x, block.y);
  await claimFolder(output, simulation);
  const whole = await findWholeShard(output, file);
  const marker = whole ?? (await makeShard(simulation, block, output, file));
  const series = cellsOf(simulation, block).length;
  return { file, series, reused: whole !== undefined, ...marker };
}

async function makeShard(
  simulation: Simulation,
  block: SimulateTask["block"],
  output: string,
  file: string,
): Promise<ShardMarker> {
  const { model, samples, seed, shardSize } = simulation;
  const series = cellsOf(simulation, block).map((cell): SeriesToWrite => {
    const { x, y, xVariable, yVariable } = cell;
    return { x, y, xVariable, yVariable, samples: simulateSeries(model, cell, samples, seed) };
  });
  const shard = { xIndexMin: block.x, yIndexMin: block.y, shardSize, series };
  const written = await writeShard(join(output, file), shard, { gzipLevel: simulation.gzipLevel });
  const marker = { ...written, valuesSha256: digestOfValues(series) };
  await markShardWhole(output, file, marker);
  return marker;
}

/** The cells of a block that lie in the grid, x first, with their variables. */
export function cellsOf({ grid, x, y, shardSize }: Simulation, block: SimulateTask["block"]): Cell[] {
  const cells: Cell[] = [];
  for (let column = block.x; column < Math.min(block.x + shardSize, grid.xSize); column++)
    for (let row = block.y; row < Math.min(block.y + shardSize, grid.ySize); row++)
      cells.push({
        x: column,
        y: row,
        xVariable: variableAt(x, column, grid.xSize),
        yVariable: variableAt(y, row, grid.ySize),
      });
  return cells;
}

/** Evenly spaced, both ends exact. */
function variableAt({ first, last }: Simulation["x"], index: number, size: number): number {
  return index === size - 1 && index > 0 ? last : first + ((last - first) * index) / Math.max(size - 1, 1);
}

function digestOfValues(series: readonly SeriesToWrite[]): string {
  const hash = createHash("sha256");
  for (const { samples } of series) hash.update(littleEndian(samples));
  return hash.digest("hex");
}

/** The bytes of the samples, the least significant first, as everywhere in a shard. */
function littleEndian(samples: Float64Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(samples.byteLength));
  for (let index = 0; index < samples.length; index++) view.setFloat64(8 * index, samples[index]!, true);
  return new Uint8Array(view.buffer);
}
