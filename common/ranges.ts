/**
 * Ranges of whole numbers, two notations:
 * ordinal ranges are half-open, as everywhere in this program (`0:40,60:`), lists of values are inclusive (`1-10,22-24,90`).
 */
import { PeError } from "./errors.ts";

/** Half-open `[start, stop)`. */
export interface Range {
  readonly start: number;
  readonly stop: number;
}

/** More values than any list of orders, delays or shards needs; a longer one is a slip of the keyboard. */
const LIST_MAX = 1_000_000;

/**
 * Half-open ranges such as `0:40,60:`; either end may be left out. Overlapping and touching ranges are united,
 * ends beyond `length` cut, and the result is ascending.
 *
 * @throws {PeError} `PE_PARAMETER` for anything else, with `option` named.
 */
export function parseRanges(text: string, length: number, option: string): Range[] {
  const ranges: Range[] = [];
  for (const piece of text.split(",")) {
    const match = /^\s*(\d*)\s*:\s*(\d*)\s*$/.exec(piece) ?? /^\s*(\d+)\s*$/.exec(piece);
    if (match === null) throw refuse(option, text, `"${piece}" is not a range such as 0:40 or 60:`);
    const single = !piece.includes(":");
    const start = match[1] === "" ? 0 : Number(match[1]);
    const stop = single ? start + 1 : match[2] === "" ? Math.max(start, length) : Number(match[2]);
    if (stop < start) throw refuse(option, text, `"${piece}" ends before it starts`);
    ranges.push({ start: Math.min(start, length), stop: Math.min(stop, length) });
  }
  return uniteRanges(ranges);
}

/** Ascending, disjoint, none empty, none touching another. */
export function uniteRanges(ranges: readonly Range[]): Range[] {
  const united: Range[] = [];
  const ascending = ranges.filter((range) => range.stop > range.start).toSorted((a, b) => a.start - b.start);
  for (const range of ascending) {
    const last = united.at(-1);
    if (last !== undefined && range.start <= last.stop)
      united[united.length - 1] = { start: last.start, stop: Math.max(last.stop, range.stop) };
    else united.push(range);
  }
  return united;
}

/** `0:40,60:80`, what `parseRanges` reads. */
export function formatRanges(ranges: readonly Range[]): string {
  return ranges.map(({ start, stop }) => `${start}:${stop}`).join(",");
}

export function rangesInclude(ranges: readonly Range[], value: number): boolean {
  return ranges.some(({ start, stop }) => value >= start && value < stop);
}

/** Number of values in disjoint `ranges`. */
export function rangesCount(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { start, stop }) => sum + stop - start, 0);
}

/**
 * Inclusive list such as `1-10,22-24,90`: ascending, each value once.
 *
 * @throws {PeError} `PE_PARAMETER` for anything else, with `option` named.
 */
export function parseList(text: string, option: string): number[] {
  const values = new Set<number>();
  for (const piece of text.split(",")) {
    const match = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(piece);
    if (match === null) throw refuse(option, text, `"${piece}" is not a number such as 90 or a list such as 1-10`);
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    if (last < first) throw refuse(option, text, `"${piece}" ends before it starts`);
    if (last - first + values.size >= LIST_MAX) throw refuse(option, text, `it holds more than ${LIST_MAX} values`);
    for (let value = first; value <= last; value++) values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}

/** `1-10,22-24,90`, what `parseList` reads. `values` ascending. */
export function formatList(values: readonly number[]): string {
  const united = uniteRanges(values.map((value) => ({ start: value, stop: value + 1 })));
  return united.map(({ start, stop }) => (stop - start === 1 ? `${start}` : `${start}-${stop - 1}`)).join(",");
}

function refuse(option: string, text: string, reason: string): PeError {
  return new PeError("PE_PARAMETER", `Cannot read ${option} ${text}: ${reason}`, { details: { option, text } });
}
