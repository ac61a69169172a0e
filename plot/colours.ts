/**
 * Colours: perceptual tables for maps, a set for lines that colour-blind readers can tell apart.
 *
 * This is the one file that imports d3-scale-chromatic.
 */
import { interpolateCividis, interpolateInferno, interpolateMagma, interpolateViridis } from "d3-scale-chromatic";

/** Names of the colour tables; all are monotone in lightness, so a grey print keeps their order. */
export const COLOUR_TABLES = ["viridis", "inferno", "magma", "cividis"] as const;
export type ColourTable = (typeof COLOUR_TABLES)[number];

const INTERPOLATORS: Readonly<Record<ColourTable, (fraction: number) => string>> = {
  viridis: interpolateViridis,
  inferno: interpolateInferno,
  magma: interpolateMagma,
  cividis: interpolateCividis,
};

/** Colours of a table that values use; palette index 0 stays free for "no value". */
export const COLOUR_COUNT = 255;

/** Red, green, blue of 256 palette entries: index 0 for "no value" (transparent), 1 to 255 from low to high. */
export function palette(table: ColourTable): Uint8Array {
  const bytes = new Uint8Array((COLOUR_COUNT + 1) * 3).fill(255, 0, 3);
  for (let index = 0; index < COLOUR_COUNT; index += 1) {
    bytes.set(rgb(INTERPOLATORS[table](index / (COLOUR_COUNT - 1))), (index + 1) * 3);
  }
  return bytes;
}

/** A palette entry as `#rrggbb`. */
export function paletteColour(bytes: Uint8Array, index: number): string {
  return `#${Buffer.from(bytes.subarray(index * 3, index * 3 + 3)).toString("hex")}`;
}

/** d3 answers with `#rrggbb` for the matplotlib tables and with `rgb(r, g, b)` for cividis. */
function rgb(colour: string): number[] {
  if (colour.startsWith("#")) return [1, 3, 5].map((start) => Number.parseInt(colour.slice(start, start + 2), 16));
  return (colour.match(/\d+/gu) ?? []).map(Number);
}

/**
 * Colours of lines, after Okabe and Ito, "Color universal design" (2008), without their yellow, which is too
 * light on paper; neighbours differ in lightness as well as in hue.
 */
export const LINE_COLOURS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#1a1a1a",
  "#56b4e9",
  "#e69f00",
  "#7a4fb5",
] as const;
