/** Draws the maps of a file into a folder: every map, a sheet for each measure, and a delay scan. */
import { join } from "node:path";
import { asPeError } from "../common/errors.ts";
import { writeDurably } from "../data/durable.ts";
import { makeFolders } from "../data/folders.ts";
import type { Measure } from "../data/maps.ts";
import { readMaps, type Maps } from "../data/maps.ts";
import { svgToPng } from "../plot/index.ts";
import { mapFigure, scanFigure, sheetFigure, type FigureOptions } from "./figures.ts";

export interface PicturesOptions extends FigureOptions {
  /** Maps to draw. */
  readonly names: readonly string[];
  /** Cell of the delay scan; the cell of least entropy by default. */
  readonly scan?: { readonly x: number; readonly y: number };
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
  await makeFolders(folder).catch((error: unknown) => {
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot make the folder "${folder}" for pictures`);
  });
  const maps = await readMaps(path);
  try {
    const pictures = [...sheets(maps, options), ...scans(maps, options), ...singles(maps, options)];
    const written: string[] = [];
    for (const [done, { name, draw }] of pictures.entries()) {
      const file = join(folder, `${name}.png`);
      await writeDurably(file, svgToPng(draw(), { scale: 2 }));
      written.push(file);
      options.onDrawn?.(done + 1, pictures.length, name);
    }
    return written;
  } finally {
    maps.close();
  }
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
    return Array.from({ length: count }, (_, index) => ({
      name: `sheet_${measure}${count === 1 ? "" : `_${index + 1}`}`,
      draw: () =>
        sheetFigure(maps, measure, names.slice(index * SHEET_MAPS_MAX, (index + 1) * SHEET_MAPS_MAX), options),
    }));
  });
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
