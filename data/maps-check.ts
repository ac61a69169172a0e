/** What must hold before a job's maps enter a file: one grid, one input and one kernel for each map. */
import { assert } from "../common/assert.ts";
import { PeError } from "../common/errors.ts";
import { mapName } from "./map-name.ts";
import type { MapKey } from "./map-name.ts";
import type { MapSource, SourceShard } from "./maps-layout.ts";
import { lostBy, OWNER_NONE } from "./map-status.ts";
import type { MapsUpdate } from "./maps-update.ts";
import type { MapInfo, Maps } from "./maps-read.ts";

/**
 * Refuses what must not be merged; returns the job's source with what earlier jobs knew of its shards.
 *
 * @throws {PeError} `PE_MAPS_CONFLICT`, `PE_INPUT_CHANGED`
 */
export function checkMerge(path: string, old: Maps | undefined, update: MapsUpdate): MapSource {
  checkUpdate(update);
  if (old === undefined) return update.source;
  const { replace } = update;
  checkOrigins(path, old, update);
  if (!replace) checkCoordinates(path, old, update);
  const stored = old.sources.find(({ digest }) => digest === update.source.digest);
  return stored === undefined ? update.source : mergeShards(path, stored, update.source, replace);
}

/** What can be told of an update before its cells are computed. */
export interface Origins extends Pick<MapsUpdate, "xSize" | "ySize" | "source" | "kernel" | "replace"> {
  readonly maps: readonly MapKey[];
}

/**
 * Refuses maps of another grid, input or kernel than those of the file.
 *
 * @throws {PeError} `PE_MAPS_CONFLICT`
 */
export function checkOrigins(path: string, old: Maps, origins: Origins): void {
  const { xSize, ySize, replace } = origins;
  if (old.xSize !== xSize || old.ySize !== ySize)
    throw conflict(
      path,
      `its grid is ${old.xSize} x ${old.ySize}, that of the input ${xSize} x ${ySize}; name another output`,
      {},
    );
  if (replace) return;
  const names = new Set(origins.maps.map(mapName));
  for (const map of old.maps) if (names.has(map.name)) checkSameOrigin(path, map, origins);
}

function checkUpdate({ xSize, ySize, owners, coordinates, source, maps }: MapsUpdate): void {
  const cells = xSize * ySize;
  assert(Number.isInteger(cells) && cells > 0, "a grid without cells");
  assert(
    owners.length === cells && coordinates.x.length === cells && coordinates.y.length === cells,
    "arrays of another grid",
  );
  assert(new Set(maps.map(mapName)).size === maps.length, "one map twice in a job");
  assert(/^[0-9a-f]{12,128}$/.test(source.digest), "a digest is at least 12 lower-case hexadecimal digits");
  for (const owner of owners)
    assert(owner > lostBy(source.shards.length) && owner < source.shards.length, () => `owner ${owner} is no shard`);
}

function checkSameOrigin(path: string, map: MapInfo, { source, kernel }: Origins): void {
  if (map.sourceDigest === undefined)
    throw conflict(
      path,
      `map ${map.name} does not say which input it comes from; replace it (--replace) or name another output`,
      {
        map: map.name,
      },
    );
  if (map.sourceDigest !== source.digest)
    throw conflict(
      path,
      `map ${map.name} comes from input ${short(map.sourceDigest)}, this is input ${short(source.digest)}; ` +
        "replace it (--replace) or name another output",
      { map: map.name, stored: map.sourceDigest, given: source.digest },
    );
  const stored = map.attributes.get("kernel");
  if (stored !== kernel)
    throw conflict(
      path,
      `map ${map.name} was computed by kernel ${stored ?? "unknown"}, this is kernel ${kernel}; ` +
        "compute all of it anew with --replace, or name another output",
      { map: map.name, stored, given: kernel },
    );
}

/** Maps of two inputs may share a file only while they mean the same grid. */
function checkCoordinates(path: string, old: Maps, { coordinates, owners, source, ySize }: MapsUpdate): void {
  const stored = old.coordinates();
  if (stored === undefined || old.sources.some(({ digest }) => digest === source.digest)) return;
  for (const side of ["x", "y"] as const)
    for (const [cell, given] of coordinates[side].entries()) {
      const before = stored[side][cell]!;
      if (owners[cell] === OWNER_NONE || Number.isNaN(given) || Number.isNaN(before) || given === before) continue;
      const where = `${Math.floor(cell / ySize)},${cell % ySize}`;
      throw conflict(
        path,
        `its ${side} coordinate of cell ${where} is ${before}, that of the input ${given}: ` +
          "it belongs to another input; name another output",
        { cell: where },
      );
    }
}

/** Hashes of shards known from earlier jobs stay. */
function mergeShards(path: string, stored: MapSource, given: MapSource, replace: boolean): MapSource {
  const shards = given.shards.map((shard, ordinal): SourceShard => {
    const before = stored.shards[ordinal]?.sha256;
    if (before === undefined || replace) return shard;
    if (shard.sha256 !== undefined && shard.sha256 !== before)
      throw new PeError(
        "PE_INPUT_CHANGED",
        `Cannot merge into maps "${path}": shard "${shard.name}" has another content than when its cells were computed`,
        { details: { path, shard: shard.name, stored: before, given: shard.sha256 } },
      );
    return { ...shard, sha256: before };
  });
  return { digest: given.digest, shards };
}

function conflict(path: string, reason: string, details: Record<string, unknown>): PeError {
  return new PeError("PE_MAPS_CONFLICT", `Cannot merge into maps "${path}": ${reason}`, {
    details: { path, ...details },
  });
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
