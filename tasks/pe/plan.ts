/** A request becomes a job: which files, which rows, which maps. Opens no series' data. */
import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { PeError, type ErrorRecord } from "../../common/errors.ts";
import { parseRanges, rangesCount, type Range } from "../../common/ranges.ts";
import { readInputObject } from "../../data/input-object.ts";
import { listInput, shardBlock, type Input } from "../../data/inputs.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { parseSeriesText, readSeriesText } from "../../data/series-text.ts";
import type { Job } from "../kind.ts";
import { parse } from "../parse.ts";
import { cutRows, rowsPerTask, seriesCostNs } from "./cut.ts";
import { surveyShards, type Grid, type Survey } from "./grid.ts";
import { mapsSchema, type MapsWanted, type PeCommon, type PeManifest, type PeTask, type Window } from "./schema.ts";
import { PE_VERSION } from "./version.ts";

export interface PeRequest extends MapsWanted {
  /** A folder of shards, a glob, one HDF5 file, or one text series; or what was found there before. */
  readonly input: string | Input;
  /** Half-open ranges of ordinals over the sorted list of files, such as `0:40,60:`; all by default. */
  readonly shards?: string;
  /** Half-open ranges of cell indices, such as `0:90`; all by default. */
  readonly x?: string;
  readonly y?: string;
}

export interface PeJob extends Job<PeTask, PeCommon> {
  readonly manifest: PeManifest;
  /** Series of the selected files as far as names and opened files tell; exact where every one was opened. */
  readonly seriesEstimate: number;
  /** One thread, all tasks. */
  readonly costEstimateMs: number;
  /** What the user should know before the job runs. */
  readonly warnings: readonly string[];
  /** Files planning tried to open and could not; their tasks will say so again. */
  readonly unreadable: readonly ErrorRecord[];
}

/** @throws {PeError} `PE_INPUT_EMPTY`, `PE_PARAMETER`, `PE_SHARD_UNREADABLE` */
export async function planPe(request: PeRequest): Promise<PeJob> {
  const wanted = parse(mapsSchema, request, "request");
  const input = typeof request.input === "string" ? await listInput(request.input) : request.input;
  const survey = input.kind === "text" ? await surveyText(input) : await surveyShards(input);
  refuseImpossible(wanted, survey.length);
  const window = parseWindow(request, survey.grid);
  const shards = parseRanges(request.shards ?? "0:", input.files.length, "--shards");
  const common = { ...maps(wanted), length: survey.length, ...(window !== undefined && { window }) };
  const tasks = cutTasks(input, survey, shards, common);
  if (tasks.length === 0) throw nothingSelected(request, input, survey.grid);
  const manifest: PeManifest = {
    version: PE_VERSION,
    source: {
      root: input.root,
      format: input.kind === "text" ? "text" : "hdf5",
      digest: sourceDigest(input),
      files: [...input.files],
    },
    grid: survey.grid,
    common,
    shards,
    tasks,
  };
  return {
    ...jobOf(manifest),
    ...estimate(manifest, survey),
    warnings: warningsFor(common),
    unreadable: [...survey.unreadable.values()],
  };
}

/** The job that a manifest describes; a stored manifest gives the same tasks as the plan it came from. */
export function jobOf(manifest: PeManifest): Job<PeTask, PeCommon> & { manifest: PeManifest } {
  const { version, source, common, tasks } = manifest;
  const tasksOfFile = new Map<number, number>();
  for (const [ordinal] of tasks) tasksOfFile.set(ordinal, (tasksOfFile.get(ordinal) ?? 0) + 1);
  return {
    id: jobId(manifest),
    kind: "pe",
    version,
    taskCount: tasks.length,
    common: { ...common, format: source.format, root: source.root },
    manifest,
    task: (index) => {
      const [ordinal, start, stop] = tasks[index]!;
      const { name, bytes, modifiedMs, version: stored } = source.files[ordinal]!;
      return {
        file: { name, bytes, modifiedMs, ...(stored !== undefined && { version: stored }) },
        rows: { start, ...(stop >= 0 && { stop }) },
        shared: tasksOfFile.get(ordinal)! > 1,
      };
    },
    groupOf: (index) => tasks[index]![0],
    labelOf: (index) => labelOf(source.files[tasks[index]![0]]!),
  };
}

/** Of a shard, wherever it lies: the worker that had it last may have it still. */
function labelOf({ name, bytes, modifiedMs, version }: PeManifest["source"]["files"][number]): number {
  return crc32(`${name}\n${bytes}\n${version ?? modifiedMs}`);
}

/** From what decides the result and what it is for, not from where the input is mounted. */
function jobId({ version, source, common, tasks, wanted }: PeManifest): string {
  const what = [version, source.format, source.digest, common, tasks];
  return digestOf(wanted === undefined ? what : [...what, wanted]).slice(0, 32);
}

/** The same work for a purpose of its own (`wanted` is a JSON value): another job, which finds the parts of the first. */
export function jobWanting(job: PeJob, wanted: unknown): PeJob {
  return { ...job, ...jobOf({ ...job.manifest, wanted: digestOf(wanted) }) };
}

function sourceDigest({ files }: Input): string {
  return digestOf(files.map(({ name, bytes, modifiedMs, version }) => [name, bytes, version ?? modifiedMs]));
}

function digestOf(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "hex");
}

function maps({ orders, delays, measures }: MapsWanted): MapsWanted {
  return { orders, delays, measures };
}

async function surveyText({ files: [file] }: Input): Promise<Survey> {
  const { length } = await (isS3Url(file!.path)
    ? parseSeriesText(await readInputObject(file!), file!.name)
    : readSeriesText(file!.path));
  return { grid: { xSize: 1, ySize: 1 }, length, seriesCounts: new Map([[0, 1]]), unreadable: new Map() };
}

/** A pair of order and delay without a single window in the input's own series is a slip, not a result. */
function refuseImpossible({ orders, delays }: MapsWanted, length: number): void {
  const order = orders.at(-1)!;
  const delay = delays.at(-1)!;
  const needed = (order - 1) * delay + 1;
  if (length >= needed) return;
  throw new PeError(
    "PE_PARAMETER",
    `Cannot compute order ${order} at delay ${delay}: it needs ${needed} samples, the series have ${length}; ` +
      `leave out the largest orders or delays`,
    { details: { order, delay, length } },
  );
}

function parseWindow(request: PeRequest, { xSize, ySize }: Grid): Window | undefined {
  if (request.x === undefined && request.y === undefined) return undefined;
  return { x: oneRange(request.x, xSize, "--x"), y: oneRange(request.y, ySize, "--y") };
}

function oneRange(text: string | undefined, size: number, option: string): Range {
  if (text === undefined) return { start: 0, stop: size };
  const [range, more] = parseRanges(text, size, option);
  if (range !== undefined && more === undefined) return range;
  throw new PeError(
    "PE_PARAMETER",
    `Cannot read ${option} ${text}: expected one range with cells below ${size}, such as 0:90`,
  );
}

function cutTasks(
  input: Input,
  survey: Survey,
  shards: readonly Range[],
  common: PeManifest["common"],
): PeManifest["tasks"] {
  const rowsMax = rowsPerTask(common.length, common);
  const tasks: PeManifest["tasks"] = [];
  for (const { start, stop } of shards)
    for (let ordinal = start; ordinal < stop; ordinal++) {
      if (!meets(input.files[ordinal]!.name, survey.grid, common.window)) continue;
      for (const [first, last] of cutRows(seriesIn(ordinal, survey), rowsMax)) tasks.push([ordinal, first, last]);
    }
  return tasks;
}

/** Whether a file can hold cells of the window: yes unless its name says otherwise. */
function meets(name: string, { shardSize }: Grid, window: Window | undefined): boolean {
  const block = shardBlock(name);
  const size = block?.size ?? shardSize;
  if (window === undefined || block === undefined || size === undefined) return true;
  const overlaps = (start: number, range: Range): boolean => start < range.stop && start + size > range.start;
  return overlaps(block.x, window.x) && overlaps(block.y, window.y);
}

/** Series of a file: known where it was opened, else as many as a full block holds. */
function seriesIn(ordinal: number, { seriesCounts, grid: { shardSize = 9 } }: Survey): number {
  return seriesCounts.get(ordinal) ?? shardSize * shardSize;
}

function estimate(manifest: PeManifest, survey: Survey): { seriesEstimate: number; costEstimateMs: number } {
  const { common, tasks, grid } = manifest;
  let series = 0;
  for (const ordinal of new Set(tasks.map(([file]) => file))) series += seriesIn(ordinal, survey);
  series = Math.min(
    series,
    cellsOf(common.window ?? { x: { start: 0, stop: grid.xSize }, y: { start: 0, stop: grid.ySize } }),
  );
  return { seriesEstimate: series, costEstimateMs: (series * seriesCostNs(common.length, common)) / 1e6 };
}

function cellsOf({ x, y }: Window): number {
  return rangesCount([x]) * rangesCount([y]);
}

/** Fewer windows than this many per pattern bias the entropy of noise visibly. */
const WINDOWS_PER_PATTERN_MIN = 5;

function warningsFor({ orders, length }: PeManifest["common"]): string[] {
  let patterns = 1;
  const biased: number[] = [];
  for (let order = 2; order <= 9; order++) {
    patterns *= order;
    if (orders.includes(order) && length < WINDOWS_PER_PATTERN_MIN * patterns) biased.push(order);
  }
  if (biased.length === 0) return [];
  return [
    `order ${biased.join(", ")}: ${length} samples are fewer than ${WINDOWS_PER_PATTERN_MIN} for each pattern; ` +
      `the entropy of noise comes out too low (finite-size bias)`,
  ];
}

function nothingSelected(request: PeRequest, input: Input, { xSize, ySize }: Grid): PeError {
  return new PeError(
    "PE_INPUT_EMPTY",
    `Cannot plan "${input.root}": no shard of it matches` +
      (request.shards === undefined ? "" : ` --shards ${request.shards} (it has ${input.files.length})`) +
      (request.x === undefined && request.y === undefined
        ? ""
        : ` --x ${request.x ?? ":"} --y ${request.y ?? ":"} (the grid is ${xSize} x ${ySize})`),
  );
}
