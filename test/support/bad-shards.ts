/** Shards with one thing wrong each, as a broken disk, a broken program or a hurried experimenter leaves them. */
import { readFile, rm, truncate, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { Random } from "../../common/random.ts";
import { createWithLibrary } from "../../data/hdf5/library.ts";
import { shardFileName } from "../../data/shard-writer.ts";

export const BLOCK = 2;
export const SAMPLES = 200;

export interface SeriesSpec {
  readonly dataset: string;
  /** Absent: the attribute is left out. */
  readonly x?: number;
  readonly y?: number;
  readonly samples: Float64Array;
}

/** Noise that no other cell has. */
export function samplesOf(x: number, y: number, length = SAMPLES): Float64Array {
  const random = new Random(1, x, y);
  return Float64Array.from({ length }, () => random.uniform());
}

/** The four good series of a block of 2 x 2 cells. */
export function goodSeries(xMin: number, yMin: number): SeriesSpec[] {
  return [0, 1, 2, 3].map((place) => {
    const [x, y] = [xMin + (place >> 1), yMin + (place & 1)];
    return { dataset: nameOf(x, y), x, y, samples: samplesOf(x, y) };
  });
}

export function nameOf(x: number, y: number): string {
  return `x_00${x}_y_00${y}`;
}

/** Writes whatever it is told, in place of what is there. @returns The path. */
export async function writeBlock(
  folder: string,
  xMin: number,
  yMin: number,
  series: readonly SeriesSpec[],
  texts: readonly string[] = [],
): Promise<string> {
  const path = join(folder, shardFileName(xMin, yMin));
  await rm(path, { force: true });
  const file = await createWithLibrary(path);
  try {
    file.attribute("/", "x_index_min", BigInt(xMin));
    file.attribute("/", "y_index_min", BigInt(yMin));
    file.attribute("/", "x_index_max", BigInt(xMin + BLOCK - 1));
    file.attribute("/", "y_index_max", BigInt(yMin + BLOCK - 1));
    file.attribute("/", "shard_size", BigInt(BLOCK));
    for (const { dataset, x, y, samples } of series) {
      file.dataset(`/${dataset}`, samples, [samples.length], 9);
      if (x !== undefined) file.attribute(`/${dataset}`, "x_index", BigInt(x));
      if (y !== undefined) file.attribute(`/${dataset}`, "y_index", BigInt(y));
    }
    for (const dataset of texts) file.text(`/${dataset}`, "not a number");
  } finally {
    file.close();
  }
  return path;
}

/** Overwrites the middle of the gzip stream that holds `samples`. */
export async function corruptSeries(path: string, samples: Float64Array): Promise<void> {
  const bytes = await readFile(path);
  const wanted = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  for (let start = bytes.indexOf(0x78); start >= 0; start = bytes.indexOf(0x78, start + 1)) {
    if (!holds(bytes.subarray(start), wanted)) continue;
    const middle = start + Math.floor(wanted.length / 2);
    bytes.fill(0xff, middle, middle + 64);
    if (holds(bytes.subarray(start), wanted)) throw new Error("the stream survived");
    return await writeFile(path, bytes);
  }
  throw new Error(`${path} has no gzip stream of these samples`);
}

function holds(stream: Buffer, wanted: Buffer): boolean {
  try {
    return inflateSync(stream).equals(wanted);
  } catch {
    return false;
  }
}

/** Cuts the last third of a file off. */
export async function cutShort(path: string): Promise<void> {
  await truncate(path, Math.floor(((await stat(path)).size * 2) / 3));
}
