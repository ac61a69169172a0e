/** pe-client simulate: shards of a simulated laser, in the layout of measured ones. */
import { counted } from "../../../common/counted.ts";
import { EXIT, PeError } from "../../../common/errors.ts";
import type { SimulateRequest } from "../../../tasks/simulate/index.ts";
import { simulateShards, type SimulationReport } from "../../simulation.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import { createProgress, formatSeconds } from "../progress.ts";
import { parseGrid, parseSweep, parseWhole } from "../quantities.ts";

const THREADS_MAX = 1024;

export const simulate: CommandSpec = {
  name: "simulate",
  about:
    "Simulate a semiconductor laser over a grid of two parameters and write shards as measured ones are. " +
    "The same seed gives the same values on every machine.",
  options: [
    { flags: "--model NAME", about: "feedback (Lang and Kobayashi) or injection (optically injected)", required: true },
    { flags: "--output DIR", about: "folder for the shards", required: true },
    { flags: "--grid CELLS", about: "cells along x and y", default: "60x60" },
    { flags: "--samples N", about: "samples per series", default: "20000" },
    { flags: "--shard-size N", about: "cells of a shard along each side", default: "9" },
    { flags: "--seed N", about: "seed of all noise", default: "1" },
    { flags: "--x FIRST:LAST", about: "x variable of the first and last cells (default: that of the model)" },
    { flags: "--y FIRST:LAST", about: "y variable of the first and last cells (default: that of the model)" },
    { flags: "--gzip-level N", about: "1 to 9: the shards' compression", default: "6" },
    { flags: "--threads N", about: "threads that compute (default: one per core)" },
    JSON_OPTION,
  ],
  examples: [
    "pe-client simulate --model feedback --grid 60x60 --samples 20000 --shard-size 9 --seed 1 --output shards",
  ],
  run: async (given, console) => {
    const report = await compute(readRequest(given), given, console);
    const { output, shards, reused, series, bytes, wallMs } = report;
    const before = reused === 0 ? "" : `, ${reused} of them there before`;
    const size = `${counted(shards, "shard")} (${(bytes / 1e6).toFixed(1)} MB)${before}`;
    const text = `${series} series in ${size}: ${output}, ${formatSeconds(wallMs / 1000)}`;
    printResult(console, given.flag("json"), report, text);
    return EXIT.ok;
  },
};

function readRequest(given: Given): SimulateRequest {
  const model = given.needed("model");
  if (model !== "feedback" && model !== "injection")
    throw new PeError("PE_PARAMETER", `Cannot read --model ${model}: expected feedback or injection`);
  const whole = (name: string, min: number, max: number): number =>
    parseWhole(given.needed(name), `--${name}`, min, max);
  const x = given.parsed("x", (text) => parseSweep(text, "--x"));
  const y = given.parsed("y", (text) => parseSweep(text, "--y"));
  return {
    model,
    output: given.needed("output"),
    grid: parseGrid(given.needed("grid")),
    samples: whole("samples", 1, 2 ** 31),
    shardSize: whole("shard-size", 1, 1000),
    seed: whole("seed", 0, 2 ** 32 - 1),
    gzipLevel: whole("gzip-level", 1, 9),
    ...(x !== undefined && { x }),
    ...(y !== undefined && { y }),
  };
}

async function compute(request: SimulateRequest, given: Given, console: Console): Promise<SimulationReport> {
  const threads = given.parsed("threads", (text) => parseWhole(text, "--threads", 1, THREADS_MAX));
  const progress = createProgress(console, "simulating");
  const signals = stopOnSignals(console);
  try {
    return await simulateShards(request, {
      signal: signals.signal,
      ...(threads !== undefined && { threads }),
      onPlan: ({ seriesCount, taskCount, costEstimateMs }) =>
        console.stderr(
          `${seriesCount} series in ${counted(taskCount, "shard")}, about ${formatSeconds(costEstimateMs / 1000)} of one core\n`,
        ),
      onProgress: ({ shardsDone, shards, file }) =>
        progress.update({ done: shardsDone, total: shards, before: 0, unit: "shards", current: file }),
    });
  } finally {
    progress.end();
    signals.release();
  }
}
