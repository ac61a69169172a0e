/** The golden input: four shards of a 5 x 4 grid, and what an independent program made of them. */
import { existsSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { ROOT } from "./client.ts";

export const GOLDEN_SHARDS = [
  "raw_shard_000_000.hdf5",
  "raw_shard_000_003.hdf5",
  "raw_shard_003_000.hdf5",
  "raw_shard_003_003.hdf5",
];

const PLACES = [join(ROOT, "test/fixtures/golden"), join(ROOT, "../shared/data/golden")];

/** Path of a golden file. */
export function goldenPath(name: string): string {
  const place = PLACES.find((folder) => existsSync(join(folder, name)));
  if (place === undefined) throw new Error(`golden file ${name} is in none of ${PLACES.join(", ")}`);
  return join(place, name);
}

/** Copies of the four shards in a new folder: no test writes where the originals lie. */
export async function copyGoldenShards(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const name of GOLDEN_SHARDS) await copyGolden(name, folder);
  return folder;
}

/** @returns The path of the copy. */
export async function copyGolden(name: string, folder: string): Promise<string> {
  const copy = join(folder, basename(name));
  await copyFile(goldenPath(name), copy);
  return copy;
}

/** A file of the data beside the repository, or undefined where there is none. */
export function sharedFile(name: string): string | undefined {
  const path = join(ROOT, "../shared/data", name);
  return existsSync(path) ? path : undefined;
}
