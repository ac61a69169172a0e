/**
 * Publishes the maps of a job: merged into what the file holds, written to a new file, read back, and only then put in
 * the old one's place. A crash at any point leaves the old or the new file, whole.
 *
 * One writer at a time: the caller holds the lock of the output (`lock.ts`) from before the job until after this.
 */
import { stat } from "node:fs/promises";
import { asPeError } from "../common/errors.ts";
import { asWriteError, replaceDurably } from "./durable.ts";
import { MEASURE_TYPES, mapName } from "./map-name.ts";
import { CELL_STATUS_TEXTS, isLost, OWNER_CONFLICT, OWNER_NONE } from "./map-status.ts";
import { checkMerge } from "./maps-check.ts";
import { copyOthers } from "./maps-copy.ts";
import * as layout from "./maps-layout.ts";
import { countCells, mergeCells, mergeCoordinates, mergeOwners } from "./maps-merge.ts";
import type { MapsUpdate, MapUpdate } from "./maps-update.ts";
import { readMaps } from "./maps-read.ts";
import type { Maps } from "./maps-read.ts";
import { createVerified } from "./hdf5/verified-writer.ts";
import type { VerifiedWriter } from "./hdf5/verified-writer.ts";

export interface PublishedMap {
  readonly name: string;
  /** Cells of the grid; those with a value or a named reason; those with a reason. */
  readonly cells: number;
  readonly cellsDone: number;
  readonly cellsFailed: number;
}

/** A cell that two series claim, with the shards as far as they are known from this and earlier jobs. */
export interface CellConflict {
  readonly x: number;
  readonly y: number;
  readonly shards: readonly string[];
}

export interface Published {
  readonly maps: readonly PublishedMap[];
  readonly conflicts: readonly CellConflict[];
}

/**
 * @throws {PeError} `PE_MAPS_CONFLICT` when the file has another grid, or a map of that name comes from another input,
 *   an unknown one or another kernel; `PE_INPUT_CHANGED` when a shard is not what it was; `PE_MAPS_UNREADABLE` when
 *   the old file or the written one cannot be read; `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`. The old file then stays.
 */
export async function publishMaps(path: string, update: MapsUpdate): Promise<Published> {
  const found = await stat(path).catch(() => undefined);
  const old = found?.isFile() ? await readMaps(path) : undefined;
  try {
    const source = checkMerge(path, old, update);
    return await replaceDurably(path, async (temporary) => {
      try {
        const writer = await createVerified(temporary);
        const published = await writeAll(writer, path, old, { ...update, source });
        await writer.verify();
        return published;
      } catch (error) {
        throw asPeError(asWriteError(error, path), "PE_MAPS_UNREADABLE", `Cannot write maps "${path}"`);
      }
    });
  } finally {
    old?.close();
  }
}

async function writeAll(
  writer: VerifiedWriter,
  path: string,
  old: Maps | undefined,
  update: MapsUpdate,
): Promise<Published> {
  const storedOwners = old?.owners(update.source.digest);
  const owners = mergeOwners(storedOwners, update.owners);
  try {
    if (old !== undefined) await copyOthers(path, old, writer, update);
    else {
      writer.attribute("/", "x_size", BigInt(update.xSize));
      writer.attribute("/", "y_size", BigInt(update.ySize));
    }
    writeSource(writer, update, owners);
    writeCoordinates(writer, old, update, owners);
    const maps: PublishedMap[] = [];
    for (const map of update.maps) maps.push(await writeMap(writer, old, update, map, owners));
    return { maps, conflicts: conflictsOf(update, storedOwners, owners) };
  } finally {
    writer.close();
  }
}

function writeSource(writer: VerifiedWriter, { source, xSize, ySize }: MapsUpdate, owners: Int32Array): void {
  const { digest, shards } = source;
  if (!writer.has(layout.PROVENANCE)) {
    writer.group(layout.PROVENANCE);
    writer.attribute(layout.PROVENANCE, "type", layout.TYPE_PROVENANCE);
    const codes = CELL_STATUS_TEXTS.map((text, code) => `${code} ${text}`).join("; ");
    writer.attribute(layout.PROVENANCE, "status_codes", codes);
  }
  const folder = layout.sourceFolder(digest);
  if (!writer.has(folder)) {
    writer.group(folder);
    writer.attribute(folder, "digest", digest);
  }
  if (!writer.has(layout.statusFolder(digest))) writer.group(layout.statusFolder(digest));
  writer.dataset(layout.ownersPath(digest), owners, [xSize, ySize]);
  writer.text(layout.shardsPath(digest), layout.formatShards(shards));
}

/** Coordinates that the file has keep their names; no maps are made of coordinates that nobody knows. */
function writeCoordinates(writer: VerifiedWriter, old: Maps | undefined, update: MapsUpdate, owners: Int32Array): void {
  const names = old?.coordinateNames();
  const sides = [
    { name: names?.x, type: layout.TYPE_X, job: update.coordinates.x },
    { name: names?.y, type: layout.TYPE_Y, job: update.coordinates.y },
  ];
  const isNew = sides.every(({ name }) => name === undefined);
  if (isNew && sides.every(({ job }) => job.every(Number.isNaN))) return;
  for (const { name, type, job } of sides) {
    const stored = name === undefined ? undefined : old?.block(name);
    const path = `/${name ?? type}`;
    writer.dataset(path, mergeCoordinates(stored, job, update.owners, owners), [update.xSize, update.ySize]);
    if (name === undefined) writer.attribute(path, "type", type);
    else for (const [key, value] of old!.attributes(name)) writer.attribute(path, key, value);
  }
}

async function writeMap(
  writer: VerifiedWriter,
  old: Maps | undefined,
  update: MapsUpdate,
  map: MapUpdate,
  owners: Int32Array,
): Promise<PublishedMap> {
  const { xSize, ySize, source } = update;
  const name = mapName(map);
  const isMerged = !update.replace && old?.maps.some((stored) => stored.name === name);
  const status = isMerged ? old?.status(name) : undefined;
  const stored = status === undefined ? undefined : { values: old!.values(name), status };
  const cells = mergeCells(stored, await map.load(), update.owners, owners);
  const { done, failed } = countCells(cells.status);
  const path = `/${name}`;
  writer.dataset(path, cells.values, [xSize, ySize]);
  writer.attribute(path, "type", MEASURE_TYPES[map.measure]);
  writer.attribute(path, "order", BigInt(map.order));
  writer.attribute(path, "delay", BigInt(map.delay));
  writer.attribute(path, "cells_done", BigInt(done));
  writer.attribute(path, "cells_failed", BigInt(failed));
  writer.attribute(path, "software", update.software);
  writer.attribute(path, "kernel", update.kernel);
  writer.attribute(path, "source_digest", source.digest);
  writer.attribute(path, "date", update.dateIso);
  writer.dataset(layout.statusPath(source.digest, name), cells.status, [xSize, ySize]);
  return { name, cells: xSize * ySize, cellsDone: done, cellsFailed: failed };
}

function conflictsOf(update: MapsUpdate, stored: Int32Array | undefined, owners: Int32Array): CellConflict[] {
  const { source, ySize } = update;
  const conflicts: CellConflict[] = [];
  for (const [cell, claimed] of update.owners.entries()) {
    if (claimed === OWNER_NONE || isLost(claimed) || owners[cell] !== OWNER_CONFLICT) continue;
    const shards = [stored?.[cell] ?? OWNER_NONE, claimed].flatMap((ordinal) => source.shards[ordinal]?.name ?? []);
    conflicts.push({ x: Math.floor(cell / ySize), y: cell % ySize, shards });
  }
  return conflicts;
}
