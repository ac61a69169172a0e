/** One equally spaced time series, shape `[n]`. Every element type is compared exactly, never converted with loss. */
export type Series = Float64Array | Float32Array | Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array;

/** The element types a series may have, as `series.constructor.name` gives them. */
export const SERIES_TYPES = [
  "Float64Array",
  "Float32Array",
  "Int8Array",
  "Uint8Array",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
] as const;

/** Whether `value` is a typed array of one of `SERIES_TYPES`. Works across realms, where `instanceof` does not. */
export function isSeries(value: unknown): value is Series {
  if (!ArrayBuffer.isView(value)) return false;
  const type: unknown = Reflect.get(value, Symbol.toStringTag);
  return SERIES_TYPES.some((name) => name === type);
}

/** Whether the elements can be NaN or infinite at all. */
export function isFloating(series: Series): series is Float64Array | Float32Array {
  return series instanceof Float64Array || series instanceof Float32Array;
}

/**
 * Index of the first sample that is NaN or infinite.
 *
 * A series with such a sample has no entropy: comparisons and sorts disagree about NaN, so any number would be arbitrary.
 *
 * @param series Samples, any unit; shape `[n]`.
 * @returns Index from 0, or -1 when every sample is finite.
 * @example
 * firstNonFinite(Float64Array.of(1, 2, NaN)); // 2
 */
export function firstNonFinite(series: Series): number {
  if (!isFloating(series)) return -1;
  return series instanceof Float64Array ? firstNonFinite64(series) : firstNonFinite32(series);
}

// Two functions of one text, so that each stays specialised on one element type. x - x is 0 for finite x, else NaN.
function firstNonFinite64(series: Float64Array): number {
  for (let index = 0; index < series.length; index++) if (series[index]! - series[index]! !== 0) return index;
  return -1;
}

function firstNonFinite32(series: Float32Array): number {
  for (let index = 0; index < series.length; index++) if (series[index]! - series[index]! !== 0) return index;
  return -1;
}
