/** Draws the maps of a file into a folder: every map, a sheet for each measure, and a delay scan. */
import { stat } from "node:fs/promises";
import { asPeError, PeError } from "../../common/errors.ts";
import { makeFolders } from "../../data/folders.ts";
import type { Measure } from "../../data/maps.ts";
import { readMaps, type Maps } from "../../data/maps.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { placeIn, writePlace } from "../../data/result-place.ts";
import { svgToPng } from "../../plot/index.ts";
import { mapFigure, scanFigure, sheetFigure, type FigureOptions } from "./figures.ts";

export interface PicturesOptions extends FigureOptions {
  /** Maps to draw. */
  readonly names: readonly string[];
  /** Cell of the delay scan; the cell of least entropy by default. */
  readonly scan?: { readonly x: number; readonly y: number };
  readonly signal?: AbortSignal;
  onDrawn?(done: number, total: number, name: string): void;
}

/** Maps on one sheet; more make further sheets. */
const SHEET_MAPS_MAX = 30;
/** A scan of fewer delays tells nothing that the maps do not. */
const SCAN_DELAYS_MIN = 3;

/**
 * @returns Paths of the PNG files written, sheets first.
 * @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`, `PE_MAPS_UNREADABLE`
 */
export async function drawMaps(path: string, folder: string, options: PicturesOptions): Promise<string[]> {
  await makePicturesFolder(folder);
  const maps = await readMaps(path);
  try {
    const pictures = [...sheets(maps, options), ...scans(maps, options), ...singles(maps, options)];
    const written: string[] = [];
    for (const [done, { name, draw }] of pictures.entries()) {
      if (options.signal?.aborted === true) throw stopped(written.length, pictures.length, path);
      const file = placeIn(folder, `${name}.png`);
      await writePlace(file, svgToPng(draw(), { scale: 2 }));
      written.push(file);
      // Drawing holds the thread: without a turn of the loop no signal would be heard.
      await new Promise((resolve) => setImmediate(resolve));
      options.onDrawn?.(done + 1, pictures.length, name);
    }
    return written;
  } finally {
    maps.close();
  }
}

/** @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL` */
export async function makePicturesFolder(folder: string): Promise<void> {
  if (isS3Url(folder)) return;
  try {
    await makeFolders(folder);
    if (!(await stat(folder)).isDirectory()) throw new Error("there is a file of this name");
  } catch (error) {
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot make the folder "${folder}" for pictures`);
  }
}

function stopped(done: number, pictures: number, maps: string): PeError {
  const message = `Stopped after ${done} of ${pictures} pictures; the maps are in "${maps}": draw with pe-client plot`;
  return new PeError("PE_INTERRUPTED", message, { details: { done, pictures } });
}

interface Picture {
  readonly name: string;
  readonly draw: () => string;
}

function singles(maps: Maps, options: PicturesOptions): Picture[] {
  return options.names.map((name) => ({ name, draw: () => mapFigure(maps, name, options) }));
}

function sheets(maps: Maps, options: PicturesOptions): Picture[] {
  return measuresOf(maps, options.names).flatMap((measure) => {
    const names = namesOf(maps, options.names, measure);
    const count = Math.ceil(names.length / SHEET_MAPS_MAX);
    // All sheets of a measure share their colours, like the maps of one sheet.
    const range = options.range ?? extentOf(maps, names);
    return Array.from({ length: count }, (_, index) => ({
      name: `sheet_${measure}${count === 1 ? "" : `_${index + 1}`}`,
      draw: () =>
        sheetFigure(maps, measure, names.slice(index * SHEET_MAPS_MAX, (index + 1) * SHEET_MAPS_MAX), {
          ...options,
          ...(range !== undefined && { range }),
        }),
    }));
  });
}

/** Least and greatest value of some maps; undefined where they have no two. */
function extentOf(maps: Maps, names: readonly string[]): { min: number; max: number } | undefined {
  let [min, max] = [Infinity, -Infinity];
  for (const name of names)
    for (const value of maps.values(name)) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  return min < max ? { min, max } : undefined;
}

function scans(maps: Maps, options: PicturesOptions): Picture[] {
  return measuresOf(maps, options.names).flatMap((measure) => {
    const names = namesOf(maps, options.names, measure);
    const delays = new Set(maps.maps.filter(({ name }) => names.includes(name)).map(({ delay }) => delay));
    const cell = options.scan ?? leastCell(maps, names[0]!);
    if (delays.size < SCAN_DELAYS_MIN || cell === undefined) return [];
    return [{ name: `scan_${measure}_x${cell.x}_y${cell.y}`, draw: () => scanFigure(maps, cell, measure, options) }];
  });
}

function measuresOf(maps: Maps, names: readonly string[]): Measure[] {
  return [...new Set(maps.maps.filter(({ name }) => names.includes(name)).map(({ measure }) => measure))];
}

function namesOf(maps: Maps, names: readonly string[], measure: Measure): string[] {
  return maps.maps.filter((info) => info.measure === measure && names.includes(info.name)).map(({ name }) => name);
}

/** Where the first map is lowest: the most ordered dynamics. */
function leastCell(maps: Maps, name: string): { x: number; y: number } | undefined {
  let least: number | undefined;
  const map = maps.values(name);
  for (const [cell, value] of map.entries())
    if (!Number.isNaN(value) && (least === undefined || value < map[least]!)) least = cell;
  return least === undefined ? undefined : { x: Math.floor(least / maps.ySize), y: least % maps.ySize };
}
