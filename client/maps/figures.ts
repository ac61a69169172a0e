/** Figures of a maps file: which arrays, axes and words make a map, a sheet of maps, or a delay scan. */
import { PeError } from "../../common/errors.ts";
import { knownNames } from "../../common/nearest.ts";
import { mapName, type MapKey, type Measure } from "../../data/maps.ts";
import type { MapInfo, Maps } from "../../data/maps.ts";
import {
  formatQuantity,
  renderMap,
  renderScan,
  renderSheet,
  type ColourTable,
  type MapAxis,
} from "../../plot/index.ts";

/** What the file does not say. */
export interface FigureOptions {
  readonly xLabel?: string;
  readonly yLabel?: string;
  /** Time from one sample to the next; delays are then told as times too. */
  readonly intervalSeconds?: number;
  readonly colours?: ColourTable;
  /** Range of the colour bar; the range of the values by default. */
  readonly range?: { readonly min: number; readonly max: number };
  readonly note?: string;
  /** Delays to point out in a scan. */
  readonly marks?: readonly { readonly delay: number; readonly label: string }[];
}

const MEASURE_LABELS: Readonly<Record<Measure, string>> = {
  pe: "Permutation entropy",
  weighted: "Weighted permutation entropy",
  complexity: "Statistical complexity",
  missing: "Missing patterns (fraction)",
};

/** The figure of one map, as SVG. @throws {PeError} `PE_PARAMETER` when the file has no such map. */
export function mapFigure(maps: Maps, name: string, options: FigureOptions): string {
  const info = findMap(maps, name);
  return renderMap({
    values: maps.values(name),
    xSize: maps.xSize,
    ySize: maps.ySize,
    ...axes(maps, options),
    ...look(options),
    title: `Order ${info.order}, delay ${delayText(info.delay, options)}`,
    colourBar: { label: MEASURE_LABELS[info.measure], ...options.range },
  });
}

/** All maps of one measure as small panels that share their colours, as SVG. */
export function sheetFigure(maps: Maps, measure: Measure, names: readonly string[], options: FigureOptions): string {
  const infos = names.map((name) => findMap(maps, name));
  return renderSheet({
    maps: infos.map(({ name, order, delay }) => ({ title: `m = ${order}, τ = ${delay}`, values: maps.values(name) })),
    xSize: maps.xSize,
    ySize: maps.ySize,
    ...axes(maps, options),
    ...look(options),
    title: MEASURE_LABELS[measure],
    subtitle:
      "Order m, delay τ in samples" +
      (options.intervalSeconds === undefined ? "" : ` of ${timeText(options.intervalSeconds)}`),
    colourBar: { label: MEASURE_LABELS[measure], ...options.range },
  });
}

/**
 * A measure against the delay at one cell, a line an order, as SVG.
 *
 * @throws {PeError} `PE_PARAMETER` when the cell lies outside of the grid or the file has no map of the measure.
 */
export function scanFigure(
  maps: Maps,
  cell: { x: number; y: number },
  measure: Measure,
  options: FigureOptions,
): string {
  const { x, y } = cell;
  if (x >= maps.xSize || y >= maps.ySize)
    throw new PeError("PE_PARAMETER", `Cannot scan cell (${x}, ${y}): the grid is ${maps.xSize} x ${maps.ySize}`);
  const scan = readScan(maps, x * maps.ySize + y, measure);
  if (scan.delays.length === 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot scan cell (${x}, ${y}): the file has no map of ${MEASURE_LABELS[measure].toLowerCase()}`,
    );
  return renderScan({
    delays: scan.delays,
    series: scan.orders.map((order, row) => ({ label: `m = ${order}`, values: scan.values[row]! })),
    title: `Cell (${x}, ${y})`,
    ...cellSubtitle(maps, cell, options),
    ...(options.note !== undefined && { note: options.note }),
    ...(options.marks !== undefined && { marks: options.marks }),
    ...(options.intervalSeconds !== undefined && { sampleInterval: { value: options.intervalSeconds, unit: "s" } }),
    yAxis: { label: MEASURE_LABELS[measure] },
  });
}

/** One cell of all maps of a measure: values[order][delay], NaN where there is no such map. */
export function readScan(
  maps: Maps,
  cell: number,
  measure: Measure,
): { delays: number[]; orders: number[]; values: Float64Array[] } {
  const infos = maps.maps.filter((info) => info.measure === measure);
  const delays = distinct(infos.map(({ delay }) => delay));
  const orders = distinct(infos.map(({ order }) => order));
  const names = new Set(infos.map(({ name }) => name));
  const valueOf = (key: MapKey): number => (names.has(mapName(key)) ? maps.values(mapName(key))[cell]! : NaN);
  const values = orders.map((order) => Float64Array.from(delays, (delay) => valueOf({ order, delay, measure })));
  return { delays, orders, values };
}

function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

function findMap(maps: Maps, name: string): MapInfo {
  const info = maps.maps.find((map) => map.name === name);
  if (info !== undefined) return info;
  const known = maps.maps.map((map) => map.name);
  const has = known.length === 0 ? "no maps" : knownNames(name, known);
  throw new PeError("PE_PARAMETER", `Cannot find map "${name}": the file has ${has}`);
}

function look({ colours, note }: FigureOptions): { colours?: ColourTable; note?: string } {
  return { ...(colours !== undefined && { colours }), ...(note !== undefined && { note }) };
}

/** Axes in physical units where the file tells them. */
function axes(maps: Maps, options: FigureOptions): { xAxis: MapAxis; yAxis: MapAxis } {
  const coordinates = maps.coordinates();
  const { xSize, ySize } = maps;
  const alongX = coordinates && positionsAlong(xSize, ySize, (x, y) => coordinates.x[x * ySize + y]!);
  const alongY = coordinates && positionsAlong(ySize, xSize, (y, x) => coordinates.y[x * ySize + y]!);
  return { xAxis: axis("x", options.xLabel, alongX), yAxis: axis("y", options.yLabel, alongY) };
}

function axis(name: "x" | "y", label: string | undefined, values: Float64Array | undefined): MapAxis {
  const known = values?.some((value) => Number.isFinite(value)) === true;
  const { text, unit } = splitUnit(label ?? (known ? `${name} variable` : `${name} index`));
  return { label: text, ...(unit !== undefined && { unit }), ...(known && { values }) };
}

/** `Pump current (mA)` is a label and a unit. */
function splitUnit(label: string): { text: string; unit: string | undefined } {
  const match = /^(.*\S)\s*\(([^()]+)\)\s*$/.exec(label);
  return { text: match?.[1] ?? label, unit: match?.[2] };
}

/**
 * Position of each row or column: the mean of what its cells say, NaN where none says anything. Undefined where cells of
 * one row lie further apart than half the way to the next row: then the axis has no positions of its own.
 */
function positionsAlong(
  size: number,
  across: number,
  at: (along: number, across: number) => number,
): Float64Array | undefined {
  const positions = new Float64Array(size).fill(NaN);
  let spread = 0;
  for (let along = 0; along < size; along++) {
    const known = Array.from({ length: across }, (_, place) => at(along, place)).filter(Number.isFinite);
    if (known.length === 0) continue;
    positions[along] = known.reduce((sum, value) => sum + value, 0) / known.length;
    spread = Math.max(spread, Math.max(...known) - Math.min(...known));
  }
  const known = positions.filter(Number.isFinite);
  const step = (Math.max(...known) - Math.min(...known)) / Math.max(1, known.length - 1);
  return spread > step / 2 ? undefined : positions;
}

function cellSubtitle(
  maps: Maps,
  { x, y }: { x: number; y: number },
  { xLabel, yLabel }: FigureOptions,
): { subtitle?: string } {
  const coordinates = maps.coordinates();
  const cell = x * maps.ySize + y;
  const [xValue, yValue] = [coordinates?.x[cell] ?? NaN, coordinates?.y[cell] ?? NaN];
  if (!Number.isFinite(xValue) || !Number.isFinite(yValue)) return {};
  const say = (label: string, value: number): string => {
    const { text, unit } = splitUnit(label);
    return `${text} ${Number(value.toPrecision(4))}${unit === undefined ? "" : ` ${unit}`}`;
  };
  return { subtitle: `${say(xLabel ?? "x variable", xValue)}, ${say(yLabel ?? "y variable", yValue)}` };
}

function delayText(delay: number, { intervalSeconds }: FigureOptions): string {
  return intervalSeconds === undefined ? String(delay) : `${delay} (${timeText(delay * intervalSeconds)})`;
}

function timeText(seconds: number): string {
  return formatQuantity(seconds, "s");
}
