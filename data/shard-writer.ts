/** Writes a shard in the layout of the original laser system (docs/formats.md), whole or not at all. */
import { readFile, stat } from "node:fs/promises";
import { asPeError, PeError } from "../common/errors.ts";
import { asWriteError, replaceDurably } from "./durable.ts";
import { sha256Of } from "./hash.ts";
import { createWithLibrary } from "./hdf5/library.ts";
import { openShard } from "./shard.ts";

/** One series of a shard to write. */
export interface SeriesToWrite {
  readonly x: number;
  readonly y: number;
  readonly xVariable: number;
  readonly yVariable: number;
  /** Any length above 0. */
  readonly samples: Float64Array;
}

export interface ShardToWrite {
  /** Lowest indices of the block. */
  readonly xIndexMin: number;
  readonly yIndexMin: number;
  /** Cells of the block in each direction; at the edges of the grid fewer have a series. */
  readonly shardSize: number;
  readonly series: readonly SeriesToWrite[];
}

/** Conventional file name of a block: `raw_shard_009_018.hdf5`. */
export function shardFileName(xIndexMin: number, yIndexMin: number): string {
  return `raw_shard_${threeDigits(xIndexMin)}_${threeDigits(yIndexMin)}.hdf5`;
}

/**
 * Writes `path` by way of a temporary file that is read back, compared and fsynced before it takes the name.
 *
 * The values and attributes are the same for the same `shard`; the bytes are not, since the HDF5 library stamps the
 * time into each dataset.
 *
 * @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`
 * @returns size and hash of the file.
 */
export async function writeShard(
  path: string,
  shard: ShardToWrite,
  { gzipLevel = 9 }: { gzipLevel?: number } = {},
): Promise<{ bytes: number; sha256: string }> {
  return replaceDurably(path, async (temporary) => {
    try {
      await write(temporary, shard, gzipLevel);
    } catch (error) {
      throw asPeError(asWriteError(error, path), "PE_OUTPUT_UNWRITABLE", `Cannot write shard "${path}"`);
    }
    await verify(temporary, path, shard);
    return { bytes: (await stat(temporary)).size, sha256: sha256Of(await readFile(temporary)) };
  });
}

async function write(temporary: string, shard: ShardToWrite, gzipLevel: number): Promise<void> {
  const { xIndexMin, yIndexMin, shardSize, series } = shard;
  const file = await createWithLibrary(temporary);
  try {
    file.attribute("/", "x_index_min", BigInt(xIndexMin));
    file.attribute("/", "y_index_min", BigInt(yIndexMin));
    file.attribute("/", "x_index_max", BigInt(xIndexMin + shardSize - 1));
    file.attribute("/", "y_index_max", BigInt(yIndexMin + shardSize - 1));
    file.attribute("/", "shard_size", BigInt(shardSize));
    for (const { x, y, xVariable, yVariable, samples } of series) {
      const dataset = `/${datasetName(x, y)}`;
      file.dataset(dataset, samples, [samples.length], gzipLevel);
      file.attribute(dataset, "x_index", BigInt(x));
      file.attribute(dataset, "y_index", BigInt(y));
      file.attribute(dataset, "x_variable", xVariable);
      file.attribute(dataset, "y_variable", yVariable);
    }
  } finally {
    file.close();
  }
}

async function verify(temporary: string, path: string, shard: ShardToWrite): Promise<void> {
  const written = await openShard(path, { path: temporary });
  try {
    const indices = new Map(written.series.map(({ dataset }, index) => [dataset, index]));
    for (const { x, y, samples } of shard.series) {
      const index = indices.get(datasetName(x, y));
      const read = index === undefined ? undefined : written.read(index);
      if (read === undefined || !sameBytes(read, samples))
        throw new PeError("PE_SHARD_UNREADABLE", `Cannot write shard "${path}": series ${x},${y} does not read back`);
    }
  } finally {
    written.close();
  }
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

function datasetName(x: number, y: number): string {
  return `x_${threeDigits(x)}_y_${threeDigits(y)}`;
}

function threeDigits(index: number): string {
  return String(index).padStart(3, "0");
}
