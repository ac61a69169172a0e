/** What a PE job and its tasks may be asked for. */
import * as v from "valibot";

/** Delays of one job: far beyond any published sweep, few enough to plan and merge in memory. */
const DELAYS_MAX = 4096;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const range = v.object({ start: count, stop: count });
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));

const inputFile = v.object({
  name,
  path: name,
  bytes: count,
  modifiedMs: v.pipe(v.number(), v.finite()),
  /** Of an object in a store. */
  version: v.optional(name),
});

/** Ascending without repeats, so that one set of maps has one description. */
const ascending = v.check<number[], string>(
  (values) => values.every((value, index) => index === 0 || value > values[index - 1]!),
  "expected ascending numbers without repeats",
);

const orders = v.pipe(
  v.array(v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(9))),
  v.minLength(1),
  ascending,
);
const delays = v.pipe(
  v.array(v.pipe(v.number(), v.safeInteger(), v.minValue(1))),
  v.minLength(1),
  v.maxLength(DELAYS_MAX),
  ascending,
);
const measures = v.pipe(v.array(v.picklist(["pe", "weighted", "complexity", "missing"])), v.minLength(1));

/** Cells of the map: both half-open. */
const window = v.object({ x: range, y: range });

/** One set of maps: every order with every delay for every measure. */
const maps = v.object({ orders, delays, measures });

/** What is common to all tasks of a job. */
const common = v.object({
  ...maps.entries,
  /** Samples per series; another length is reported, not computed. */
  length: count,
  /** Absent: all cells. */
  window: v.optional(window),
});

const format = v.picklist(["hdf5", "text"]);

/** What all tasks of a job share. */
export const jobCommonSchema = v.object({
  ...common.entries,
  format,
  /** Absolute path of the folder that the names of the files start from. */
  root: name,
});

/** One task: rows of one input file. */
export const taskSchema = v.object({
  file: v.omit(inputFile, ["path"]),
  /** Place in the file's list of series, sorted by name; `stop` is absent in the last task of a file. */
  rows: v.object({ start: count, stop: v.optional(count) }),
  /** Whether other tasks of the job read the same file. */
  shared: v.boolean(),
});

/** A job as stored: all that decides what each task computes. */
export const manifestSchema = v.object({
  version: name,
  source: v.object({ root: name, format, digest: name, files: v.array(inputFile) }),
  grid: v.object({ xSize: count, ySize: count, shardSize: v.optional(count) }),
  common,
  /** Ordinals of the files that this job computes; half-open. */
  shards: v.array(range),
  /** Where the job is cut: for each task [file ordinal, first row, row after the last or -1 for all the rest]. */
  tasks: v.array(v.tuple([count, count, v.pipe(v.number(), v.integer(), v.minValue(-1))])),
  /** Digest of what is written of the job beside maps: jobs that compute the same for other files are other jobs. */
  wanted: v.optional(name),
});

export type PeCommon = v.InferOutput<typeof jobCommonSchema>;
export type PeTask = v.InferOutput<typeof taskSchema>;
export type PeManifest = v.InferOutput<typeof manifestSchema>;
export type MapsWanted = v.InferOutput<typeof maps>;
export const mapsSchema: v.GenericSchema<unknown, MapsWanted> = maps;
export type Window = v.InferOutput<typeof window>;
