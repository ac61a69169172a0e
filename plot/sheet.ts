/** The contact sheet: many maps of one grid side by side, with one range of colours. */
import { axisRoom, drawAxis } from "./axis.ts";
import type { Area, SideAxis } from "./axis.ts";
import { census, noValueLegend } from "./cells.ts";
import type { Grid } from "./cells.ts";
import { barRoom, drawBar, makeBar } from "./colour-bar.ts";
import type { Bar, ColourBar } from "./colour-bar.ts";
import type { ColourTable } from "./colours.ts";
import { PeError } from "../common/errors.ts";
import type { MapAxis } from "./grid-axis.ts";
import { headingBlock, notesBlock, PADDING } from "./heading.ts";
import { bottomAxis, checkGrid, drawCells, leftAxis, message, plotSize } from "./panel.ts";
import { svgDocument, textLines } from "./svg.ts";
import { LINE_HEIGHT, TEXT, textWidth, wrapText } from "./text.ts";

export interface SheetMap {
  /** Entropies, shape `[xSize, ySize]`, row-major. */
  readonly values: Float64Array;
  /** Short: it stands above a small panel. */
  readonly title: string;
}

export interface SheetFigure {
  readonly maps: readonly SheetMap[];
  readonly xSize: number;
  readonly ySize: number;
  readonly xAxis: MapAxis;
  readonly yAxis: MapAxis;
  readonly title: string;
  readonly subtitle?: string;
  /** Shared by all maps; from the least to the greatest value of all where it gives no range. */
  readonly colourBar: ColourBar;
  /** Colour table, `viridis` where absent. */
  readonly colours?: ColourTable;
  /** Maps in a row; chosen for a sheet somewhat wider than tall where absent. */
  readonly columns?: number;
  readonly note?: string;
}

const PANEL_SIDE_MAX = 150;
const PANEL_GAP = 14;
const PANEL_TITLE = { size: TEXT.tick, height: 24 } as const;
const BAR_GAP = 20;
const BAR_HEIGHT_MAX = 400;
/** Numbers of columns to choose from: the one that leaves fewest places empty, of these the one nearest to the ideal. */
const COLUMNS = [4, 5, 6] as const;
const LEGEND_WIDTH = 20 + textWidth("no value", TEXT.tick);
const FIGURE_WIDTH_MIN = 300;

/**
 * Draws maps of one grid as small multiples. Axes stand at the outer panels only, and mean all of them.
 *
 * @returns SVG, the same bytes for the same figure.
 * @throws {PeError} `PE_PARAMETER` when there is no map, or a shape, the columns or the range of colours do not fit.
 * @example
 * renderSheet({ maps: [{ title: "m 5, τ 1", values }, { title: "m 5, τ 90", values: other }], xSize: 60, ySize: 60,
 *   xAxis: { label: "Pump current" }, yAxis: { label: "Feedback" }, title: "Feedback laser",
 *   colourBar: { label: "Permutation entropy", min: 0, max: 1 } });
 */
export function renderSheet(figure: SheetFigure): string {
  const grids = gridsOf(figure);
  const columns = columnsOf(figure);
  const rows = Math.ceil(grids.length / columns);
  const found = census(figure.maps.map(({ values }) => values));
  const bar = makeBar(figure.colourBar, found, figure.colours ?? "viridis");
  const panel = plotSize(figure.xSize, figure.ySize, PANEL_SIDE_MAX);
  const titles = figure.maps.map(({ title }) => wrapText(title, panel.width + PANEL_GAP - 4, PANEL_TITLE.size));
  const titleLines = Math.max(...titles.map((lines) => lines.length));
  const titleHeight = PANEL_TITLE.height + (titleLines - 1) * PANEL_TITLE.size * LINE_HEIGHT;

  const inner = { width: columns * (panel.width + PANEL_GAP) - PANEL_GAP, height: rows * (panel.height + titleHeight) };
  const [left, bottom] = outerAxes(figure, panel);
  const x = PADDING + axisRoom(left, inner.height);
  const barHeight = Math.min(BAR_HEIGHT_MAX, inner.height - titleHeight);
  const sideWidth = Math.max(bar === undefined ? 0 : barRoom(bar, barHeight), found.missing > 0 ? LEGEND_WIDTH : 0);
  const width = Math.max(x + inner.width + BAR_GAP + sideWidth + PADDING, FIGURE_WIDTH_MIN);
  const heading = headingBlock(figure, width - x - PADDING);

  const all: Area = { x, y: PADDING + heading.height, ...inner };
  const areas = grids.map((_, index) => panelArea(all, panel, titleHeight, columns, index));
  const axisBottom = all.y + all.height + axisRoom(bottom, inner.width);
  const notes = notesBlock(figure.note === undefined ? [] : [figure.note], width - x - PADDING);
  const barX = all.x + all.width + BAR_GAP;
  return svgDocument({ width, height: axisBottom + notes.height + PADDING }, figure.title, [
    ...heading.draw(x, PADDING),
    ...grids.flatMap((grid, index) => drawPanel(grid, titles[index]!, bar, areas[index]!)),
    ...drawOuterAxes(left, bottom, areas, columns, all),
    ...(bar === undefined ? [] : drawBar(bar, barX, all.y + titleHeight, barHeight)),
    ...(found.missing > 0 ? noValueLegend(barX, axisBottom - 5, TEXT.tick) : []),
    ...notes.draw(x, axisBottom),
  ]);
}

function gridsOf({ maps, xSize, ySize }: SheetFigure): Grid[] {
  if (maps.length === 0) throw new PeError("PE_PARAMETER", "Cannot draw contact sheet: there is no map");
  const grids = maps.map(({ values }) => ({ values, xSize, ySize }));
  for (const grid of grids) checkGrid(grid);
  return grids;
}

function columnsOf({ maps: { length }, columns }: SheetFigure): number {
  if (columns === undefined) return chooseColumns(length);
  if (Number.isSafeInteger(columns) && columns >= 1) return Math.min(columns, length);
  throw new PeError("PE_PARAMETER", `Cannot draw contact sheet: ${columns} columns are not a whole number above 0`);
}

function chooseColumns(count: number): number {
  if (count <= COLUMNS[0]) return count;
  if (count <= 6) return 3;
  const emptyOf = (columns: number): number => Math.ceil(count / columns) * columns - count;
  const distanceOf = (columns: number): number => Math.abs(columns - Math.sqrt(count * 1.4));
  const ranked = COLUMNS.toSorted((a, b) => emptyOf(a) - emptyOf(b) || distanceOf(a) - distanceOf(b));
  return ranked[0]!;
}

/** Axes of one panel; below it, no label reaches further than half the way to the next panel's. */
function outerAxes(figure: SheetFigure, panel: { width: number; height: number }): [SideAxis, SideAxis] {
  const bottom = bottomAxis(figure.xAxis, figure.xSize, panel.width);
  const ticks = bottom.ticks.filter(({ position, label }) => {
    const half = textWidth(label, TEXT.tick) / 2;
    const overhang = half - panel.width * Math.min(position, 1 - position);
    return overhang <= PANEL_GAP / 2 - 2;
  });
  return [leftAxis(figure.yAxis, figure.ySize, panel.height), { ...bottom, ticks }];
}

function panelArea(
  all: Area,
  panel: { width: number; height: number },
  titleHeight: number,
  columns: number,
  index: number,
): Area {
  const [column, row] = [index % columns, Math.floor(index / columns)];
  const x = all.x + column * (panel.width + PANEL_GAP);
  return { x, y: all.y + row * (panel.height + titleHeight) + titleHeight, ...panel };
}

function drawPanel(grid: Grid, title: readonly string[], bar: Bar | undefined, area: Area): string[] {
  const { missing, range } = census([grid.values]);
  const lastLine = area.y - 6;
  const first = lastLine - (title.length - 1) * PANEL_TITLE.size * LINE_HEIGHT;
  return [
    ...textLines(title, area.x, first, { size: PANEL_TITLE.size }),
    ...drawCells(grid, range === undefined ? undefined : bar, missing > 0, area),
    ...(range === undefined ? message("no values", area, TEXT.note) : []),
  ];
}

/** Ticks at the first panel of each row and the last of each column; titles once, for the whole sheet. */
function drawOuterAxes(left: SideAxis, bottom: SideAxis, areas: readonly Area[], columns: number, all: Area): string[] {
  const firsts = areas.filter((_, index) => index % columns === 0);
  const lasts = areas.slice(-columns);
  return [
    ...firsts.flatMap((area) => drawAxis({ ...left, title: "" }, area)),
    ...lasts.flatMap((area) => drawAxis({ ...bottom, title: "" }, area)),
    ...drawAxis({ ...left, ticks: [] }, { ...all, x: all.x - tickRoom(left, all.height) }),
    ...drawAxis({ ...bottom, ticks: [] }, { ...all, height: all.height + tickRoom(bottom, all.width) }),
  ];
}

/** What tick labels add to the room of a title alone. */
function tickRoom(axis: SideAxis, length: number): number {
  return axisRoom(axis, length) - axisRoom({ ...axis, ticks: [] }, length);
}
