/** Drawing axes: ticks, labels and titles around a plot area, and the room they take. */
import type { Tick, TickRoom } from "./grid-axis.ts";
import { LINE_HEIGHT, TEXT, textWidth, widestOf, wrapText } from "./text.ts";
import { element, INK, pathData, textLine, textLines } from "./svg.ts";

/** A rectangle of the figure in pixels; y runs downwards. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type Side = "bottom" | "left" | "top";

/** Ticks and title of one side of the plot area. */
export interface SideAxis {
  readonly side: Side;
  readonly ticks: readonly Tick[];
  readonly title: string;
  /** Font size of the tick labels. */
  readonly tickSize?: number;
}

const TICK_LENGTH = 5;
const LABEL_GAP = 4;
const TITLE_GAP = 7;
/** Least room between labels of neighbouring ticks, in units of the font size. */
const SEPARATION = { across: 0.9, along: 0.7 } as const;
/** Height of capitals and digits, in units of the font size. */
export const CAP_HEIGHT = 0.7;

/** Room for labels side by side on a horizontal axis. */
export function roomAcross(length: number, size: number = TEXT.tick): TickRoom {
  const widthOf = (tick: Tick): number => textWidth(tick.label, size);
  return { length, fits: (ticks) => hasRoom(ticks, length, size * SEPARATION.across, widthOf) };
}

/** Room for labels one above the other on a vertical axis. */
export function roomAlong(length: number, size: number = TEXT.tick): TickRoom {
  const height = size * CAP_HEIGHT;
  return { length, fits: (ticks) => hasRoom(ticks, length, size * SEPARATION.along, () => height) };
}

function hasRoom(ticks: readonly Tick[], length: number, gap: number, extent: (tick: Tick) => number): boolean {
  const sorted = [...ticks].sort((a, b) => a.position - b.position);
  return sorted.every((tick, index) => {
    const before = sorted[index - 1];
    if (before === undefined) return true;
    return (tick.position - before.position) * length >= (extent(tick) + extent(before)) / 2 + gap;
  });
}

/** Lines of an axis title, broken to the length of its axis. */
function titleLines({ title }: SideAxis, length: number): string[] {
  return wrapText(title, Math.max(length, 120), TEXT.label);
}

/** Pixels the axis takes outside of the plot area, whose side is `length` pixels long. */
export function axisRoom(axis: SideAxis, length: number): number {
  const size = axis.tickSize ?? TEXT.tick;
  const labels = axis.ticks.map((tick) => tick.label);
  const labelExtent =
    axis.side === "left"
      ? widestOf(labels, size)
      : labels.length === 0
        ? 0
        : size * (axis.side === "top" ? CAP_HEIGHT : 1);
  const lines = titleLines(axis, length).length;
  const titleExtent = lines === 0 ? 0 : TITLE_GAP + lines * TEXT.label * LINE_HEIGHT;
  return TICK_LENGTH + LABEL_GAP + labelExtent + titleExtent;
}

/** The axis as markup: one path of ticks, the labels, the title centred on its side. */
export function drawAxis(axis: SideAxis, area: Area): string[] {
  const size = axis.tickSize ?? TEXT.tick;
  const drawn = axis.ticks.map((tick) => drawTick(tick, axis.side, area, size));
  const ticks = element("path", { d: drawn.map(({ path }) => path).join(""), stroke: INK.axis, "stroke-width": 1 });
  const labels = drawn.map(({ label }) => label);
  return [...(drawn.length === 0 ? [] : [ticks]), ...labels, ...drawTitle(axis, area)];
}

function drawTick({ position, label }: Tick, side: Side, area: Area, size: number): { path: string; label: string } {
  if (side === "left") {
    const y = area.y + area.height * (1 - position);
    const path = pathData([
      { x: area.x - TICK_LENGTH, y },
      { x: area.x, y },
    ]);
    const x = area.x - TICK_LENGTH - LABEL_GAP;
    return { path, label: textLine(label, x, y + (size * CAP_HEIGHT) / 2, { size, anchor: "end" }) };
  }
  const x = area.x + area.width * position;
  const [edge, outwards] = side === "bottom" ? [area.y + area.height, 1] : [area.y, -1];
  const path = pathData([
    { x, y: edge },
    { x, y: edge + outwards * TICK_LENGTH },
  ]);
  const baseline = edge + outwards * (TICK_LENGTH + LABEL_GAP) + (side === "bottom" ? size * CAP_HEIGHT + 1 : 0);
  return { path, label: textLine(label, x, baseline, { size, anchor: "middle" }) };
}

function drawTitle(axis: SideAxis, area: Area): string[] {
  const style = { size: TEXT.label, anchor: "middle" } as const;
  const length = axis.side === "left" ? area.height : area.width;
  const room = axisRoom(axis, length);
  const lines = titleLines(axis, length);
  const ascent = TEXT.label * 0.8;
  if (axis.side === "left") {
    return textLines(lines, area.x - room + ascent, area.y + length / 2, { ...style, rotate: -90 });
  }
  const lower = area.y + area.height + room - lines.length * TEXT.label * LINE_HEIGHT;
  const top = axis.side === "bottom" ? lower : area.y - room;
  return textLines(lines, area.x + length / 2, top + ascent, style);
}

/** The frame around a plot area. */
export function drawFrame({ x, y, width, height }: Area): string {
  return element("rect", { x, y, width, height, fill: "none", stroke: INK.axis, "stroke-width": 1 });
}
