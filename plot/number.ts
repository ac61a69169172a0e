/** Numbers as a figure shows them: true minus signs, as many decimals as the step needs, units with SI prefixes. */

const SUPERSCRIPTS: Readonly<Record<string, string>> = {
  "-": "⁻",
  "0": "⁰",
  "1": "¹",
  "2": "²",
  "3": "³",
  "4": "⁴",
  "5": "⁵",
  "6": "⁶",
  "7": "⁷",
  "8": "⁸",
  "9": "⁹",
};

/** `10⁻³` */
export function powerOfTen(exponent: number): string {
  return `10${String(exponent)
    .split("")
    .map((digit) => SUPERSCRIPTS[digit])
    .join("")}`;
}

/** With a fixed number of decimals; never `−0`. */
export function fixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** Up to `digits` significant digits, trailing zeros dropped: `0.95`, `−12`, `1.2 × 10⁻¹²`. */
export function significant(value: number, digits = 6): string {
  const [mantissa, exponent] = Number(value.toPrecision(digits)).toString().split("e");
  const signed = mantissa!.replace("-", "−");
  return exponent === undefined ? signed : `${signed} × ${powerOfTen(Number(exponent))}`;
}

/** Decimals that tell multiples of a round step (1, 2 or 5 times a power of ten) apart. */
export function decimalsOf(step: number): number {
  return Math.max(0, Math.min(15, -Math.floor(Math.log10(Math.abs(step)) + 1e-9)));
}

/** Labels of evenly spaced round ticks. */
export function tickLabels(ticks: readonly number[]): string[] {
  if (ticks.length === 1) return [significant(ticks[0]!)];
  const decimals = ticks.length === 0 ? 0 : decimalsOf(ticks[1]! - ticks[0]!);
  return ticks.map((tick) => fixed(tick, decimals));
}

const PREFIXES = ["f", "p", "n", "µ", "m", "", "k", "M", "G", "T"] as const;
const LOWEST_EXPONENT = -15;
/** Units that take prefixes. Others (dB, %, counts) are left as they are. */
const BASE_UNITS = ["s", "Hz", "A", "V", "W", "m"] as const;

interface PrefixedUnit {
  readonly base: string;
  /** Of ten: -9 in `ns`. */
  readonly exponent: number;
}

/** `ns` is -9 of `s`; `m` alone is the metre; `undefined` where the unit takes no prefix. */
function parseUnit(unit: string): PrefixedUnit | undefined {
  const base = BASE_UNITS.find((candidate) => unit.endsWith(candidate) && unit.length - candidate.length <= 1);
  if (base === undefined) return undefined;
  const prefix = unit.slice(0, unit.length - base.length).replace(/[uμ]/u, "µ");
  const index = PREFIXES.findIndex((candidate) => candidate === prefix);
  return index < 0 ? undefined : { base, exponent: LOWEST_EXPONENT + 3 * index };
}

/** A unit in which numbers are easy to read: `value in the old unit / divisor` is the value in `unit`. */
export interface ReadableUnit {
  readonly divisor: number;
  readonly unit: string;
}

/** The unit, with another prefix if need be, in which `magnitude` lies from 1 to below 1000. */
export function engineeringUnit(magnitude: number, unit: string): ReadableUnit {
  const parsed = parseUnit(unit);
  if (parsed === undefined || !(magnitude > 0) || !Number.isFinite(magnitude)) return { divisor: 1, unit };
  const thousands = Math.floor(Math.log10(magnitude * 10 ** parsed.exponent) / 3 + 1e-12);
  const index = Math.max(0, Math.min(PREFIXES.length - 1, thousands - LOWEST_EXPONENT / 3));
  const exponent = LOWEST_EXPONENT + 3 * index;
  return { divisor: 10 ** (exponent - parsed.exponent), unit: `${PREFIXES[index]}${parsed.base}` };
}

/** `4.5 ns` for (4500, "ps"), `50 ps` for (50e-12, "s"). */
export function formatQuantity(value: number, unit: string, digits = 6): string {
  const readable = engineeringUnit(Math.abs(value), unit);
  return `${significant(value / readable.divisor, digits)} ${readable.unit}`.trimEnd();
}

/**
 * What an axis divides its values by so that tick labels stay short, and the unit that then stands beside them.
 * The user's unit is kept while numbers are readable in it.
 */
export function axisUnit(magnitude: number, unit: string): ReadableUnit {
  if (!(magnitude > 0) || (magnitude >= 0.01 && magnitude < 1e5)) return { divisor: 1, unit };
  const readable = engineeringUnit(magnitude, unit);
  if (readable.divisor !== 1) return readable;
  const exponent = 3 * Math.floor(Math.log10(magnitude) / 3 + 1e-12);
  return { divisor: 10 ** exponent, unit: `${powerOfTen(exponent)}${unit === "" ? "" : ` ${unit}`}` };
}
