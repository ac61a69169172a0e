/**
 * The folder of a simulation: what it holds, so that an interrupted simulation goes on and two never mix.
 *
 * `simulation.json` names the parameters, for people and programs; it is made before the first shard, by whoever comes
 * first, and never changed. For each shard that is whole, `.simulation/<shard>.json` keeps its size and hash: a shard
 * without it, or that no longer fits it, is computed again.
 */
import { hash, randomBytes } from "node:crypto";
import { link, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { PeError } from "../../common/errors.ts";
import { asWriteError, writeDurably } from "../../data/durable.ts";
import { makeFolders } from "../../data/folders.ts";
import { sha256OfFile } from "../../data/hash.ts";
import { parse } from "../parse.ts";
import { MODELS } from "./models.ts";
import type { Simulation } from "./schema.ts";
import { SIMULATE_VERSION } from "./version.ts";

const CLAIM = "simulation.json";
const MARKERS = ".simulation";

const markerSchema = v.object({
  bytes: v.number(),
  /** Of the file, which carries the time of its writing; lower-case hexadecimal. */
  sha256: v.string(),
  /** Of the samples of all series in the order of their cells, x first: the same on every machine. */
  valuesSha256: v.string(),
});

/** What is known of a whole shard. */
export type ShardMarker = Readonly<v.InferOutput<typeof markerSchema>>;

/** The same for the same simulation, whatever the order of its fields; lower-case hexadecimal. */
export function digestOf(simulation: Simulation, ...more: readonly string[]): string {
  return hash("sha256", JSON.stringify([SIMULATE_VERSION, inOrder(simulation), ...more]), "hex");
}

/** @throws {PeError} `PE_OUTPUT_CONFLICT` when the folder holds shards of anything but this simulation. */
export async function assertFolderFree(folder: string, simulation: Simulation): Promise<void> {
  if (await isClaimed(folder, simulation)) return;
  const names = await readdir(folder).catch(() => []);
  const foreign = names.find((name) => /\.(hdf5|h5)$/i.test(name));
  // Another thread may have claimed the folder and written a shard since.
  if (foreign === undefined || (await isClaimed(folder, simulation))) return;
  throw conflict(folder, `it holds ${foreign}, which no simulation made`);
}

/**
 * Makes the folder and the claim of this simulation on it, unless they are there.
 *
 * @throws {PeError} `PE_OUTPUT_CONFLICT`, `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`
 */
export async function claimFolder(folder: string, simulation: Simulation): Promise<void> {
  await assertFolderFree(folder, simulation);
  if (await isClaimed(folder, simulation)) return;
  try {
    await makeFolders(join(folder, MARKERS));
    await createWhole(join(folder, CLAIM), claimText(simulation), join(folder, MARKERS));
  } catch (error) {
    throw asWriteError(error, folder);
  }
  // Of two simulations at once, one has it now.
  await isClaimed(folder, simulation);
}

/** The marker of a shard, when the shard is there and has its size and hash. */
export async function findWholeShard(folder: string, shard: string): Promise<ShardMarker | undefined> {
  const text = await readFile(markerPath(folder, shard), "utf8").catch(() => undefined);
  const marker = text === undefined ? undefined : parseMarker(text);
  if (marker === undefined) return undefined;
  const path = join(folder, shard);
  const found = await stat(path).catch(() => undefined);
  if (found?.size !== marker.bytes || (await sha256OfFile(path)) !== marker.sha256) return undefined;
  return marker;
}

/** @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL` */
export async function markShardWhole(folder: string, shard: string, marker: ShardMarker): Promise<void> {
  await writeDurably(markerPath(folder, shard), Buffer.from(`${JSON.stringify(marker)}\n`));
}

function markerPath(folder: string, shard: string): string {
  return join(folder, MARKERS, `${shard}.json`);
}

function parseMarker(text: string): ShardMarker | undefined {
  try {
    return parse(markerSchema, JSON.parse(text), "shard marker");
  } catch {
    return undefined;
  }
}

/** Whether this simulation has the folder; false when none has. */
async function isClaimed(folder: string, simulation: Simulation): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(join(folder, CLAIM), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw asWriteError(error, folder);
  }
  if (text === claimText(simulation)) return true;
  throw conflict(folder, `its ${CLAIM} names other parameters`);
}

const aboutSchema = v.object({
  about: v.string(),
  x: v.object({ name: v.string() }),
  y: v.object({ name: v.string() }),
});

/** What a figure of simulated shards has to say; undefined for a folder that no simulation made. */
export async function aboutFolder(
  folder: string,
): Promise<{ note: string; xLabel: string; yLabel: string } | undefined> {
  try {
    const { about, x, y } = v.parse(aboutSchema, JSON.parse(await readFile(join(folder, CLAIM), "utf8")));
    return { note: about, xLabel: x.name, yLabel: y.name };
  } catch {
    return undefined;
  }
}

function claimText(simulation: Simulation): string {
  const { model, grid, x, y, ...rest } = inOrder(simulation);
  const claim = {
    about: "Simulated, not measured.",
    version: SIMULATE_VERSION,
    model,
    grid,
    x: { name: MODELS[model].x.name, ...x },
    y: { name: MODELS[model].y.name, ...y },
    ...rest,
    digest: digestOf(simulation),
  };
  return `${JSON.stringify(claim, undefined, 2)}\n`;
}

function inOrder({ model, grid, x, y, samples, shardSize, seed, gzipLevel }: Simulation): Simulation {
  return {
    model,
    grid: { xSize: grid.xSize, ySize: grid.ySize },
    x: { first: x.first, last: x.last },
    y: { first: y.first, last: y.last },
    samples,
    shardSize,
    seed,
    gzipLevel,
  };
}

function conflict(folder: string, reason: string): PeError {
  return new PeError(
    "PE_OUTPUT_CONFLICT",
    `Cannot simulate into "${folder}": ${reason}; choose another folder or empty this one`,
    { details: { folder } },
  );
}

/** Creates `path` with all its text or not at all; one that is there stays. */
export async function createWhole(path: string, text: string, scratch: string): Promise<void> {
  const temporary = join(scratch, `claim-${process.pid}-${randomBytes(4).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") return;
      // Some file systems have no links: there the last of two claims at the same moment wins.
      await rename(temporary, path);
    });
  } finally {
    await rm(temporary, { force: true });
  }
}
