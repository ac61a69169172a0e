/** pe-client run: shards in, maps, pictures and a report out, on this machine. */
import { EXIT, PeError } from "../../../common/errors.ts";
import { counted } from "../../../common/counted.ts";
import { planPe, type PeRequest } from "../../../tasks/pe/plan.ts";
import { computeMaps, type MapJobOptions } from "../../maps/map-job.ts";
import { reportText, writeReport, type MapJobReport } from "../../maps/map-report.ts";
import { checkOutput } from "../../maps/output-check.ts";
import { drawMaps, makePicturesFolder } from "../../maps/pictures.ts";
import { aboutFolder } from "../../../tasks/simulate/index.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { stopOnSignals } from "../../../common/command-line/interrupt.ts";
import { tellWaiting } from "../cluster.ts";
import { readRequest, requestOptions } from "../map-request.ts";
import { planRecord, planText } from "../plan-text.ts";
import { createProgress, jobState } from "../progress.ts";
import { parseInterval, parseWhole } from "../quantities.ts";
import { withS3Options } from "../s3-options.ts";

const THREADS_MAX = 1024;

export const run: CommandSpec = withS3Options({
  name: "run",
  about:
    "Compute permutation entropy maps of a folder of shards (or a glob, one HDF5 file, one text series). " +
    "Interrupted, the same command goes on where it stopped.",
  options: [
    { flags: "--output FILE", about: "maps file to make or to merge into, or s3://bucket/key", required: true },
    ...requestOptions(true),
    { flags: "--threads N", about: "threads that compute (default: one per core)" },
    { flags: "--plot DIR", about: "draw every map as PNG into this folder, or under s3://bucket/prefix" },
    { flags: "--replace", about: "replace maps of another input under the same names instead of refusing" },
    { flags: "--dry-run", about: "show the plan, with the requests to S3, and stop" },
    JSON_OPTION,
  ],
  examples: [
    "pe-client run --input shards --output maps.hdf5 --orders 3-7 --delays 1-10,22-24,90 --plot pictures",
    "pe-client run --input shards --output maps.hdf5 --orders 5 --delays 50ps,4.5ns --interval 50ps --shards 0:100",
  ],
  run: runCommand,
});

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
    onProgress: (state) => progress.update(jobState(state)),
    onWarning: tellWaiting(console),
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
