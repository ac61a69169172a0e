/** Marks of a delay scan: dashed lines down the plot, named in a strip above the scale, clear of the data. */
import type { Area } from "./axis.ts";
import { element, INK, textLine } from "./svg.ts";
import { TEXT, textWidth } from "./text.ts";

export interface ScanMark {
  /** In samples. */
  readonly delay: number;
  /** `round trip`. */
  readonly label: string;
}

/** A mark with its place in the plot area. */
export interface PlacedMark {
  readonly label: string;
  /** Of the line, from the left edge of the plot area. */
  readonly x: number;
  /** Left end of the label, from the same edge. */
  readonly labelX: number;
  readonly labelWidth: number;
  /** 0 is the topmost row of labels. */
  readonly row: number;
}

const ROW_HEIGHT = 15;
const STRIP_PADDING = 5;
const LABEL_SPACE = 8;
const EDGE = 4;

/** Gives each label the first row where it touches no other. Marks outside of the plot are left out. */
export function placeMarks(marks: readonly ScanMark[], scale: (delay: number) => number, width: number): PlacedMark[] {
  const rowEnds: number[] = [];
  return [...marks]
    .sort((a, b) => a.delay - b.delay)
    .map(({ delay, label }) => ({ label, x: scale(delay), labelWidth: textWidth(label, TEXT.note) }))
    .filter(({ x }) => x >= 0 && x <= width)
    .map((mark) => {
      const centred = mark.x - mark.labelWidth / 2;
      const labelX = Math.max(EDGE, Math.min(width - EDGE - mark.labelWidth, centred));
      const free = rowEnds.findIndex((end) => end + LABEL_SPACE <= labelX);
      const row = free < 0 ? rowEnds.length : free;
      rowEnds[row] = labelX + mark.labelWidth;
      return Object.assign(mark, { labelX, row });
    });
}

/** Height of the strip the labels need. */
export function marksHeight(marks: readonly PlacedMark[]): number {
  const rows = marks.reduce((most, { row }) => Math.max(most, row + 1), 0);
  return rows === 0 ? 0 : rows * ROW_HEIGHT + STRIP_PADDING;
}

/** Lines first, then labels on white ground: where a line passes another row's label, the label stays readable. */
export function drawMarks(marks: readonly PlacedMark[], area: Area): string[] {
  const baseline = (row: number): number => area.y + row * ROW_HEIGHT + ROW_HEIGHT - 1;
  const lines = marks.map(({ x, row }) =>
    element("line", {
      x1: area.x + x,
      y1: baseline(row) + 4,
      x2: area.x + x,
      y2: area.y + area.height,
      stroke: INK.mark,
      "stroke-width": 0.75,
      "stroke-dasharray": "3 2.5",
    }),
  );
  const labels = marks.flatMap(({ label, labelX, labelWidth, row }) => {
    const [x, y] = [area.x + labelX, baseline(row)];
    const ground = { x: x - 2, y: y - TEXT.note + 1, width: labelWidth + 4, height: TEXT.note + 2, fill: "#ffffff" };
    return [element("rect", ground), textLine(label, x, y, { size: TEXT.note, fill: INK.quiet })];
  });
  return [...lines, ...labels];
}
