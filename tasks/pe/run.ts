/** One PE task: rows of a file, all delays, orders and measures. Runs in a pool thread. */
import { resolve } from "node:path";
import { PeError } from "../../common/errors.ts";
import type { InputFile } from "../../data/inputs.ts";
import { CELL_STATUS } from "../../data/maps.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { parseSeriesText, readSeriesText } from "../../data/series-text.ts";
import { isUploaded, uploadedPath } from "../../data/uploads.ts";
import { openShard, type SeriesHeader, type Shard } from "../../data/shard.ts";
import { createSweep, type Series, type Sweep } from "../../kernel/index.ts";
import type { Kind, SharedContent, TaskContext } from "../kind.ts";
import { describePe } from "./describe.ts";
import { keepingSeries, type SeriesReader } from "./kept-series.ts";
import { decodePart, encodePart, type PePart, type SeriesProblem } from "./part.ts";
import { partName } from "./part-name.ts";
import {
  jobCommonSchema,
  taskSchema,
  type MapsWanted,
  type PeCommon,
  type PeManifest,
  type PeTask,
  type Window,
} from "./schema.ts";
import { PE_VERSION } from "./version.ts";

/** What a finished PE task tells; the part holds the rest. */
export interface PeSummary {
  readonly [key: string]: unknown;
  /** Name of the part. */
  readonly part: string;
  readonly file: string;
  readonly sha256: string;
  readonly series: number;
  readonly problems: number;
  /** Whether the part was there already. */
  readonly reused: boolean;
  /** Whether its file was read for it; else the worker had it from another task or job. */
  readonly read: boolean;
  /** Series that were inflated for it; those that the worker had kept were not. */
  readonly inflated: number;
  /** Milliseconds of this thread: reading and hashing the file, decoding series, computing maps. */
  readonly readMs: number;
  readonly decodeMs: number;
  readonly computeMs: number;
}

export const pe = {
  name: "pe",
  version: PE_VERSION,
  schema: taskSchema,
  common: jobCommonSchema,
  // The result tells times, and whether the part was there; the part itself is always the same.
  pure: false,
  describe: describePe,
  inputs: ({ file, shared }, { root }) => [{ file: placed(file, root), shared }],
  run: runTask,
} satisfies Kind<PeTask, PeCommon>;

/** A task with what it shares with the rest of its job. */
interface Work {
  readonly common: PeManifest["common"];
  readonly format: PeCommon["format"];
  readonly file: InputFile;
  readonly rows: PeTask["rows"];
}

/** Where a file of the input lies for this worker. */
function placed(file: PeTask["file"], root: string): InputFile {
  if (isUploaded(root)) return { ...file, path: uploadedPath(file.version ?? "") };
  return { ...file, path: isS3Url(root) ? root + file.name : resolve(root, file.name) };
}

async function runTask({ file, rows, shared }: PeTask, context: TaskContext<PeCommon>): Promise<PeSummary> {
  const { format, root, ...common } = context.common;
  const wanted: Work = {
    common,
    format,
    file: placed(file, root),
    rows,
  };
  const startMs = performance.now();
  const content = await context.input(wanted.file, { shared });
  const readMs = performance.now() - startMs;
  const { sha256 } = content;
  const name = partName({ version: PE_VERSION, common, format, file: file.name, rows, sha256 });
  const found = await context.findPart(name);
  if (found !== undefined) {
    const { header } = decodePart(name, found);
    return summary(name, header, { reused: true, read: content.isNew, inflated: 0, readMs, decodeMs: 0, computeMs: 0 });
  }
  const { part, ...work } = await computePart(wanted, content);
  context.storePart(name, encodePart(part));
  return summary(name, part.header, { reused: false, read: content.isNew, readMs, ...work });
}

function summary(
  part: string,
  { file, sha256, series, problems }: PePart["header"],
  rest: Pick<PeSummary, "reused" | "read" | "inflated" | "readMs" | "decodeMs" | "computeMs">,
): PeSummary {
  return { part, file, sha256, series, problems: problems.length, ...rest };
}

async function computePart(
  task: Work,
  source: SharedContent,
): Promise<{ part: PePart; inflated: number; decodeMs: number; computeMs: number }> {
  const clock = { decodeMs: 0, computeMs: 0 };
  let startMs = performance.now();
  const shard = await openSource(task, source);
  try {
    const rows = rowsWanted(task, shard);
    const part = emptyPart(task, source.sha256, rows.length, shardProblems(task, shard));
    const sweep = sweepFor(task.common);
    const values = new Float64Array(part.header.maps);
    for (const [place, row] of rows.entries()) {
      const header = shard.series[row]!;
      describe(part, place, header);
      const series = readSeries(task, shard, row);
      clock.decodeMs += performance.now() - startMs;
      startMs = performance.now();
      const status =
        series instanceof PeError ? refuse(part, header, series) : compute(part, header, sweep, series, values);
      record(part, place, values, status);
      clock.computeMs += performance.now() - startMs;
      startMs = performance.now();
    }
    return { part, inflated: shard.inflated(), ...clock };
  } finally {
    shard.close();
  }
}

/** What a task needs of a shard, so that a text series is a shard of one. */
type Source = Pick<Shard, "series" | "problems" | "close"> & SeriesReader;

async function openSource({ file, format }: Work, shared: SharedContent): Promise<Source> {
  const { content, path = file.path } = shared;
  if (format === "hdf5") {
    const shard = await openShard(file.name, content === undefined ? { path } : { content });
    return { ...shard, ...(await keepingSeries(shard, shared)) };
  }
  const series = await (content === undefined ? readSeriesText(path) : parseSeriesText(content, file.name));
  return {
    series: [{ dataset: file.name, x: 0, y: 0, xVariable: NaN, yVariable: NaN, length: series.length }],
    problems: [],
    read: () => series,
    inflated: () => 0,
    close: () => undefined,
  };
}

/** Places in the file's list of the series this task computes. */
function rowsWanted({ common: { window }, rows }: Work, { series }: Source): number[] {
  const wanted: number[] = [];
  for (let row = rows.start; row < Math.min(rows.stop ?? series.length, series.length); row++)
    if (isInside(window, series[row]!)) wanted.push(row);
  return wanted;
}

function isInside(window: Window | undefined, { x, y }: SeriesHeader): boolean {
  if (window === undefined) return true;
  return x >= window.x.start && x < window.x.stop && y >= window.y.start && y < window.y.stop;
}

function emptyPart({ common, file }: Work, sha256: string, series: number, problems: SeriesProblem[]): PePart {
  const maps = common.measures.length * common.delays.length * common.orders.length;
  return {
    header: { file: file.name, sha256, series, maps, problems },
    x: new Int32Array(series),
    y: new Int32Array(series),
    xVariable: new Float64Array(series),
    yVariable: new Float64Array(series),
    values: new Float64Array(series * maps),
    status: new Uint8Array(series * maps),
  };
}

/** Datasets that cannot be used at all are told once, by the task that has the first row. */
function shardProblems({ rows, file }: Work, { problems }: Source): SeriesProblem[] {
  return rows.start === 0
    ? problems.map((problem) => ({ ...problem, details: { file: file.name, ...problem.details } }))
    : [];
}

function describe({ x, y, xVariable, yVariable }: PePart, place: number, header: SeriesHeader): void {
  x[place] = header.x;
  y[place] = header.y;
  xVariable[place] = header.xVariable;
  yVariable[place] = header.yVariable;
}

/** The samples of a series, or why it has none: one bad series does not spoil its neighbours. */
function readSeries({ common, file }: Work, shard: Source, row: number): Series | PeError {
  const { dataset, length } = shard.series[row]!;
  if (length !== common.length)
    return new PeError(
      "PE_SERIES_RAGGED",
      `Cannot use series "${dataset}" of "${file.name}": it has ${length} samples, the rest of the input ${common.length}`,
    );
  try {
    return shard.read(row);
  } catch (error) {
    if (error instanceof PeError) return error;
    throw error;
  }
}

function compute(part: PePart, header: SeriesHeader, sweep: Sweep, series: Series, values: Float64Array): number {
  const outcome = sweep.run(series, values);
  if (outcome.status === "ok") return CELL_STATUS.value;
  const error = new PeError(
    "PE_SERIES_NOT_FINITE",
    `Cannot use series "${header.dataset}" of "${part.header.file}": sample ${outcome.index} is ${String(series[outcome.index])}`,
  );
  return refuse(part, header, error);
}

const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  PE_SERIES_NOT_FINITE: CELL_STATUS.seriesNotFinite,
  PE_SERIES_RAGGED: CELL_STATUS.seriesRagged,
  PE_SHARD_LAYOUT: CELL_STATUS.seriesRagged,
};

function refuse(part: PePart, { dataset, x, y }: SeriesHeader, error: PeError): number {
  part.header.problems.push({ ...error.toRecord(), dataset, x, y });
  return STATUS_OF_CODE[error.code] ?? CELL_STATUS.unreadable;
}

function record({ header, values, status }: PePart, place: number, row: Float64Array, rowStatus: number): void {
  for (let map = 0; map < header.maps; map++) {
    const at = map * header.series + place;
    const value = rowStatus === CELL_STATUS.value ? row[map]! : NaN;
    values[at] = value;
    // Planning refused what is too short for the whole input; NaN among values can only be a series without a window.
    status[at] = rowStatus === CELL_STATUS.value && Number.isNaN(value) ? CELL_STATUS.seriesShort : rowStatus;
  }
}

/** The sweep of the last job: its tables and memory serve all series of a job. */
let lastSweep: { readonly key: string; readonly sweep: Sweep } | undefined;

function sweepFor({ orders, delays, measures }: MapsWanted): Sweep {
  const key = JSON.stringify([orders, delays, measures]);
  if (lastSweep?.key !== key) lastSweep = { key, sweep: createSweep({ orders, delays, measures }) };
  return lastSweep.sweep;
}
