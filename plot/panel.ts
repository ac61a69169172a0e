/** What a single map and a panel of a contact sheet share: checks, proportions, axes, cells. */
import { drawFrame, roomAcross, roomAlong } from "./axis.ts";
import type { Area, SideAxis } from "./axis.ts";
import { cellsPng, hatch, pixels } from "./cells.ts";
import type { Grid } from "./cells.ts";
import type { Bar } from "./colour-bar.ts";
import { PeError } from "../common/errors.ts";
import { gridTicks } from "./grid-axis.ts";
import type { MapAxis } from "./grid-axis.ts";
import { element, textLine } from "./svg.ts";
import { TEXT, textWidth } from "./text.ts";

/** Cells are square until the map would be longer than this many times its width. */
const ASPECT_MAX = 1.8;

/** @throws {PeError} `PE_PARAMETER` */
export function checkGrid({ values, xSize, ySize }: Grid): void {
  if (isSize(xSize) && isSize(ySize) && values.length === xSize * ySize) return;
  const shape = `${xSize} x ${ySize}`;
  throw new PeError("PE_PARAMETER", `Cannot draw map: ${values.length} values do not fill a grid of ${shape} cells`);
}

function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 1;
}

/** Square cells of a whole or half number of pixels where possible, so that all come out equally wide. */
export function plotSize(xSize: number, ySize: number, sideMax: number): { width: number; height: number } {
  const ratio = Math.max(1 / ASPECT_MAX, Math.min(ASPECT_MAX, ySize / xSize));
  const [width, height] = ratio <= 1 ? [sideMax, sideMax * ratio] : [sideMax / ratio, sideMax];
  return { width: snap(width, xSize), height: snap(height, ySize) };
}

function snap(length: number, cells: number): number {
  const cell = Math.floor((2 * length) / cells + 1e-9) / 2;
  return cell * cells >= length * 0.75 ? cell * cells : Math.round(length);
}

/** The vertical axis of a map, its ticks chosen for `length` pixels. */
export function leftAxis(axis: MapAxis, size: number, length: number): SideAxis {
  return { side: "left", ...gridTicks(axis, size, roomAlong(length)) };
}

export function bottomAxis(axis: MapAxis, size: number, length: number): SideAxis {
  return { side: "bottom", ...gridTicks(axis, size, roomAcross(length)) };
}

/** The cells over a hatched ground, and the frame around them. */
export function drawCells(grid: Grid, bar: Bar | undefined, hatched: boolean, area: Area): string[] {
  return [
    ...(hatched ? hatch(area) : []),
    ...(bar === undefined ? [] : [pixels(cellsPng(grid, bar.range, bar.colours), area)]),
    drawFrame(area),
  ];
}

/** Words in the middle of a map that has nothing else to show. */
export function message(text: string, area: Area, size: number = TEXT.label): string[] {
  const [width, height] = [textWidth(text, size) + 16, size * 1.9];
  const [x, y] = [area.x + area.width / 2, area.y + area.height / 2];
  const ground = { x: x - width / 2, y: y - height / 2, width, height, rx: 3, fill: "#ffffff" };
  return [element("rect", ground), textLine(text, x, y + size * 0.35, { size, anchor: "middle" })];
}
