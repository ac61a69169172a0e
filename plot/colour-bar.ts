/** The colour bar: which value a colour stands for. */
import type { Area } from "./axis.ts";
import { roomAlong } from "./axis.ts";
import { barPng, pixels } from "./cells.ts";
import type { Census, ColourRange } from "./cells.ts";
import type { ColourTable } from "./colours.ts";
import { COLOUR_COUNT, palette, paletteColour } from "./colours.ts";
import { PeError } from "../common/errors.ts";
import { axisTitle, fullest } from "./grid-axis.ts";
import type { Tick } from "./grid-axis.ts";
import { axisUnit, significant, tickLabels } from "./number.ts";
import { linearScale, roundTicks } from "./scale.ts";
import { element, INK, pathData, textLine, textLines } from "./svg.ts";
import { LINE_HEIGHT, TEXT, widestOf, wrapText } from "./text.ts";

/** What the colours mean. */
export interface ColourBar {
  /** `Permutation entropy`. */
  readonly label: string;
  /** What the lowest colour stands for; the least finite value where absent. */
  readonly min?: number;
  /** What the highest colour stands for; the greatest finite value where absent. */
  readonly max?: number;
}

/** A colour bar ready to be measured and drawn. */
export interface Bar {
  readonly colours: Uint8Array;
  readonly range: ColourRange;
  readonly title: string;
  readonly divisor: number;
  /** Values lie below or above the range: that end of the bar is pointed. */
  readonly below: boolean;
  readonly above: boolean;
}

/** Values closer together than this, relative to their size, count as equal. */
const EQUAL = 1e-12;

/**
 * The bar for values counted before; `undefined` when there are none and no range was given.
 *
 * @throws {PeError} `PE_PARAMETER` when the range is empty or not finite.
 */
export function makeBar({ label, min, max }: ColourBar, { range: found }: Census, table: ColourTable): Bar | undefined {
  for (const end of [min, max]) {
    if (end !== undefined && !Number.isFinite(end)) {
      throw new PeError("PE_PARAMETER", `Cannot draw colour bar: its end ${end} is not a finite number`);
    }
  }
  if (min !== undefined && max !== undefined && min > max) {
    throw new PeError("PE_PARAMETER", `Cannot draw colour bar: its minimum ${min} is above its maximum ${max}`);
  }
  const low = min ?? found?.min ?? max;
  const high = max ?? found?.max ?? min;
  if (low === undefined || high === undefined) return undefined;
  const magnitude = Math.max(Math.abs(low), Math.abs(high));
  const range = high - low <= EQUAL * magnitude ? { min: low, max: low } : { min: low, max: high };
  const unit = axisUnit(magnitude, "");
  return {
    range,
    colours: palette(table),
    title: axisTitle(label, unit),
    divisor: unit.divisor,
    below: found !== undefined && found.min < range.min,
    above: found !== undefined && found.max > range.max && range.max > range.min,
  };
}

const BAR_WIDTH = 16;
const TICK_LENGTH = 4;
const LABEL_GAP = 4;
const TITLE_GAP = 8;
const POINT_HEIGHT = 9;

function barTicks({ range, divisor }: Bar, height: number): Tick[] {
  if (range.max === range.min) return [{ position: 0.5, label: significant(range.min / divisor) }];
  const domain: [number, number] = [range.min / divisor, range.max / divisor];
  const scale = linearScale(domain, [0, 1]);
  return fullest(8, roomAlong(height), (count) => {
    const values = roundTicks(domain, count);
    const labels = tickLabels(values);
    return values.map((value, index) => ({ position: scale(value), label: labels[index]! }));
  });
}

function bodyHeight(bar: Bar, height: number): number {
  return height - (bar.below ? POINT_HEIGHT : 0) - (bar.above ? POINT_HEIGHT : 0);
}

/** Pixels from the left edge of the bar to the right end of its title. */
export function barRoom(bar: Bar, height: number): number {
  const labels = barTicks(bar, bodyHeight(bar, height)).map((tick) => tick.label);
  const lines = wrapText(bar.title, height, TEXT.label).length;
  const title = TITLE_GAP + lines * TEXT.label * LINE_HEIGHT;
  return BAR_WIDTH + TICK_LENGTH + LABEL_GAP + widestOf(labels, TEXT.tick) + title;
}

/** The bar at (x, y), `height` pixels tall, its ticks and its title on the right. */
export function drawBar(bar: Bar, x: number, y: number, height: number): string[] {
  const body: Area = { x, y: y + (bar.above ? POINT_HEIGHT : 0), width: BAR_WIDTH, height: bodyHeight(bar, height) };
  const ticks = barTicks(bar, body.height);
  const right = x + BAR_WIDTH;
  const heightOf = (tick: Tick): number => body.y + body.height * (1 - tick.position);
  const strokes = ticks.map((tick) => [
    { x: right, y: heightOf(tick) },
    { x: right + TICK_LENGTH, y: heightOf(tick) },
  ]);
  const labels = ticks.map((tick) =>
    textLine(tick.label, right + TICK_LENGTH + LABEL_GAP, heightOf(tick) + TEXT.tick * 0.35, { size: TEXT.tick }),
  );
  const lines = wrapText(bar.title, height, TEXT.label);
  const titleX = x + barRoom(bar, height) - (lines.length - 1) * TEXT.label * LINE_HEIGHT - TEXT.label * 0.3;
  return [
    ...fillBar(bar, body),
    element("path", { d: strokes.map(pathData).join(""), stroke: INK.axis, "stroke-width": 1 }),
    ...labels,
    ...textLines(lines, titleX, y + height / 2, { size: TEXT.label, anchor: "middle", rotate: -90 }),
  ];
}

/** Colours and outline; equal values make a bar of one colour. */
function fillBar(bar: Bar, body: Area): string[] {
  const { x, y, width, height } = body;
  const middle = x + width / 2;
  const [top, bottom] = [y, y + height];
  const peak = bar.above ? [{ x: middle, y: top - POINT_HEIGHT }] : [];
  const foot = bar.below ? [{ x: middle, y: bottom + POINT_HEIGHT }] : [];
  const [topLeft, topRight] = [
    { x, y: top },
    { x: x + width, y: top },
  ];
  const [bottomLeft, bottomRight] = [
    { x, y: bottom },
    { x: x + width, y: bottom },
  ];
  const outline = [topLeft, ...peak, topRight, bottomRight, ...foot, bottomLeft];
  const one = paletteColour(bar.colours, 1 + (COLOUR_COUNT - 1) / 2);
  const fill =
    bar.range.max === bar.range.min
      ? element("rect", { x, y, width, height, fill: one })
      : pixels(barPng(bar.colours), body);
  const points = [
    { corners: bar.above ? [topLeft, ...peak, topRight] : [], index: COLOUR_COUNT },
    { corners: bar.below ? [bottomLeft, ...foot, bottomRight] : [], index: 1 },
  ].filter(({ corners }) => corners.length > 0);
  return [
    fill,
    ...points.map(({ corners, index }) =>
      element("path", { d: `${pathData(corners)}Z`, fill: paletteColour(bar.colours, index) }),
    ),
    element("path", { d: `${pathData(outline)}Z`, fill: "none", stroke: INK.axis, "stroke-width": 1 }),
  ];
}
