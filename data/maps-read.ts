/** Reads a maps file: this program's or the original laser system's. */
import { stat } from "node:fs/promises";
import { PeError } from "../common/errors.ts";
import { openWithLibrary } from "./hdf5/library.ts";
import type { LibraryFile } from "./hdf5/library.ts";
import { numberOf } from "./hdf5/model.ts";
import type { Attributes, DatasetInfo, Source } from "./hdf5/model.ts";
import { parseMapName } from "./map-name.ts";
import type { MapKey } from "./map-name.ts";
import { ownersPath, parseShards, PROVENANCE, shardsPath, statusPath, TYPE_X, TYPE_Y } from "./maps-layout.ts";
import type { MapSource } from "./maps-layout.ts";
import { isS3Url } from "./objects/address.ts";
import { readObjectAt } from "./objects/by-address.ts";
import { asSamples } from "./samples.ts";

/** A map without its values. */
export interface MapInfo extends MapKey {
  readonly name: string;
  /** Cells with a value or a named reason, and those with a reason; absent in maps of the original system. */
  readonly cellsDone?: number;
  readonly cellsFailed?: number;
  readonly sourceDigest?: string;
  readonly attributes: Attributes;
}

/** An open maps file. Close it. Arrays have the shape [xSize, ySize], row-major: cell (x, y) is at x * ySize + y. */
export interface Maps {
  readonly xSize: number;
  readonly ySize: number;
  /** Ascending by name. */
  readonly maps: readonly MapInfo[];
  readonly sources: readonly MapSource[];
  /** NaN where there is no value. @throws {PeError} `PE_MAPS_UNREADABLE` */
  values(name: string): Float64Array;
  /** Codes of `CELL_STATUS`; undefined for maps of the original system. @throws {PeError} `PE_MAPS_UNREADABLE` */
  status(name: string): Uint8Array | undefined;
  /** Ordinal in `sources[..].shards` of the shard that gave each cell, -1 none, -2 two of them. */
  owners(digest: string): Int32Array | undefined;
  /** Physical parameters of the cells, NaN where unknown, in whatever units the shards had. */
  coordinates(): { x: Float64Array; y: Float64Array } | undefined;
  /** Values and attributes of a coordinate map. @throws {PeError} `PE_MAPS_UNREADABLE` */
  block(name: string): Float64Array;
  attributes(name: string): Attributes;
  /** Names of the coordinate maps in the file, whatever the original program called them. */
  coordinateNames(): { x: string | undefined; y: string | undefined };
  close(): void;
}

/**
 * Opens a maps file; values are read when asked for. One on S3 is read whole, into memory, and checked.
 *
 * @param path Or `s3://bucket/key`.
 * @throws {PeError} `PE_INPUT_EMPTY` when there is no such file, `PE_MAPS_UNREADABLE` when it is not a maps file; those of
 *   `ObjectStore.read`.
 */
export async function readMaps(path: string): Promise<Maps> {
  const source = await sourceAt(path);
  let file: LibraryFile;
  try {
    file = await openWithLibrary(source);
  } catch (error) {
    throw unreadable(path, error);
  }
  try {
    return mapsOf(path, file);
  } catch (error) {
    file.close();
    throw unreadable(path, error);
  }
}

async function sourceAt(path: string): Promise<Source> {
  if (isS3Url(path)) {
    const object = await readObjectAt(path);
    if (object === undefined)
      throw new PeError("PE_INPUT_EMPTY", `Cannot read maps "${path}": there is no such object`);
    return { content: object.bytes };
  }
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new PeError("PE_INPUT_EMPTY", `Cannot read maps "${path}": there is no such file`);
  return { path };
}

function mapsOf(path: string, file: LibraryFile): Maps {
  const root = file.attributes("/");
  const xSize = sizeOf(root, "x_size");
  const ySize = sizeOf(root, "y_size");
  const isMapShape = ({ shape, element }: DatasetInfo): boolean =>
    element !== undefined && shape?.length === 2 && shape[0] === xSize && shape[1] === ySize;
  const datasets = file
    .names("/")
    .filter((name) => file.kind(`/${name}`) === "dataset")
    .map((name) => file.dataset(`/${name}`));
  const blocks = datasets.filter((dataset) => dataset.refusal === undefined && isMapShape(dataset));
  const maps = blocks.flatMap((dataset) => infoOf(dataset) ?? []);
  const sources = sourcesOf(file);

  function read(dataset: string): Float64Array {
    try {
      const { element } = file.dataset(dataset);
      const samples = asSamples(file.readBytes(dataset), element!);
      if (samples?.length !== xSize * ySize) throw new Error(`"${dataset}" has another shape than the grid`);
      return samples instanceof Float64Array ? samples : Float64Array.from(samples);
    } catch (error) {
      throw unreadable(path, error);
    }
  }
  function coordinateName(type: string): string | undefined {
    return blocks.find(({ attributes }) => attributes.get("type") === type)?.name;
  }
  return {
    xSize,
    ySize,
    maps,
    sources,
    values(name) {
      if (!maps.some((map) => map.name === name)) throw unreadable(path, new Error(`it holds no map "${name}"`));
      return read(`/${name}`);
    },
    status(name) {
      const digest = maps.find((map) => map.name === name)?.sourceDigest;
      if (digest === undefined || !exists(file, statusPath(digest, name))) return undefined;
      return Uint8Array.from(read(statusPath(digest, name)));
    },
    owners(digest) {
      return exists(file, ownersPath(digest)) ? Int32Array.from(read(ownersPath(digest))) : undefined;
    },
    coordinates() {
      const x = coordinateName(TYPE_X);
      const y = coordinateName(TYPE_Y);
      return x === undefined || y === undefined ? undefined : { x: read(`/${x}`), y: read(`/${y}`) };
    },
    block: (name) => read(`/${name}`),
    attributes: (name) => file.attributes(`/${name}`),
    coordinateNames: () => ({ x: coordinateName(TYPE_X), y: coordinateName(TYPE_Y) }),
    close: () => file.close(),
  };
}

function sizeOf(root: Attributes, name: string): number {
  const size = numberOf(root.get(name));
  if (size === undefined || !Number.isInteger(size) || size < 1)
    throw new Error(`it is no maps file: it has no attribute ${name} above 0`);
  return size;
}

function infoOf({ name, attributes }: DatasetInfo): MapInfo | undefined {
  const key = parseMapName(name);
  if (key === undefined) return undefined;
  const cellsDone = numberOf(attributes.get("cells_done"));
  const cellsFailed = numberOf(attributes.get("cells_failed"));
  const sourceDigest = attributes.get("source_digest");
  return {
    name,
    ...key,
    ...(cellsDone === undefined ? {} : { cellsDone }),
    ...(cellsFailed === undefined ? {} : { cellsFailed }),
    ...(typeof sourceDigest === "string" ? { sourceDigest } : {}),
    attributes,
  };
}

function sourcesOf(file: LibraryFile): MapSource[] {
  if (!exists(file, PROVENANCE)) return [];
  return file.names(PROVENANCE).map((folder) => {
    const digest = file.attributes(`${PROVENANCE}/${folder}`).get("digest");
    if (typeof digest !== "string") throw new Error(`"${PROVENANCE}/${folder}" has no attribute digest`);
    return { digest, shards: parseShards(file.readText(shardsPath(digest))) };
  });
}

/** The library reports a missing object like a broken link. */
function exists(file: LibraryFile, path: string): boolean {
  const kind = file.kind(path);
  return kind === "dataset" || kind === "group";
}

function unreadable(path: string, error: unknown): PeError {
  if (error instanceof PeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PeError("PE_MAPS_UNREADABLE", `Cannot read maps "${path}": ${reason}`, {
    cause: error,
    details: { path },
  });
}
