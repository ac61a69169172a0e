/** pe-client run: shards in, maps, pictures and a report out, on this machine. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { counted } from "../../../common/counted.ts";
import { formatList, formatRanges } from "../../../common/ranges.ts";
import { planPe, type PeJob, type PeRequest } from "../../../tasks/pe/plan.ts";
import { computeMaps, type MapJobOptions } from "../../map-job.ts";
import { inputName, reportText, writeReport, type MapJobReport } from "../../map-report.ts";
import { checkOutput } from "../../output-check.ts";
import { drawMaps, makePicturesFolder } from "../../pictures.ts";
import { aboutFolder } from "../../../tasks/simulate/index.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import { createProgress, formatCount, formatSeconds } from "../progress.ts";
import { parseDelays, parseInterval, parseMeasures, parseOrders, parseWhole } from "../quantities.ts";

const THREADS_MAX = 1024;

export const run: CommandSpec = {
  name: "run",
  about:
    "Compute permutation entropy maps of a folder of shards (or a glob, one HDF5 file, one text series). " +
    "Interrupted, the same command goes on where it stopped.",
  options: [
    {
      flags: "--input PATH",
      about: "folder of shards, glob, one HDF5 file, or text with a number a line",
      required: true,
    },
    { flags: "--output FILE", about: "maps file to make or to merge into", required: true },
    { flags: "--orders LIST", about: "samples per window, 2 to 9, such as 3-7", required: true },
    {
      flags: "--delays LIST",
      about: "samples between neighbours, such as 1-10,22-24,90; times with --interval",
      required: true,
    },
    { flags: "--measures LIST", about: "pe, weighted, complexity, missing", default: "pe" },
    { flags: "--interval TIME", about: "time from one sample to the next, such as 50ps" },
    { flags: "--shards RANGES", about: "half-open ranges over the sorted list of shards, such as 0:40,60:" },
    { flags: "--x RANGE", about: "half-open range of x indices, such as 0:90" },
    { flags: "--y RANGE", about: "half-open range of y indices, such as 0:90" },
    { flags: "--threads N", about: "threads that compute (default: one per core)" },
    { flags: "--plot DIR", about: "draw every map as PNG into this folder" },
    { flags: "--replace", about: "replace maps of another input under the same names instead of refusing" },
    { flags: "--dry-run", about: "show the plan and stop" },
    JSON_OPTION,
  ],
  examples: [
    "pe-client run --input shards --output maps.hdf5 --orders 3-7 --delays 1-10,22-24,90 --plot pictures",
    "pe-client run --input shards --output maps.hdf5 --orders 5 --delays 50ps,4.5ns --interval 50ps --shards 0:100",
  ],
  run: runCommand,
};

async function runCommand(given: Given, console: Console): Promise<number> {
  const request = readRequest(given);
  const pictures = given.text("plot");
  if (given.flag("dry-run")) {
    const job = await planPe(request);
    await checkOutput(given.needed("output"), job.manifest, given.flag("replace"));
    printResult(console, given.flag("json"), planRecord(job), planText(job));
    return EXIT.ok;
  }
  // Found out before hours of work, not after.
  if (pictures !== undefined) await makePicturesFolder(pictures);
  const report = await compute(request, given, console);
  const written = await writeReport(report, []);
  const drawn = pictures === undefined ? [] : await draw(report, pictures, given, console);
  if (drawn.length > 0) await writeReport(report, drawn);
  const drawings = drawn.length === 0 ? [] : [`${counted(drawn.length, "picture")} to ${pictures}`];
  printResult(console, given.flag("json"), report, reportText(report, [...written, ...drawings]));
  return report.problems.length === 0 ? EXIT.ok : EXIT.dataError;
}

function readRequest(given: Given): PeRequest {
  const interval = given.parsed("interval", parseInterval);
  const text = (name: "shards" | "x" | "y"): Partial<PeRequest> => {
    const value = given.text(name);
    return value === undefined ? {} : { [name]: value };
  };
  return {
    input: given.needed("input"),
    orders: parseOrders(given.needed("orders")),
    delays: parseDelays(given.needed("delays"), interval),
    measures: parseMeasures(given.needed("measures")),
    ...text("shards"),
    ...text("x"),
    ...text("y"),
  };
}

async function compute(request: PeRequest, given: Given, console: Console): Promise<MapJobReport> {
  const progress = createProgress(console, "computing");
  const signals = stopOnSignals(console);
  const threads = given.parsed("threads", (text) => parseWhole(text, "--threads", 1, THREADS_MAX));
  const options: MapJobOptions = {
    ...request,
    output: given.needed("output"),
    replace: given.flag("replace"),
    signal: signals.signal,
    ...(threads !== undefined && { threads }),
    onPlan: (job, finishedBefore) => {
      console.stderr(planText(job));
      if (finishedBefore > 0)
        console.stderr(`going on: ${finishedBefore} of ${job.taskCount} tasks were finished before\n`);
    },
    onPublish: (maps) => {
      progress.end();
      console.stderr(`writing and verifying ${counted(maps, "map")}\n`);
    },
    onProgress: ({ seriesDone, seriesBefore, seriesEstimate, tasksDone, tasks, file }) =>
      progress.update({
        done: seriesDone,
        total: tasksDone === tasks ? seriesDone : Math.max(seriesEstimate, seriesDone),
        before: seriesBefore,
        unit: "series",
        current: file,
      }),
  };
  try {
    return await computeMaps(options);
  } finally {
    progress.end();
    signals.release();
  }
}

async function draw(report: MapJobReport, folder: string, given: Given, console: Console): Promise<readonly string[]> {
  const progress = createProgress(console, "drawing");
  const interval = given.parsed("interval", parseInterval);
  const signals = stopOnSignals(console);
  try {
    return await drawMaps(report.output, folder, {
      ...(await aboutFolder(report.input.root)),
      names: report.maps.map(({ name }) => name),
      signal: signals.signal,
      ...(interval !== undefined && { intervalSeconds: interval }),
      onDrawn: (done, total, name) => progress.update({ done, total, before: 0, unit: "pictures", current: name }),
    });
  } catch (error) {
    // The maps are safe; a picture is made again by one command.
    if (error instanceof PeError)
      throw new PeError(error.code, `${error.message}; the maps are in "${report.output}"`, { cause: error });
    throw error;
  } finally {
    signals.release();
    progress.end();
  }
}

function planRecord({ id, manifest, taskCount, seriesEstimate, costEstimateMs, warnings, unreadable }: PeJob): unknown {
  const { source, grid, common, shards } = manifest;
  return {
    job: id,
    input: { root: source.root, files: source.files.length, bytes: totalBytes(manifest) },
    grid: [grid.xSize, grid.ySize],
    series: seriesEstimate,
    samples: common.length,
    orders: common.orders,
    delays: common.delays,
    measures: common.measures,
    windows: windowsOf(seriesEstimate, common),
    shards: formatRanges(shards),
    tasks: taskCount,
    threadMs: Math.round(costEstimateMs),
    warnings,
    unreadable,
  };
}

function planText(job: PeJob): string {
  const { manifest, seriesEstimate, taskCount, costEstimateMs, warnings, unreadable } = job;
  const { source, grid, common, shards } = manifest;
  const { orders, delays, measures, length } = common;
  const lines = [
    `input    ${inputName(job)}: ${counted(source.files.length, "file")}, ${formatBytes(totalBytes(manifest))}, grid ${grid.xSize} x ${grid.ySize}`,
    `series   ${seriesEstimate} of ${length} samples` +
      (shards.length === 1 && shards[0]!.stop - shards[0]!.start === source.files.length
        ? ""
        : `, shards ${formatRanges(shards)}`),
    `maps     ${orders.length * delays.length * measures.length}: ${measures.join(", ")} at orders ${formatList(orders)}, delays ${formatList(delays)}`,
    `work     ${formatCount(windowsOf(seriesEstimate, common))} windows in ${counted(taskCount, "task")}, about ${formatSeconds(Math.max(0.1, costEstimateMs / 1000))} of one core, then ${counted(orders.length * delays.length * measures.length, "map")} to write`,
    ...warnings.map((warning) => `warning  ${warning}`),
    ...unreadable.map(({ message }) => `problem  ${message}`),
  ];
  return `${lines.join("\n")}\n`;
}

function totalBytes({ source: { files } }: PeJob["manifest"]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Windows that are looked at: lower orders come with the highest. */
function windowsOf(series: number, { orders, delays, length }: PeJob["manifest"]["common"]): number {
  return delays.reduce((sum, delay) => sum + series * Math.max(0, length - (orders.at(-1)! - 1) * delay), 0);
}

function formatBytes(bytes: number): string {
  return bytes >= 1e9
    ? `${(bytes / 1e9).toPrecision(3)} GB`
    : bytes >= 1e6
      ? `${(bytes / 1e6).toPrecision(3)} MB`
      : `${Math.ceil(bytes / 1e3)} kB`;
}
