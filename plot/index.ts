/** Figures from arrays: maps, contact sheets and delay scans as SVG, and SVG as PNG. No input or output. */
export { COLOUR_TABLES } from "./colours.ts";
export type { ColourTable } from "./colours.ts";
export type { MapAxis } from "./grid-axis.ts";
export { renderMap } from "./map.ts";
export type { MapFigure } from "./map.ts";
export { formatQuantity } from "./number.ts";
export { svgToPng } from "./raster.ts";
export { renderScan } from "./scan.ts";
export type { ScanFigure } from "./scan.ts";
export { renderSheet } from "./sheet.ts";
export type { SheetFigure } from "./sheet.ts";
