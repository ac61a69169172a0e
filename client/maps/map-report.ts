/** What a map job tells: one record, as JSON and as a page to read. */
import { basename, extname, relative } from "node:path";
import type { ErrorRecord } from "../../common/errors.ts";
import { counted } from "../../common/counted.ts";
import { formatList, formatRanges, rangesCount } from "../../common/ranges.ts";
import type { CellConflict, MapSource, Published } from "../../data/maps.ts";
import { readMaps } from "../../data/maps.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { folderOf, placeIn, writePlace } from "../../data/result-place.ts";
import { rootBefore } from "../../data/uploads.ts";
import type { PeJob } from "../../tasks/pe/plan.ts";
import type { ReducedJob, TaskEnd } from "../../tasks/pe/reduce.ts";
import type { PeSummary } from "../../tasks/pe/run.ts";
import { OWNER_CONFLICT, OWNER_NONE } from "../../data/maps.ts";
import { KERNEL_VERSION } from "../../kernel/index.ts";
import { packageVersion } from "../../common/version.ts";

/** Problems told one by one in the page; the JSON has them all. */
const PROBLEMS_SHOWN_MAX = 20;

export interface MapSummary {
  readonly name: string;
  /** Cells of the grid, and those of them that have a value or a named reason. */
  readonly cells: number;
  readonly cellsDone: number;
  /** Of the finite values; absent when there is none. */
  readonly min?: number;
  readonly mean?: number;
  readonly max?: number;
}

export interface MapJobReport {
  readonly job: string;
  readonly output: string;
  readonly input: { readonly root: string; readonly files: number; readonly digest: string };
  readonly grid: readonly [xSize: number, ySize: number];
  readonly samples: number;
  readonly orders: readonly number[];
  readonly delays: readonly number[];
  readonly measures: readonly string[];
  readonly shards: string;
  /** Series read for this job, and those that this run computed: an interrupted one has computed some before. */
  readonly series: { readonly computed: number; readonly now: number };
  /**
   * What its tasks did to have their series: files that were read, by each worker that computed from them, and series that were
   * inflated. The rest the workers had kept.
   */
  readonly fetched: { readonly files: number; readonly series: number };
  /** Cells that this job fills, by what became of them. */
  readonly jobCells: { readonly withValue: number; readonly withReason: number };
  /** Cells of the grid that no series of the whole input fills; known only when the job covers all of it. */
  readonly emptyCells?: number;
  readonly maps: readonly MapSummary[];
  readonly problems: readonly ErrorRecord[];
  readonly warnings: readonly string[];
  readonly tasks: { readonly total: number; readonly finishedBefore: number; readonly failed: number };
  readonly threads: number;
  /** Milliseconds: of the whole run by the clock, and of all threads together by what they did. */
  readonly wallMs: {
    readonly total: number;
    readonly plan: number;
    readonly compute: number;
    readonly publish: number;
  };
  readonly threadMs: { readonly read: number; readonly decode: number; readonly compute: number };
  readonly versions: { readonly software: string; readonly kernel: string };
  readonly date: string;
}

/** How the tasks of a job ended, and what this run had to do with it. */
export interface ComputedJob {
  readonly job: PeJob;
  /** One a task of the job's manifest. */
  readonly ends: readonly TaskEnd[];
  readonly summaries: readonly PeSummary[];
  /** Series computed while this run looked on. */
  readonly seriesNow: number;
  /** Tasks finished before. */
  readonly finishedBefore: number;
  /** Of this machine, or of all workers together. */
  readonly threads: number;
  readonly wallMs: number;
}

export interface JobParts {
  /** Where the maps can be read now. */
  readonly path: string;
  /** What the user calls it. */
  readonly output: string;
  /** The input as the maps file knows it. */
  readonly source: MapSource;
  readonly reduced: ReducedJob;
  readonly published: Published;
  readonly computed: ComputedJob;
  readonly timing: { wallMs: number; planMs: number; computeMs: number; publishMs: number };
}

export async function buildReport({
  path,
  output,
  source: known,
  reduced,
  published,
  computed,
  timing,
}: JobParts): Promise<MapJobReport> {
  const { job } = computed;
  const { source, grid, common, shards } = job.manifest;
  const problems = [...reduced.problems, ...newConflicts(reduced, published, grid.ySize)];
  const emptyCells = reduced.owners.reduce((sum, owner) => sum + (owner === OWNER_NONE ? 1 : 0), 0);
  const coversAll = common.window === undefined && rangesCount(shards) === source.files.length;
  return {
    job: job.id,
    output,
    input: { root: inputName(job), files: source.files.length, digest: known.digest },
    grid: [grid.xSize, grid.ySize],
    samples: common.length,
    orders: common.orders,
    delays: common.delays,
    measures: common.measures,
    shards: formatRanges(shards),
    series: {
      computed: computed.summaries.reduce((sum, { series }) => sum + series, 0),
      now: computed.seriesNow,
    },
    fetched: {
      files: computed.summaries.filter(({ read }) => read).length,
      series: sumOf(computed, "inflated"),
    },
    jobCells: { withValue: reduced.cellsWithValue, withReason: reduced.cellsWithReason },
    ...(coversAll && { emptyCells }),
    maps: await summariseMaps(path, published),
    problems,
    warnings: job.warnings,
    tasks: {
      total: job.taskCount,
      finishedBefore: computed.finishedBefore,
      failed: computed.ends.filter((end) => "error" in end).length,
    },
    threads: computed.threads,
    wallMs: {
      total: Math.round(timing.wallMs),
      plan: Math.round(timing.planMs),
      compute: Math.round(timing.computeMs),
      publish: Math.round(timing.publishMs),
    },
    threadMs: {
      read: sumOf(computed, "readMs"),
      decode: sumOf(computed, "decodeMs"),
      compute: sumOf(computed, "computeMs"),
    },
    versions: { software: `pe-cluster ${packageVersion()}`, kernel: KERNEL_VERSION },
    date: new Date().toISOString(),
  };
}

/** Conflicts with cells that an earlier job filled; those within this job are told by its reduction. */
function newConflicts({ owners }: ReducedJob, { conflicts }: Published, ySize: number): ErrorRecord[] {
  return conflicts.filter(({ x, y }) => owners[x * ySize + y] !== OWNER_CONFLICT).map(describeConflict);
}

function describeConflict({ x, y, shards }: CellConflict): ErrorRecord {
  const names = shards.map((name) => `"${name}"`).join(" and ");
  const message = `Cannot fill cell (${x}, ${y}): series of ${names} claim it; give each series its own x_index and y_index`;
  return { code: "PE_CELL_CONFLICT", message, details: { x, y } };
}

/** A folder by its path, a single file by its own. */
export function inputName({ manifest: { source } }: PeJob): string {
  return source.files.length === 1 ? source.files[0]!.path : rootBefore(source.root);
}

function sumOf({ summaries }: ComputedJob, what: "inflated" | "readMs" | "decodeMs" | "computeMs"): number {
  // A scheduler may tell summaries of an earlier version.
  return Math.round(summaries.reduce((sum, summary) => sum + (summary[what] ?? 0), 0));
}

async function summariseMaps(path: string, { maps }: Published): Promise<MapSummary[]> {
  const file = await readMaps(path);
  try {
    return maps.map(({ name, cells, cellsDone }) => ({ name, cells, cellsDone, ...extent(file.values(name)) }));
  } finally {
    file.close();
  }
}

function extent(values: Float64Array): { min?: number; mean?: number; max?: number } {
  let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    count++;
  }
  return count === 0 ? {} : { min, mean: sum / count, max };
}

/** Where the report of `output` lies: `maps.report.json` and `maps.report.md` beside `maps.hdf5`. */
export function reportPath(output: string, extension: "json" | "md"): string {
  return placeIn(folderOf(output), `${basename(output, extname(output))}.report.${extension}`);
}

/** Writes the report beside the maps file. @returns The paths written. */
export async function writeReport(report: MapJobReport, pictures: readonly string[]): Promise<string[]> {
  const [json, page] = [reportPath(report.output, "json"), reportPath(report.output, "md")];
  const encoder = new TextEncoder();
  await writePlace(json, encoder.encode(`${JSON.stringify(report, undefined, 2)}\n`));
  await writePlace(page, encoder.encode(reportPage(report, pictures)));
  return [json, page];
}

/** The few lines a person wants at the end of a run. */
export function reportText(report: MapJobReport, files: readonly string[]): string {
  const { series, jobCells, maps, wallMs, problems, output } = report;
  const lines = [
    `${counted(maps.length, "map")} of ${report.grid[0]} x ${report.grid[1]} cells in ${output}`,
    `${series.computed} series in ${(wallMs.total / 1000).toFixed(1)} s; ${computing(report)}`,
    ...(jobCells.withReason === 0
      ? []
      : [`${jobCells.withValue} cells have values, ${jobCells.withReason} a reason instead`]),
    ...problems.slice(0, PROBLEMS_SHOWN_MAX).map(({ code, message }) => `problem: ${message} [${code}]`),
    ...(problems.length > PROBLEMS_SHOWN_MAX
      ? [`and ${counted(problems.length - PROBLEMS_SHOWN_MAX, "more problem")}: see ${reportPath(output, "md")}`]
      : []),
    ...files.map((path) => `wrote ${path}`),
  ];
  return `${lines.join("\n")}\n`;
}

function computing({ series, wallMs, threads }: MapJobReport): string {
  if (series.computed === 0) return "nothing could be computed";
  if (series.now === 0) return "all of them were computed before";
  const perSecond = Math.round((series.now / Math.max(1, wallMs.compute)) * 1000);
  return `${series.now} computed now at ${perSecond} series/s on ${counted(threads, "thread")}`;
}

function reportPage(report: MapJobReport, pictures: readonly string[]): string {
  const folder = folderOf(report.output);
  return [
    `# Permutation entropy maps: ${basename(report.output)}`,
    `Job \`${report.job}\`, ${report.date}, ${report.versions.software}, kernel ${report.versions.kernel}.`,
    facts(report),
    report.warnings.map((warning) => `- Warning: ${warning}`).join("\n"),
    "## Maps",
    mapsTable(report.maps),
    report.problems.length === 0 ? "" : `## Problems\n\n${problemsList(report.problems)}`,
    "## Time",
    timeTable(report),
    pictures.length === 0
      ? ""
      : `## Pictures\n\n${pictures.map((path) => `![${basename(path, ".png")}](<${linkTo(path, folder)}>)`).join("\n")}`,
  ]
    .filter((section) => section !== "")
    .join("\n\n")
    .concat("\n");
}

/** From a page in `folder`; what lies in another place than the page, on S3 or here, by its full name. */
function linkTo(path: string, folder: string): string {
  if (isS3Url(folder) || isS3Url(path)) return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
  return relative(folder, path);
}

function facts({
  input,
  grid,
  samples,
  orders,
  delays,
  measures,
  shards,
  series,
  fetched,
  jobCells,
  emptyCells,
  tasks,
}: MapJobReport): string {
  return [
    `- Input: ${input.root}, ${counted(input.files, "file")} (digest \`${input.digest.slice(0, 16)}\`), shards ${shards}`,
    `- Grid: ${grid[0]} x ${grid[1]} cells` +
      (emptyCells === undefined ? "" : `, ${emptyCells} of them without a series`),
    `- Series: ${series.computed} of ${samples} samples, ${fetched.series} of them inflated; ${counted(fetched.files, "file")} read`,
    `- Cells of this job: ${jobCells.withValue} with values, ${jobCells.withReason} with a reason instead`,
    `- Orders ${formatList(orders)}, delays ${formatList(delays)}, measures ${measures.join(", ")}`,
    `- Tasks: ${tasks.total}, ${tasks.finishedBefore} finished by an earlier run, ${tasks.failed} failed`,
  ].join("\n");
}

function mapsTable(maps: readonly MapSummary[]): string {
  const number = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(6));
  const rows = maps.map(
    ({ name, cells, cellsDone, min, mean, max }) =>
      `| ${name} | ${cellsDone} of ${cells} | ${number(min)} | ${number(mean)} | ${number(max)} |`,
  );
  return ["| map | cells done | min | mean | max |", "|---|---|---|---|---|", ...rows].join("\n");
}

function problemsList(problems: readonly ErrorRecord[]): string {
  return problems.map(({ code, message }) => `- ${message} (${code})`).join("\n");
}

function timeTable(report: MapJobReport): string {
  const { wallMs, threadMs, threads } = report;
  const row = (what: string, ms: number): string => `| ${what} | ${(ms / 1000).toFixed(2)} |`;
  return [
    `| seconds, ${counted(threads, "thread")} | |`,
    "|---|---|",
    row("plan", wallMs.plan),
    row("compute (wall)", wallMs.compute),
    row("– threads: read and hash", threadMs.read),
    row("– threads: decode", threadMs.decode),
    row("– threads: maps", threadMs.compute),
    row("reduce, write, verify", wallMs.publish),
    row("total (wall)", wallMs.total),
    `\n${computing(report)}.`,
  ].join("\n");
}
