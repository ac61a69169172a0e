/** Waiting for a job of maps and making them here: what submit, attach and reduce end with. */
import { counted } from "../../common/counted.ts";
import { EXIT } from "../../common/errors.ts";
import type { Given, OptionSpec } from "../../common/command-line/command.ts";
import { printResult, type Console } from "../../common/command-line/console.ts";
import { stopOnSignals } from "../../common/command-line/interrupt.ts";
import { reportText, writeReport } from "../maps/map-report.ts";
import {
  collectMaps,
  collectResults,
  type Cluster,
  type Collected,
  type Collecting,
  type MapsOnCluster,
} from "../maps/maps-on-cluster.ts";
import type { WrittenResults } from "../maps/result-files.ts";
import { createProgress, jobState } from "./progress.ts";

export const COLLECT_OPTIONS: readonly OptionSpec[] = [
  { flags: "--replace", about: "replace maps of another input under the same names instead of refusing" },
  { flags: "--partial", about: "make maps of what is finished; the cells of the rest stay NaN" },
];

/** Where in the life of a command its collecting stands. */
export interface Begun {
  /** Of `performance.now()`. */
  readonly startMs: number;
  readonly planMs: number;
  /** Takes what has ended instead of waiting. */
  readonly now: boolean;
}

/**
 * @param jobs Several where they are of one task list.
 * @returns The exit status.
 * @throws {PeError} As `collectMaps`; `PE_INTERRUPTED` when Ctrl-C ended the waiting.
 */
export async function collectHere(
  cluster: Cluster,
  jobs: readonly [MapsOnCluster, ...MapsOnCluster[]],
  begun: Begun,
  given: Given,
  console: Console,
): Promise<number> {
  const progress = createProgress(console, "computing");
  const signals = stopOnSignals(console, "no longer waiting; the job goes on (again to leave at once)");
  const collecting: Omit<Collecting, "output"> = {
    ...begun,
    replace: given.flag("replace"),
    partial: given.flag("partial"),
    signal: signals.signal,
    onProgress: (state) => progress.update(jobState(state)),
    onPublish: (count) => {
      progress.end();
      console.stderr(`writing and verifying ${counted(count, "map")}\n`);
    },
  };
  try {
    const [maps] = jobs;
    if (wantsResultFiles(maps, given))
      return tellResults(await collectResults(cluster, jobs, collecting), given, console);
    const collected = await collectMaps(cluster, maps, { ...collecting, output: given.needed("output") });
    return await tellMaps([collected], given, console);
  } finally {
    progress.end();
    signals.release();
  }
}

/** Result files are what the job was submitted for; who names an output for maps gets maps. */
function wantsResultFiles({ record }: MapsOnCluster, given: Given): boolean {
  return record.results.length > 0 && (!given.has("output") || given.text("part-format") === "text");
}

/** Writes the reports beside the maps and prints them: of several jobs that went into one file, one after the other. */
export async function tellMaps(all: readonly Collected[], given: Given, console: Console): Promise<number> {
  const lines: string[] = [];
  for (const { report, missing } of all) {
    lines.push(reportText(report, await writeReport(report, [])).trimEnd());
    lines.push(...missing.map((file) => `not computed: ${file}`));
  }
  const records = all.map(({ report, missing }) => ({ ...report, missing }));
  printResult(console, given.flag("json"), records.length === 1 ? records[0] : records, lines.join("\n"));
  const isWhole = all.every(({ report: { problems }, missing }) => problems.length === 0 && missing.length === 0);
  return isWhole ? EXIT.ok : EXIT.dataError;
}

function tellResults(results: WrittenResults, given: Given, console: Console): number {
  const { files, series, problems, missing } = results;
  const lines = [
    `${counted(files.length, "result file")} of ${counted(series, "series", "series")}`,
    ...problems.map(({ code, message }) => `problem: ${message} [${code}]`),
    ...missing.map((file) => `not written: ${file}`),
  ];
  printResult(console, given.flag("json"), results, lines.join("\n"));
  return problems.length === 0 && missing.length === 0 ? EXIT.ok : EXIT.dataError;
}
