/** Markers and lines of series: told apart by shape and dashes as well as by colour. */
import { LINE_COLOURS } from "./colours.ts";
import { element, pathData } from "./svg.ts";
import type { Point } from "./svg.ts";

export interface LineStyle {
  readonly colour: string;
  /** Corners of the marker around its place; none is a circle. */
  readonly corners: readonly Point[];
  /** Of the line, once the colours are used up. */
  readonly dashes: string | undefined;
}

const SIZE = 2.9;
const corner = (x: number, y: number): Point => ({ x: x * SIZE, y: y * SIZE });
const SHAPES: readonly (readonly Point[])[] = [
  [],
  [corner(-0.9, -0.9), corner(0.9, -0.9), corner(0.9, 0.9), corner(-0.9, 0.9)],
  [corner(0, -1.25), corner(1.15, 0.85), corner(-1.15, 0.85)],
  [corner(0, -1.35), corner(1.35, 0), corner(0, 1.35), corner(-1.35, 0)],
  [corner(0, 1.25), corner(1.15, -0.85), corner(-1.15, -0.85)],
];
const DASHES = [undefined, "6 3", "2 2.5", "8 3 2 3"] as const;

/** The style of series number `index`. */
export function lineStyle(index: number): LineStyle {
  return {
    colour: LINE_COLOURS[index % LINE_COLOURS.length]!,
    corners: SHAPES[index % SHAPES.length]!,
    dashes: DASHES[Math.floor(index / LINE_COLOURS.length) % DASHES.length],
  };
}

export function drawLine(points: readonly Point[], { colour, dashes }: LineStyle): string {
  return element("path", {
    d: pathData(points),
    fill: "none",
    stroke: colour,
    "stroke-width": 1.5,
    "stroke-linejoin": "round",
    "stroke-linecap": "round",
    "stroke-dasharray": dashes,
  });
}

export function drawMarker({ x, y }: Point, { colour, corners }: LineStyle): string {
  if (corners.length === 0) return element("circle", { cx: x, cy: y, r: SIZE, fill: colour });
  return element("path", { d: `${pathData(corners.map((at) => ({ x: x + at.x, y: y + at.y })))}Z`, fill: colour });
}
