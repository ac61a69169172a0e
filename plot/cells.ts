/** The cells of a map as a picture of colours, and the range those colours stand for. */
import type { Area } from "./axis.ts";
import { COLOUR_COUNT } from "./colours.ts";
import { encodePng } from "./png.ts";
import { element, INK, pathData, textLine } from "./svg.ts";

/** Values of a grid; cell (x, y) is `values[x * ySize + y]`, NaN where it has no value. */
export interface Grid {
  readonly values: Float64Array;
  readonly xSize: number;
  readonly ySize: number;
}

/** What the lowest and the highest colour stand for. */
export interface ColourRange {
  readonly min: number;
  readonly max: number;
}

/** What there is in one map or several. */
export interface Census {
  /** Of the finite values; `undefined` when there is none. */
  readonly range: ColourRange | undefined;
  /** Cells that are NaN or infinite. */
  readonly missing: number;
}

export function census(maps: readonly Float64Array[]): Census {
  let [min, max, missing] = [Infinity, -Infinity, 0];
  for (const values of maps) {
    for (const value of values) {
      if (!Number.isFinite(value)) {
        missing += 1;
        continue;
      }
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  return { missing, range: min > max ? undefined : { min, max } };
}

/** Palette index of a value, 1 to 255; values beyond the range get its end, NaN and infinities get 0. */
export function colourIndex(value: number, { min, max }: ColourRange): number {
  if (!Number.isFinite(value)) return 0;
  if (max <= min) return 1 + (COLOUR_COUNT - 1) / 2;
  const step = Math.floor(((value - min) / (max - min)) * COLOUR_COUNT);
  return 1 + Math.max(0, Math.min(COLOUR_COUNT - 1, step));
}

/** Cells are enlarged to about this many pixels, so that viewers that smooth pictures still show crisp cells. */
const PIXELS_WANTED = 720;

/** x to the right, y upwards: the first row of the picture is the last y. */
export function cellsPng({ values, xSize, ySize }: Grid, range: ColourRange, colours: Uint8Array): Uint8Array {
  const zoom = Math.max(1, Math.floor(PIXELS_WANTED / Math.max(xSize, ySize)));
  const [width, height] = [xSize * zoom, ySize * zoom];
  const indices = new Uint8Array(width * height);
  for (let y = 0; y < ySize; y += 1) {
    const top = (ySize - 1 - y) * zoom * width;
    for (let x = 0; x < xSize; x += 1) {
      const start = top + x * zoom;
      indices.fill(colourIndex(values[x * ySize + y]!, range), start, start + zoom);
    }
    for (let copy = 1; copy < zoom; copy += 1) indices.copyWithin(top + copy * width, top, top + width);
  }
  return encodePng({ width, height, indices }, colours);
}

/** The colours from low to high, one pixel each, the highest on top. */
export function barPng(colours: Uint8Array): Uint8Array {
  const indices = Uint8Array.from({ length: COLOUR_COUNT }, (_, row) => COLOUR_COUNT - row);
  return encodePng({ width: 1, height: COLOUR_COUNT, indices }, colours);
}

/**
 * A picture stretched over an area without smoothing. Browsers read the first of the two declarations, other viewers
 * (librsvg, Inkscape, resvg) know only the older word.
 */
export function pixels(png: Uint8Array, { x, y, width, height }: Area): string {
  return element("image", {
    x,
    y,
    width,
    height,
    preserveAspectRatio: "none",
    style: "image-rendering:pixelated;image-rendering:optimizeSpeed",
    href: `data:image/png;base64,${Buffer.from(png).toString("base64")}`,
  });
}

export const NO_VALUE = { ground: "#ececec", line: "#a6a6a6", spacing: 7 } as const;

/**
 * "No value": grey with diagonal lines, drawn under the map, whose cells without a value are transparent. The lines
 * are plain paths, because a pattern needs an id, and ids clash when several figures stand in one page.
 */
export function hatch({ x, y, width, height }: Area, spacing: number = NO_VALUE.spacing): string[] {
  const lines: string[] = [];
  for (let offset = spacing / 2; offset < width + height; offset += spacing) {
    const [startX, startY] = [Math.max(0, offset - height), Math.min(offset, height)];
    const [endX, endY] = [Math.min(offset, width), Math.max(0, offset - width)];
    lines.push(
      pathData([
        { x: x + startX, y: y + startY },
        { x: x + endX, y: y + endY },
      ]),
    );
  }
  return [
    element("rect", { x, y, width, height, fill: NO_VALUE.ground }),
    element("path", { d: lines.join(""), stroke: NO_VALUE.line, "stroke-width": 1 }),
  ];
}

/** The legend of "no value": a swatch and its words. */
export function noValueLegend(x: number, y: number, size: number): string[] {
  const [width, height] = [14, 10];
  const swatch = { x, y: y - height + 1, width, height };
  const outline = element("rect", { ...swatch, fill: "none", stroke: INK.quiet, "stroke-width": 0.75 });
  return [...hatch(swatch, 4), outline, textLine("no value", x + width + 5, y, { size })];
}
