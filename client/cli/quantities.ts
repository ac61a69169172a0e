/** Numbers as people type them on a command line: times with units, delays in samples or times, grids, sizes. */
import { PeError } from "../../common/errors.ts";
import { parseList } from "../../common/ranges.ts";

const SECONDS_PER_UNIT: ReadonlyMap<string, number> = new Map([
  ["fs", 1e-15],
  ["ps", 1e-12],
  ["ns", 1e-9],
  ["us", 1e-6],
  ["µs", 1e-6],
  ["μs", 1e-6],
  ["ms", 1e-3],
  ["s", 1],
]);
const TIME_PATTERN = /^\s*(\d+(?:\.\d+)?(?:e-?\d+)?)\s*([a-zµμ]+)\s*$/i;

/** Seconds in a text such as `50ps`. @throws {PeError} `PE_PARAMETER` */
export function parseTime(text: string, option: string): number {
  const match = TIME_PATTERN.exec(text);
  const unit = SECONDS_PER_UNIT.get(match?.[2] ?? "");
  const value = Number(match?.[1]) * (unit ?? NaN);
  if (!(value > 0))
    throw new PeError("PE_PARAMETER", `Cannot read ${option} ${text}: expected a time such as 50ps, 4.5ns or 2us`);
  return value;
}

/** How far a delay given as a time may be from a whole number of samples: rounding of the text, not of the user. */
const SAMPLES_TOLERANCE = 1e-6;

/**
 * Delays in samples, ascending, from a list such as `1-10,22-24,90`; with the sampling interval known, members may be
 * times such as `4.5ns`.
 *
 * @param intervalSeconds Time from one sample to the next, if known.
 * @throws {PeError} `PE_PARAMETER` for a time that is no whole number of samples.
 */
export function parseDelays(text: string, intervalSeconds: number | undefined): number[] {
  const samples = text
    .split(",")
    .map((piece) => (TIME_PATTERN.test(piece) ? toSamples(piece, intervalSeconds) : piece));
  const delays = parseList(samples.join(","), "--delays");
  if (delays[0] === 0) throw new PeError("PE_PARAMETER", `Cannot read --delays ${text}: a delay is at least 1 sample`);
  return delays;
}

function toSamples(text: string, intervalSeconds: number | undefined): string {
  if (intervalSeconds === undefined)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read --delays ${text}: a delay given as a time needs --interval, such as --interval 50ps`,
    );
  const samples = parseTime(text, "--delays") / intervalSeconds;
  const whole = Math.round(samples);
  if (whole < 1 || Math.abs(samples - whole) > SAMPLES_TOLERANCE * whole)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read --delays ${text}: it is ${Number(samples.toPrecision(6))} samples of --interval, not a whole number of them`,
    );
  return String(whole);
}

/** Orders 2 to 9, ascending. @throws {PeError} `PE_PARAMETER` */
export function parseOrders(text: string): number[] {
  const orders = parseList(text, "--orders");
  if (orders.some((order) => order < 2 || order > 9))
    throw new PeError("PE_PARAMETER", `Cannot read --orders ${text}: orders are 2 to 9`);
  return orders;
}

/** `[x, y]` of a text such as `60x60`. @throws {PeError} `PE_PARAMETER` */
export function parseGrid(text: string): { xSize: number; ySize: number } {
  const match = /^\s*(\d+)\s*[x×]\s*(\d+)\s*$/.exec(text);
  const xSize = Number(match?.[1]);
  const ySize = Number(match?.[2]);
  if (!(xSize > 0 && ySize > 0))
    throw new PeError("PE_PARAMETER", `Cannot read --grid ${text}: expected cells such as 60x60`);
  return { xSize, ySize };
}

/** A whole number from `min` to `max`. @throws {PeError} `PE_PARAMETER` */
export function parseWhole(text: string, option: string, min: number, max: number): number {
  const value = /^\s*\d+\s*$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max))
    throw new PeError("PE_PARAMETER", `Cannot read ${option} ${text}: expected a whole number from ${min} to ${max}`);
  return value;
}

/** A cell of the map, such as `12,7`. @throws {PeError} `PE_PARAMETER` */
export function parseCell(text: string, option: string): { x: number; y: number } {
  const match = /^\s*(\d+)\s*,\s*(\d+)\s*$/.exec(text);
  if (match === null)
    throw new PeError("PE_PARAMETER", `Cannot read ${option} ${text}: expected indices of a cell such as 12,7`);
  return { x: Number(match[1]), y: Number(match[2]) };
}

const MEASURES = ["pe", "weighted", "complexity", "missing"] as const;
type Measure = (typeof MEASURES)[number];

/** Measures in the order of their list, each once. @throws {PeError} `PE_PARAMETER` */
export function parseMeasures(text: string): Measure[] {
  const wanted = text.split(",").map((piece) => piece.trim());
  const unknown = wanted.find((name) => !MEASURES.some((measure) => measure === name));
  if (unknown !== undefined)
    throw new PeError("PE_PARAMETER", `Cannot read --measures ${text}: "${unknown}" is none of ${MEASURES.join(", ")}`);
  return MEASURES.filter((measure) => wanted.includes(measure));
}

/** Seconds from one sample to the next. @throws {PeError} `PE_PARAMETER` */
export function parseInterval(text: string): number {
  return parseTime(text, "--interval");
}

/** Two numbers such as `0.7:1`, the lower first. @throws {PeError} `PE_PARAMETER` */
export function parseSpan(text: string, option: string): { min: number; max: number } {
  const [min = NaN, max = NaN, ...more] = text.split(":").map((piece) => (piece.trim() === "" ? NaN : Number(piece)));
  if (!(min < max) || more.length > 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read ${option} ${text}: expected the lower and the upper end, such as 0.7:1`,
    );
  return { min, max };
}

/** Values at the first and the last cell of an axis, such as `0.9:1.35`; either may be the larger. @throws {PeError} `PE_PARAMETER` */
export function parseSweep(text: string, option: string): { first: number; last: number } {
  const [first = NaN, last = NaN, ...more] = text
    .split(":")
    .map((piece) => (piece.trim() === "" ? NaN : Number(piece)));
  if (!Number.isFinite(first) || !Number.isFinite(last) || more.length > 0)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read ${option} ${text}: expected the first and the last value, such as 0.9:1.35`,
    );
  return { first, last };
}

/** A whole number from `-limit` to `limit`. @throws {PeError} `PE_PARAMETER` */
export function parseSigned(text: string, option: string, limit: number): number {
  const value = /^\s*[+-]?\d+\s*$/.test(text) ? Number(text) : NaN;
  if (!(Math.abs(value) <= limit))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot read ${option} ${text}: expected a whole number from -${limit} to ${limit}`,
    );
  return value;
}
