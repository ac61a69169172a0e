/** Whether a job's maps can go into its output, found out before anything is computed. */
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { PeError } from "../../common/errors.ts";
import { sha256OfFile } from "../../data/hash.ts";
import { checkOrigins } from "../../data/maps-check.ts";
import type { MapSource, SourceShard } from "../../data/maps.ts";
import { readMaps, type Maps } from "../../data/maps.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { placeOf } from "../../data/objects/by-address.ts";
import { KERNEL_VERSION } from "../../kernel/index.ts";
import { mapKeys } from "../../tasks/pe/reduce.ts";
import type { PeManifest } from "../../tasks/pe/schema.ts";

/**
 * The input as the maps file knows it, or will: a copied or touched input whose content is the one that the file's cells
 * came from goes on under the file's digest.
 *
 * @throws {PeError} `PE_OUTPUT_UNWRITABLE` when the output is no place for a file, `PE_MAPS_CONFLICT` when it holds maps
 *   that these may not be merged into, `PE_MAPS_UNREADABLE` when it is no maps file.
 */
export async function checkOutput(output: string, manifest: PeManifest, replace: boolean): Promise<MapSource> {
  const planned: MapSource = { digest: manifest.source.digest, shards: manifest.source.files.map(toShard) };
  if (!(await isExistingFile(output))) return planned;
  const old = await readMaps(output);
  try {
    const source = replace ? planned : await settleSource(old, planned, manifest);
    checkOrigins(output, old, {
      xSize: manifest.grid.xSize,
      ySize: manifest.grid.ySize,
      source,
      kernel: KERNEL_VERSION,
      maps: mapKeys(manifest),
      replace,
    });
    return source;
  } finally {
    old.close();
  }
}

function toShard({ name, bytes, modifiedMs }: PeManifest["source"]["files"][number]): SourceShard {
  return { name, bytes, modifiedMs };
}

async function isExistingFile(output: string): Promise<boolean> {
  if (isS3Url(output)) {
    const { store, name } = placeOf(output);
    return (await store.stat(name)) !== undefined;
  }
  const found = await stat(output).catch(() => undefined);
  if (found?.isDirectory() === true)
    throw new PeError(
      "PE_OUTPUT_UNWRITABLE",
      `Cannot write maps to "${output}": it is a folder; name a file in it, such as maps.hdf5`,
    );
  if (found !== undefined) return true;
  const folder = await stat(dirname(output)).catch(() => undefined);
  if (folder?.isDirectory() !== true)
    throw new PeError(
      "PE_OUTPUT_UNWRITABLE",
      `Cannot write maps to "${output}": there is no folder "${dirname(output)}"; make it first`,
    );
  return false;
}

/** The stored source that has the same files with the same content, however old they look; else the planned one. */
async function settleSource(old: Maps, planned: MapSource, { source: { files } }: PeManifest): Promise<MapSource> {
  for (const stored of old.sources) {
    if (stored.digest === planned.digest) return planned;
    const isAlike =
      stored.shards.length === planned.shards.length &&
      stored.shards.every(({ name, bytes }, ordinal) => {
        const shard = planned.shards[ordinal]!;
        return shard.name === name && shard.bytes === bytes;
      });
    const isHashed = stored.shards.some(({ sha256 }) => sha256 !== undefined);
    if (isAlike && isHashed && (await hasContentOf(stored, files)))
      return { digest: stored.digest, shards: planned.shards };
  }
  return planned;
}

async function hasContentOf(stored: MapSource, files: PeManifest["source"]["files"]): Promise<boolean> {
  for (const [ordinal, { sha256 }] of stored.shards.entries()) {
    if (sha256 === undefined) continue;
    // Whoever reduces a job on another machine may not have its input: then it is not known to be the same.
    const found = await sha256OfFile(files[ordinal]!.path).catch(() => undefined);
    if (found !== sha256) return false;
  }
  return true;
}

/** The source with the content hashes that a job found. */
export function withHashes(source: MapSource, hashes: ReadonlyMap<number, string>): MapSource {
  return {
    digest: source.digest,
    shards: source.shards.map((shard, ordinal) => {
      const sha256 = hashes.get(ordinal);
      return sha256 === undefined ? shard : { ...shard, sha256 };
    }),
  };
}
