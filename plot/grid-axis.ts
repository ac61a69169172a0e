/**
 * The axis of a grid: where the cells of a map lie, and which physical values are written beside them.
 *
 * Cells always have equal widths. Where the physical values are evenly spaced that is a plain axis. Where they are not
 * (a logarithmic sweep, a refined region), true widths would squeeze many cells into a line while one cell takes half
 * of the picture; so the cells stay equal and the ticks move: each stands where its value lies by interpolation
 * between the cell centres. Where no value is known the axis counts cells, and says so.
 */
import { decimalsOf, fixed, axisUnit, significant, tickLabels } from "./number.ts";
import type { ReadableUnit } from "./number.ts";
import { roundTicks } from "./scale.ts";

/** One axis of a map. */
export interface MapAxis {
  /** What is swept: `Pump current`. */
  readonly label: string;
  /** Of `values`: `mA`. */
  readonly unit?: string;
  /** Physical value of each cell along the axis; NaN where unknown. Absent: the axis counts cells. */
  readonly values?: Float64Array;
}

export interface Tick {
  /** Along the axis, from 0 (start of the first cell) to 1 (end of the last). */
  readonly position: number;
  readonly label: string;
}

export interface AxisTicks {
  readonly ticks: readonly Tick[];
  /** With the unit as the tick labels use it: `Pump current (mA)`. */
  readonly title: string;
}

/** The room there is for ticks. */
export interface TickRoom {
  /** Of the axis in pixels. */
  readonly length: number;
  /** True when no label touches its neighbour. */
  readonly fits: (ticks: readonly Tick[]) => boolean;
}

/** How far a cell centre may lie from an evenly spaced one, in cells, before the axis counts as uneven. */
const UNEVEN_MIN = 0.1;
/** Up to here every cell may have its own tick. */
const CELLS_LABELLED_MAX = 8;
/** Ticks asked for on a long axis; round steps give up to half as many again. */
const TICKS_WANTED_MAX = 8;
/** Pixels of axis for each of them. */
const PIXELS_PER_TICK = 36;

function ticksWanted(length: number): number {
  return Math.max(3, Math.min(TICKS_WANTED_MAX, Math.round(length / PIXELS_PER_TICK)));
}

/** Ticks of an axis of `size` cells: the fullest set that has room. */
export function gridTicks(axis: MapAxis, size: number, room: TickRoom): AxisTicks {
  const known = knownCells(axis.values, size);
  if (known.length === 0) {
    const title = axis.values === undefined && axis.unit === undefined ? axis.label : `${axis.label} (cell index)`;
    return { title, ticks: indexTicks(size, room) };
  }
  const magnitude = known.reduce((greatest, cell) => Math.max(greatest, Math.abs(cell.value)), 0);
  const unit = axisUnit(magnitude, axis.unit ?? "");
  const cells = known.map(({ index, value }) => ({ index, value: value / unit.divisor }));
  return { title: axisTitle(axis.label, unit), ticks: valueTicks(cells, size, room) };
}

/** `Pump current (mA)`; without a unit the label alone. */
export function axisTitle(label: string, { unit }: Pick<ReadableUnit, "unit">): string {
  return unit === "" ? label : `${label} (${unit})`;
}

interface Cell {
  readonly index: number;
  readonly value: number;
}

function knownCells(values: Float64Array | undefined, size: number): Cell[] {
  const cells: Cell[] = [];
  for (let index = 0; index < Math.min(size, values?.length ?? 0); index += 1) {
    const value = values![index]!;
    if (Number.isFinite(value)) cells.push({ index, value });
  }
  return cells;
}

function centre(index: number, size: number): number {
  return (index + 0.5) / size;
}

function indexTicks(size: number, room: TickRoom): Tick[] {
  const at = (index: number): Tick => ({ position: centre(index, size), label: String(index) });
  return fullest(ticksWanted(room.length), room, (count) =>
    roundTicks([0, size - 1], count)
      .filter((tick) => Number.isInteger(tick))
      .map(at),
  );
}

function valueTicks(cells: readonly Cell[], size: number, room: TickRoom): Tick[] {
  const labelled = size <= CELLS_LABELLED_MAX ? cellTicks(cells, size) : undefined;
  if (labelled !== undefined && room.fits(labelled)) return labelled;
  const line = straightLine(cells);
  if (line !== undefined) return evenTicks(line, size, room);
  return isMonotone(cells) ? unevenTicks(cells, size, room) : sampledTicks(cells, size, room);
}

/** One tick a cell, where few decimals say the values exactly. */
function cellTicks(cells: readonly Cell[], size: number): Tick[] | undefined {
  const magnitude = Math.max(...cells.map(({ value }) => Math.abs(value)));
  for (let decimals = 0; decimals <= 4; decimals += 1) {
    const scale = 10 ** decimals;
    if (cells.some(({ value }) => Math.abs(Math.round(value * scale) / scale - value) > 1e-9 * magnitude)) continue;
    return cells.map(({ index, value }) => ({ position: centre(index, size), label: fixed(value, decimals) }));
  }
  return undefined;
}

interface Line {
  /** Value at the centre of cell 0. */
  readonly start: number;
  /** From one cell to the next; negative on a falling axis. */
  readonly step: number;
}

/** The least-squares line through the cells, if all of them lie near it. */
function straightLine(cells: readonly Cell[]): Line | undefined {
  if (cells.length < 2) return undefined;
  const meanIndex = cells.reduce((sum, { index }) => sum + index, 0) / cells.length;
  const meanValue = cells.reduce((sum, { value }) => sum + value, 0) / cells.length;
  let [covariance, variance] = [0, 0];
  for (const { index, value } of cells) {
    covariance += (index - meanIndex) * (value - meanValue);
    variance += (index - meanIndex) ** 2;
  }
  const step = covariance / variance;
  const start = meanValue - step * meanIndex;
  const even = cells.every(({ index, value }) => Math.abs(start + step * index - value) <= UNEVEN_MIN * Math.abs(step));
  return even && step !== 0 ? { start, step } : undefined;
}

function evenTicks({ start, step }: Line, size: number, room: TickRoom): Tick[] {
  const domain: [number, number] = [start - step / 2, start + step * (size - 0.5)];
  return fullest(ticksWanted(room.length), room, (count) => {
    const values = roundTicks(domain, count);
    const labels = tickLabels(values);
    return values.map((value, index) => ({
      position: centre((value - start) / step, size),
      label: labels[index]!,
    }));
  });
}

function isMonotone(cells: readonly Cell[]): boolean {
  if (cells.length < 2) return false;
  const rising = cells[1]!.value > cells[0]!.value;
  return (
    cells.every((cell, at) => at === 0 || cell.value > cells[at - 1]!.value === rising) &&
    cells[1]!.value !== cells[0]!.value
  );
}

/**
 * Round values wherever they lie between cell centres, the rounder ones first, as many as have room: on a logarithmic
 * sweep that gives 1, 2, 5, 10 ..., on a refined one the ticks stand closer where the sweep is finer.
 */
function unevenTicks(cells: readonly Cell[], size: number, room: TickRoom): Tick[] {
  const [low, high] = [Math.min(cells[0]!.value, cells.at(-1)!.value), Math.max(cells[0]!.value, cells.at(-1)!.value)];
  let chosen: Tick[] = [];
  for (const candidates of roundness(low, high)) {
    for (const { value, label } of candidates) {
      const widened = [...chosen, { position: interpolate(cells, value, size), label }];
      widened.sort((a, b) => a.position - b.position);
      if (widened.length <= ticksWanted(room.length) && room.fits(widened)) chosen = widened;
    }
  }
  return chosen.length >= 2 ? chosen : sampledTicks(cells, size, room);
}

interface Candidate {
  readonly value: number;
  readonly label: string;
}

/** Groups of round values in [low, high]: 0 and powers of ten, 1-2-5 values, then ever finer even steps. */
function roundness(low: number, high: number): Candidate[][] {
  const greatest = Math.max(Math.abs(low), Math.abs(high));
  const decades: number[] = [];
  const halves: number[] = [];
  const top = Math.ceil(Math.log10(greatest));
  for (let exponent = top; exponent > top - 5; exponent -= 1) {
    const power = exponent < 0 ? 1 / 10 ** -exponent : 10 ** exponent;
    decades.push(power, -power);
    halves.push(2 * power, 5 * power, -2 * power, -5 * power);
  }
  const groups = [[0, ...decades], halves, roundTicks([low, high], 4), roundTicks([low, high], 9)];
  const seen = new Set<string>();
  return groups.map((values) =>
    values
      .filter((value) => value >= low && value <= high)
      .map((value) => ({ value, label: significant(value) }))
      .filter(({ label }) => !seen.has(label) && seen.add(label)),
  );
}

/** Position of a value between the centres of the cells around it. */
function interpolate(cells: readonly Cell[], value: number, size: number): number {
  const rising = cells[1]!.value > cells[0]!.value;
  const after = Math.max(
    1,
    cells.findIndex((cell) => (rising ? cell.value >= value : cell.value <= value)),
  );
  const [left, right] = [cells[after - 1]!, cells[after]!];
  const fraction = (value - left.value) / (right.value - left.value);
  return centre(left.index + fraction * (right.index - left.index), size);
}

/** The values of some cells at these cells: where values go up and down there is nothing to interpolate. */
function sampledTicks(cells: readonly Cell[], size: number, room: TickRoom): Tick[] {
  const values = cells.map(({ value }) => value);
  const span = Math.max(...values) - Math.min(...values);
  const decimals = span > 0 ? decimalsOf(span / 100) : undefined;
  const labelOf = (value: number): string => (decimals === undefined ? significant(value) : fixed(value, decimals));
  return fullest(ticksWanted(room.length), room, (count) => {
    const stride = Math.max(1, Math.ceil((cells.length - 1) / Math.max(1, count - 1)));
    return cells
      .filter((_, at) => at % stride === 0)
      .map(({ index, value }) => ({ position: centre(index, size), label: labelOf(value) }));
  });
}

/** The set with the greatest count whose ticks have room; at the very least a single tick. */
export function fullest(countMax: number, room: TickRoom, ticksOf: (count: number) => Tick[]): Tick[] {
  let ticks: Tick[] = [];
  for (let count = countMax; count >= 1; count -= 1) {
    ticks = ticksOf(count);
    if (ticks.length > 0 && room.fits(ticks)) return ticks;
  }
  return ticks.slice(0, 1);
}
