/**
 * Shards: HDF5 files of series. Every dataset at the root is one series; its place in the map comes from its
 * attributes (`x_index`, `y_index`; in older files `INJ`, `FB`), never from a name. See docs/formats.md.
 *
 * Guarantee: a file or dataset that cannot be used is a named error. What this file cannot notice is a flipped bit
 * that still inflates to the right length, since the format carries no checksum unless the writer asked for
 * Fletcher-32: against that a job holds the SHA-256 of each shard.
 */
import { PeError } from "../common/errors.ts";
import type { ErrorRecord } from "../common/errors.ts";
import { DATASET_BYTES_MAX, numberOf } from "./hdf5/model.ts";
import type { Attributes, DatasetInfo, RootFile, Source } from "./hdf5/model.ts";
import { openRootFile } from "./hdf5/root-file.ts";
import { asSamples, sampleWidth } from "./samples.ts";
import type { SampleArray } from "./samples.ts";

/** Larger indices are a slip of whoever wrote the file: no grid of this field comes near. */
export const INDEX_MAX = 1_000_000;

/** What a file says about its block of the grid; `max` overstates it at the edges of the grid. */
export interface ShardAttributes {
  readonly xIndexMin?: number;
  readonly yIndexMin?: number;
  readonly xIndexMax?: number;
  readonly yIndexMax?: number;
  readonly shardSize?: number;
}

/** One series, without its samples. */
export interface SeriesHeader {
  readonly dataset: string;
  /** Cell of the map: row and column. */
  readonly x: number;
  readonly y: number;
  /** Physical parameters, in the units of the experiment; NaN where the file does not say. */
  readonly xVariable: number;
  readonly yVariable: number;
  /** Samples. */
  readonly length: number;
}

/** What a shard says of its series. */
export interface ShardHeaders {
  readonly name: string;
  readonly attributes: ShardAttributes;
  /** Ascending by dataset name (UTF-16 code units), the same on every machine. Two may claim one cell. */
  readonly series: readonly SeriesHeader[];
  /** Datasets that cannot be used, each with `details.dataset`; codes `PE_SHARD_LAYOUT`, `PE_SHARD_UNREADABLE`. */
  readonly problems: readonly ErrorRecord[];
}

/** An open shard. Close it. */
export interface Shard extends ShardHeaders {
  /**
   * Samples of `series[index]` in the element type of the file; uint32, int64 and uint64 as float64.
   * The array is overwritten by the next `read` of this thread: copy what must stay.
   *
   * @throws {PeError} `PE_SHARD_UNREADABLE` when its storage is corrupt, `PE_SHARD_LAYOUT` when a 64-bit integer has no
   *   exact float64.
   */
  read(index: number): SampleArray;
  /** Bytes of what `read` gives. */
  sampleBytes(index: number): number;
  close(): void;
}

/**
 * Opens a shard; `name` is what errors call it. From a path only metadata is read until `read` asks for samples, so
 * that planning costs little however large the file.
 *
 * @throws {PeError} `PE_SHARD_UNREADABLE` when it is no HDF5 file, truncated, or corrupt in its metadata.
 */
export async function openShard(name: string, source: Source): Promise<Shard> {
  let file: RootFile;
  try {
    file = await openRootFile(source);
  } catch (error) {
    throw unreadable(name, error);
  }
  const { indices, ...headers } = headersOf(name, file);
  return {
    ...headers,
    read(index) {
      const dataset = file.datasets[indices[index]!]!;
      let bytes: Uint8Array;
      try {
        bytes = file.readBytes(indices[index]!);
      } catch (error) {
        throw unreadable(name, error, dataset.name);
      }
      const samples = asSamples(bytes, dataset.element!);
      if (samples === undefined)
        throw layout(name, dataset.name, "has an integer above 2^53, which float64 cannot hold exactly");
      return samples;
    },
    sampleBytes: (index) => headers.series[index]!.length * sampleWidth(file.datasets[indices[index]!]!.element!),
    close: () => file.close(),
  };
}

/** @returns also, for each series, the place of its dataset in the file. */
export function headersOf(
  name: string,
  { attributes, datasets }: Pick<RootFile, "attributes" | "datasets">,
): ShardHeaders & { readonly indices: readonly number[] } {
  const series: SeriesHeader[] = [];
  const indices: number[] = [];
  const problems: ErrorRecord[] = [];
  for (const [index, dataset] of datasets.entries()) {
    const found = seriesOf(name, dataset);
    if (found instanceof PeError) problems.push(found.toRecord());
    else {
      series.push(found);
      indices.push(index);
    }
  }
  return { name, attributes: shardAttributes(attributes), series, problems, indices };
}

/** Cells that more than one of `series` claims, as `x,y`: the map holds NaN there. */
export function cellsClaimedTwice(series: readonly SeriesHeader[]): Set<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { x, y } of series) {
    const cell = `${x},${y}`;
    if (seen.has(cell)) twice.add(cell);
    seen.add(cell);
  }
  return twice;
}

function seriesOf(shard: string, dataset: DatasetInfo): SeriesHeader | PeError {
  const { name, shape, element, attributes, refusal } = dataset;
  if (refusal !== undefined) return unreadable(shard, new Error(refusal), name);
  if (element === undefined) return layout(shard, name, "is not of plain integers or floats of 8 to 64 bits");
  const length = lengthOf(shape);
  if (length === undefined)
    return layout(shard, name, `has shape (${shape?.join(", ") ?? "none"}); a series has shape (n) or (n, 1)`);
  if (length * element.bytes > DATASET_BYTES_MAX)
    return layout(shard, name, `has ${length} samples; at most ${DATASET_BYTES_MAX} bytes of them can be read`);
  const isOld =
    !attributes.has("x_index") && !attributes.has("y_index") && (attributes.has("INJ") || attributes.has("FB"));
  const x = indexOf(shard, name, attributes, isOld ? "INJ" : "x_index");
  if (x instanceof PeError) return x;
  const y = indexOf(shard, name, attributes, isOld ? "FB" : "y_index");
  if (y instanceof PeError) return y;
  const xVariable = numberOf(attributes.get("x_variable")) ?? NaN;
  const yVariable = numberOf(attributes.get("y_variable")) ?? NaN;
  return { dataset: name, x, y, xVariable, yVariable, length };
}

/** `(n)`, or `(n, 1)` as older files have it. */
function lengthOf(shape: readonly number[] | undefined): number | undefined {
  if (shape?.length === 1 || (shape?.length === 2 && shape[1] === 1)) return shape[0];
  return undefined;
}

function indexOf(shard: string, dataset: string, attributes: Attributes, attribute: string): number | PeError {
  const value = attributes.get(attribute);
  if (value === undefined) return layout(shard, dataset, `has no number as attribute ${attribute}`);
  const index = numberOf(value);
  if (index === undefined || !Number.isInteger(index) || index < 0 || index > INDEX_MAX)
    return layout(shard, dataset, `has ${attribute} = ${value}; expected a whole number from 0 to ${INDEX_MAX}`);
  return index;
}

function shardAttributes(attributes: Attributes): ShardAttributes {
  const names = {
    xIndexMin: "x_index_min",
    yIndexMin: "y_index_min",
    xIndexMax: "x_index_max",
    yIndexMax: "y_index_max",
    shardSize: "shard_size",
  };
  const found = Object.entries(names).map(([key, name]) => [key, numberOf(attributes.get(name))] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

function unreadable(shard: string, error: unknown, dataset?: string): PeError {
  const reason = error instanceof Error ? error.message : String(error);
  const details = dataset === undefined ? { shard } : { shard, dataset };
  const subject = dataset === undefined ? "" : `dataset "${dataset}" `;
  return new PeError("PE_SHARD_UNREADABLE", `Cannot read shard "${shard}": ${subject}${reason}`, {
    cause: error,
    details,
  });
}

function layout(shard: string, dataset: string, reason: string): PeError {
  const message = `Cannot use shard "${shard}": dataset "${dataset}" ${reason}`;
  return new PeError("PE_SHARD_LAYOUT", message, { details: { shard, dataset } });
}
