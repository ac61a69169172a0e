/** The figure of one map. */
import { axisRoom, drawAxis } from "./axis.ts";
import type { Area } from "./axis.ts";
import { barRoom, drawBar, makeBar } from "./colour-bar.ts";
import type { Bar, ColourBar } from "./colour-bar.ts";
import { census, noValueLegend } from "./cells.ts";
import type { Grid } from "./cells.ts";
import type { ColourTable } from "./colours.ts";
import type { MapAxis } from "./grid-axis.ts";
import { headingBlock, notesBlock, PADDING } from "./heading.ts";
import { significant } from "./number.ts";
import { bottomAxis, checkGrid, drawCells, leftAxis, message, plotSize } from "./panel.ts";
import { svgDocument } from "./svg.ts";
import { TEXT, textWidth } from "./text.ts";

export interface MapFigure extends Grid {
  readonly xAxis: MapAxis;
  readonly yAxis: MapAxis;
  readonly title: string;
  readonly subtitle?: string;
  readonly colourBar: ColourBar;
  /** Colour table, `viridis` where absent. */
  readonly colours?: ColourTable;
  /** A line below the figure. */
  readonly note?: string;
}

const SIDE_MAX = 400;
const BAR_GAP = 18;
const LEGEND_WIDTH = 20 + textWidth("no value", TEXT.tick);
const FIGURE_WIDTH_MIN = 300;

/**
 * Draws a map: x to the right, y upwards, one crisp cell a series, axes in physical units, a colour bar.
 *
 * Cells without a value (NaN, infinite) are hatched grey, and a legend says so. Values outside of the given range of
 * colours take the colour of its end, and that end of the bar is pointed. The colours run from the least to the
 * greatest finite value unless `colourBar` gives a range, as maps that are to be compared need.
 *
 * @param figure.values Entropies, shape `[xSize, ySize]`, row-major: row = x, column = y.
 * @returns SVG, the same bytes for the same figure.
 * @throws {PeError} `PE_PARAMETER` when a shape or the range of colours does not fit.
 * @example
 * renderMap({ values, xSize: 60, ySize: 60, title: "m = 5, τ = 90", colourBar: { label: "Permutation entropy" },
 *   xAxis: { label: "Pump current", unit: "mA", values: current }, yAxis: { label: "Feedback", values: feedback } });
 */
export function renderMap(figure: MapFigure): string {
  checkGrid(figure);
  const found = census([figure.values]);
  const bar = makeBar(figure.colourBar, found, figure.colours ?? "viridis");
  const plot = plotSize(figure.xSize, figure.ySize, SIDE_MAX);
  const left = leftAxis(figure.yAxis, figure.ySize, plot.height);
  const bottom = bottomAxis(figure.xAxis, figure.xSize, plot.width);

  const x = PADDING + axisRoom(left, plot.height);
  const legendWidth = found.missing > 0 ? LEGEND_WIDTH : 0;
  const sideWidth = Math.max(bar === undefined ? 0 : barRoom(bar, plot.height), legendWidth);
  const right = x + plot.width + (sideWidth > 0 ? BAR_GAP + sideWidth : 0);
  const width = Math.max(right + PADDING, FIGURE_WIDTH_MIN);

  const heading = headingBlock(figure, width - x - PADDING);
  const area: Area = { x, y: PADDING + heading.height, ...plot };
  const axisBottom = area.y + area.height + axisRoom(bottom, plot.width);
  const notes = notesBlock(notesOf(figure, bar, found.range === undefined), width - x - PADDING);
  const barX = area.x + area.width + BAR_GAP;
  return svgDocument({ width, height: axisBottom + notes.height + PADDING }, figure.title, [
    ...heading.draw(x, PADDING),
    ...drawCells(figure, bar, found.missing > 0, area),
    ...drawAxis(left, area),
    ...drawAxis(bottom, area),
    ...(bar === undefined ? [] : drawBar(bar, barX, area.y, area.height)),
    ...(found.missing > 0 ? noValueLegend(barX, axisBottom - 5, TEXT.tick) : []),
    ...(found.range === undefined ? message("No cell has a value", area) : []),
    ...notes.draw(x, axisBottom),
  ]);
}

function notesOf(figure: MapFigure, bar: Bar | undefined, empty: boolean): string[] {
  const equal = bar !== undefined && bar.range.min === bar.range.max && !empty;
  const remark = equal && !bar.above && !bar.below ? [`All values equal ${significant(bar.range.min)}.`] : [];
  return [...remark, ...(figure.note === undefined ? [] : [figure.note])];
}
