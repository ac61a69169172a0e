/**
 * Shards for the end-to-end benchmark: series of 20,000 samples on a 1/16384 step, float64, gzip 9, 81 to a shard, from a
 * seed. Kept in a folder between runs, since compressing at level 9 takes a tenth of a second a series.
 */
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Random } from "../common/random.ts";
import { shardFileName, writeShard } from "../data/shard-writer.ts";

export const SAMPLES = 20_000;
export const SHARD_SIZE = 9;
const STEP = 1 / 16384;
const SEED = 1;

interface Portion {
  readonly folder: string;
  readonly shards: readonly number[];
}

/** Makes what is missing of `shards` shards in `folder`, on `threads` threads. */
export async function makeInput(folder: string, shards: number, threads: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const missing: number[] = [];
  for (let shard = 0; shard < shards; shard++)
    if ((await stat(shardPath(folder, shard)).catch(() => undefined)) === undefined) missing.push(shard);
  if (missing.length === 0) return;
  console.error(`making ${missing.length} shards in ${folder}: about ${Math.ceil((missing.length * 8) / threads)} s`);
  await Promise.all(
    Array.from({ length: threads }, (_, thread) =>
      runWorker({ folder, shards: missing.filter((_shard, place) => place % threads === thread) }),
    ),
  );
}

async function runWorker(portion: Portion): Promise<void> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: portion });
  await new Promise<void>((resolve, reject) => {
    worker.on("message", () => resolve());
    worker.on("error", reject);
  });
  await worker.terminate();
}

/** Shards stand side by side along x. */
function shardPath(folder: string, shard: number): string {
  return join(folder, shardFileName(shard * SHARD_SIZE, 0));
}

async function makeShard(folder: string, shard: number): Promise<void> {
  const series = Array.from({ length: SHARD_SIZE * SHARD_SIZE }, (_, place) => {
    const x = shard * SHARD_SIZE + Math.floor(place / SHARD_SIZE);
    const y = place % SHARD_SIZE;
    return {
      x,
      y,
      xVariable: x / 100,
      yVariable: y / 10,
      samples: makeSeries(new Random(SEED, x * 1000 + y), y / SHARD_SIZE),
    };
  });
  await writeShard(shardPath(folder, shard), {
    xIndexMin: shard * SHARD_SIZE,
    yIndexMin: 0,
    shardSize: SHARD_SIZE,
    series,
  });
}

/** Noise through a one-pole filter: `memory` 0 is white noise, near 1 a smooth series. Shape `[SAMPLES]`. */
function makeSeries(random: Random, memory: number): Float64Array {
  let value = 0;
  return Float64Array.from({ length: SAMPLES }, () => {
    value = memory * value + (1 - memory) * (random.uniform() * 2 - 1);
    return Math.round(value / STEP) * STEP;
  });
}

if (!isMainThread && parentPort !== null) {
  const { folder, shards } = workerData as Portion;
  for (const shard of shards) await makeShard(folder, shard);
  parentPort.postMessage("done");
}
