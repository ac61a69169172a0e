/** The figure of a delay scan: a measure against the delay at one grid point, one line for each order. */
import { axisRoom, drawAxis, drawFrame, roomAcross, roomAlong } from "./axis.ts";
import type { Area, SideAxis } from "./axis.ts";
import { PeError } from "../common/errors.ts";
import { axisTitle, fullest } from "./grid-axis.ts";
import { headingBlock, notesBlock, PADDING } from "./heading.ts";
import { drawLine, drawMarker, lineStyle } from "./marker.ts";
import { axisUnit, engineeringUnit, tickLabels } from "./number.ts";
import { linearScale, roundTicks } from "./scale.ts";
import { drawMarks, marksHeight, placeMarks } from "./scan-marks.ts";
import type { ScanMark } from "./scan-marks.ts";
import { spread } from "./spread.ts";
import { element, INK, svgDocument, textLine } from "./svg.ts";
import type { Point } from "./svg.ts";
import { TEXT, widestOf } from "./text.ts";

export interface ScanSeries {
  /** `m = 5`. */
  readonly label: string;
  /** One value for each delay, NaN where there is none. */
  readonly values: Float64Array;
}

export interface ScanFigure {
  /** In samples, each once, in any order. */
  readonly delays: readonly number[];
  readonly series: readonly ScanSeries[];
  /** Time from one sample to the next; gives the figure a second axis, in units of time. */
  readonly sampleInterval?: { readonly value: number; readonly unit: string };
  readonly title: string;
  readonly subtitle?: string;
  /** Delays to point out, such as the round trip of the external cavity. */
  readonly marks?: readonly ScanMark[];
  readonly xAxis?: { readonly label: string; readonly unit?: string };
  readonly yAxis?: { readonly label: string; readonly unit?: string };
  readonly note?: string;
}

const PLOT = { width: 520, height: 290 } as const;
const LABEL_GAP = 15;
const LEADER = 14;
const SAMPLE = 18;
/** Up to here every delay has its marker. */
const MARKERS_MAX = 40;

/**
 * Draws a delay scan: every series against the delay, its name beside its right end.
 *
 * Lines join neighbouring delays only (5 and 6, not 5 and 22): a dip is often a single delay wide, so nothing is
 * claimed about delays that were not computed. A delay without neighbours stands as a marker.
 *
 * @returns SVG, the same bytes for the same figure.
 * @throws {PeError} `PE_PARAMETER` when there is no delay or series, a delay is not finite or comes twice, or a series
 *   has another length.
 * @example
 * renderScan({ delays: [1, 2, 3], series: [{ label: "m = 5", values: Float64Array.of(0.9, 0.8, 0.85) }],
 *   sampleInterval: { value: 50, unit: "ps" }, title: "Delay scan at x 10, y 12" });
 */
export function renderScan(figure: ScanFigure): string {
  checkScan(figure);
  const order = figure.delays.map((_, index) => index).sort((a, b) => figure.delays[a]! - figure.delays[b]!);
  const delays = order.map((index) => figure.delays[index]!);
  const series = figure.series.map(({ label, values }) => ({
    label: values.some((value) => Number.isFinite(value)) ? label : `${label} (no value)`,
    values: order.map((index) => values[index]!),
  }));
  const [xDomain, yDomain] = [delayDomain(delays), valueDomain(series.flatMap(({ values }) => values))];
  const marks = placeMarks(figure.marks ?? [], linearScale(xDomain, [0, PLOT.width]), PLOT.width);
  const strip = marksHeight(marks);
  const height = PLOT.height + strip;
  const bottom = delayAxis(figure, xDomain);
  const left = valueAxis(figure, yDomain, PLOT.height / height);
  const top = timeAxis(figure, xDomain);

  const x = PADDING + axisRoom(left, height);
  const labelRoom =
    LEADER +
    SAMPLE +
    6 +
    widestOf(
      series.map(({ label }) => label),
      TEXT.tick,
    );
  const width = x + PLOT.width + 4 + labelRoom + PADDING;
  const heading = headingBlock(figure, width - x - PADDING);
  const topRoom = top === undefined ? 0 : axisRoom(top, PLOT.width);
  const area: Area = { x, y: PADDING + heading.height + topRoom, width: PLOT.width, height };
  const xOf = linearScale(xDomain, [area.x, area.x + area.width]);
  const yOf = linearScale(yDomain, [area.y + area.height, area.y + strip]);
  const lines = series.map(({ label, values }) => ({ label, points: pointsOf(delays, values, xOf, yOf) }));
  const axisBottom = area.y + area.height + axisRoom(bottom, PLOT.width);
  const notes = notesBlock(figure.note === undefined ? [] : [figure.note], width - x - PADDING);
  return svgDocument({ width, height: axisBottom + notes.height + PADDING }, figure.title, [
    ...heading.draw(x, PADDING),
    ...drawMarks(marks, area),
    ...lines.flatMap(({ points }, index) => drawSeries(delays, points, index)),
    drawFrame(area),
    ...[left, bottom, ...(top === undefined ? [] : [top])].flatMap((axis) => drawAxis(axis, area)),
    ...drawLabels(lines, area),
    ...notes.draw(x, axisBottom),
  ]);
}

function checkScan({ delays, series }: ScanFigure): void {
  if (delays.length === 0) refuseScan("there is no delay");
  if (series.length === 0) refuseScan("there is no series");
  if (!delays.every((delay) => Number.isFinite(delay))) refuseScan("a delay is not a finite number");
  if (new Set(delays).size !== delays.length) refuseScan("a delay comes twice");
  for (const { label, values } of series) {
    if (values.length !== delays.length)
      refuseScan(`"${label}" has ${values.length} values for ${delays.length} delays`);
  }
}

function refuseScan(reason: string): never {
  throw new PeError("PE_PARAMETER", `Cannot draw delay scan: ${reason}`);
}

function delayDomain(delays: readonly number[]): [number, number] {
  const [low, high] = [delays[0]!, delays.at(-1)!];
  const margin = Math.max(0.5, (high - low) * 0.02);
  return [low - margin, high + margin];
}

function valueDomain(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return [0, 1];
  const magnitude = Math.max(Math.abs(low), Math.abs(high));
  const margin = high - low > 1e-9 * magnitude ? (high - low) * 0.05 : magnitude * 0.1 || 0.5;
  return [low - margin, high + margin];
}

function delayAxis({ xAxis }: ScanFigure, domain: [number, number]): SideAxis {
  const scale = linearScale(domain, [0, 1]);
  const { label, unit } = xAxis ?? { label: "Delay", unit: "samples" };
  const ticks = fullest(10, roomAcross(PLOT.width), (count) => {
    const values = roundTicks(domain, count).filter((tick) => Number.isInteger(tick));
    return values.map((value) => ({ position: scale(value), label: tickLabels([value])[0]! }));
  });
  return { side: "bottom", ticks, title: axisTitle(label, { unit: unit ?? "" }) };
}

/** `share` of the side is the scale; the rest, above it, belongs to the marks. */
function valueAxis({ yAxis }: ScanFigure, domain: [number, number], share: number): SideAxis {
  const { label, unit } = yAxis ?? { label: "Permutation entropy" };
  const readable = axisUnit(Math.max(Math.abs(domain[0]), Math.abs(domain[1])), unit ?? "");
  const scaled: [number, number] = [domain[0] / readable.divisor, domain[1] / readable.divisor];
  const scale = linearScale(scaled, [0, share]);
  const ticks = fullest(8, roomAlong(PLOT.height), (count) => {
    const values = roundTicks(scaled, count);
    const labels = tickLabels(values);
    return values.map((value, index) => ({ position: scale(value), label: labels[index]! }));
  });
  return { side: "left", ticks, title: axisTitle(label, readable) };
}

function timeAxis({ sampleInterval, xAxis }: ScanFigure, domain: [number, number]): SideAxis | undefined {
  if (sampleInterval === undefined || !(sampleInterval.value > 0)) return undefined;
  const longest = Math.max(Math.abs(domain[0]), Math.abs(domain[1])) * sampleInterval.value;
  const { divisor, unit } = engineeringUnit(longest, sampleInterval.unit);
  const times: [number, number] = [
    (domain[0] * sampleInterval.value) / divisor,
    (domain[1] * sampleInterval.value) / divisor,
  ];
  const scale = linearScale(times, [0, 1]);
  const ticks = fullest(10, roomAcross(PLOT.width), (count) => {
    const values = roundTicks(times, count);
    const labels = tickLabels(values);
    return values.map((value, index) => ({ position: scale(value), label: labels[index]! }));
  });
  return { side: "top", ticks, title: axisTitle(xAxis?.label ?? "Delay", { unit }) };
}

type MaybePoint = Point | undefined;

function pointsOf(
  delays: readonly number[],
  values: readonly number[],
  xOf: (delay: number) => number,
  yOf: (value: number) => number,
): MaybePoint[] {
  return delays.map((delay, index) => {
    const value = values[index]!;
    return Number.isFinite(value) ? { x: xOf(delay), y: yOf(value) } : undefined;
  });
}

function isNext(before: number, delay: number): boolean {
  return delay - before === 1;
}

/** Lines through runs of neighbouring delays; markers where there are few delays, and where a point stands alone. */
function drawSeries(delays: readonly number[], points: readonly MaybePoint[], index: number): string[] {
  const runs: Point[][] = [];
  points.forEach((point, at) => {
    if (point === undefined) return;
    const joined = at > 0 && points[at - 1] !== undefined && isNext(delays[at - 1]!, delays[at]!);
    if (joined) runs.at(-1)!.push(point);
    else runs.push([point]);
  });
  const style = lineStyle(index);
  const lines = runs.filter((run) => run.length > 1).map((run) => drawLine(run, style));
  const marked = delays.length <= MARKERS_MAX ? runs.flat() : runs.filter((run) => run.length === 1).flat();
  return [...lines, ...marked.map((point) => drawMarker(point, style))];
}

/** Names at the right, in the order of the line ends, joined to them by thin lines. */
function drawLabels(lines: readonly { label: string; points: readonly MaybePoint[] }[], area: Area): string[] {
  const ends = lines.map(({ label, points }, index) => {
    const last = points.findLast((point) => point !== undefined);
    return { label, index, end: last?.y };
  });
  const floor = area.y + area.height;
  const sorted = ends.sort((a, b) => (a.end ?? floor) - (b.end ?? floor));
  const places = spread(
    sorted.map(({ end }) => end ?? floor),
    LABEL_GAP,
    [area.y + 6, floor - 2],
  );
  const right = area.x + area.width + 4;
  return sorted.flatMap(({ label, index, end }, at) => {
    const y = places[at]!;
    const style = lineStyle(index);
    const leader = end === undefined ? [] : [leaderLine(right, end, y)];
    const sample = { x: right + LEADER, y };
    return leader.concat(
      drawLine([sample, { x: sample.x + SAMPLE, y }], style),
      drawMarker({ x: sample.x + SAMPLE / 2, y }, style),
      textLine(label, sample.x + SAMPLE + 6, y + TEXT.tick * 0.35, { size: TEXT.tick }),
    );
  });
}

function leaderLine(x: number, from: number, to: number): string {
  const [x1, x2] = [x, x + LEADER - 2];
  return element("line", { x1, y1: from, x2, y2: to, stroke: INK.mark, "stroke-width": 0.75 });
}
