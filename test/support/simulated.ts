/** Small simulated inputs. */
import { join } from "node:path";
import { runWell } from "./client.ts";

/** 120 series in 16 shards of 3 x 3 cells. */
export const SIMULATED = { xSize: 12, ySize: 10, shards: 16, series: 120 } as const;

/** Writes shards of a 12 x 10 grid into `folder/shards` and returns that folder. */
export async function simulateShardsInto(folder: string, samples = 600, model = "injection"): Promise<string> {
  const shards = join(folder, "shards");
  const grid = `${SIMULATED.xSize}x${SIMULATED.ySize}`;
  await runWell([
    "simulate",
    "--model",
    model,
    "--grid",
    grid,
    "--samples",
    String(samples),
    "--shard-size",
    "3",
    "--seed",
    "5",
    "--gzip-level",
    "1",
    "--output",
    shards,
  ]);
  return shards;
}

/** A `run` command line. */
export function runArgs(input: string, output: string, ...more: readonly string[]): string[] {
  return ["run", "--input", input, "--output", output, "--orders", "3-5", "--delays", "1,2,7", ...more];
}
