/** What the kernel accepts, checked in one place. A window of order m and delay t spans (m - 1) t + 1 samples. */
import { PeError } from "../common/errors.ts";
import { isSeries, SERIES_TYPES } from "./series.ts";
import type { Series } from "./series.ts";

export const ORDER_MIN = 2;
export const ORDER_MAX = 9;
/** Far beyond any series that fits in memory; keeps (order - 1) * delay exact in 32-bit arithmetic. */
export const DELAY_MAX = 2 ** 27;
/** Samples of one series; the kernel's memory is some 16 bytes a sample. */
export const SERIES_LENGTH_MAX = 2 ** 27;
/** More delays than any scan of a series needs. */
export const DELAYS_MAX = 1_000_000;

/** Number of windows of a series of `length` samples; zero or less when there is none. */
export function windowCount(length: number, order: number, delay: number): number {
  return length - (order - 1) * delay;
}

/** @throws {PeError} `PE_PARAMETER` */
export function checkOrder(order: number): void {
  if (!Number.isInteger(order) || order < ORDER_MIN || order > ORDER_MAX)
    throw refuse(`order ${order} is not a whole number from ${ORDER_MIN} to ${ORDER_MAX}`, { order });
}

/** @throws {PeError} `PE_PARAMETER` */
export function checkDelay(delay: number): void {
  if (!Number.isInteger(delay) || delay < 1 || delay > DELAY_MAX)
    throw refuse(`delay ${delay} is not a whole number of samples from 1 to ${DELAY_MAX}`, { delay });
}

/** @throws {PeError} `PE_PARAMETER` when it is not a typed array of a known element type, or too long */
export function checkSeries(series: Series): void {
  if (!isSeries(series)) throw refuse(`the series is not one of ${SERIES_TYPES.join(", ")}`, {});
  if (series.length > SERIES_LENGTH_MAX)
    throw refuse(`the series has ${series.length} samples, more than ${SERIES_LENGTH_MAX}; cut it`, {
      length: series.length,
    });
}

/** @throws {PeError} `PE_PARAMETER` when the series has no window of this order and delay */
export function checkWindow(length: number, order: number, delay: number): void {
  if (windowCount(length, order, delay) < 1)
    throw refuse(
      `the series has ${length} samples, a window of order ${order} and delay ${delay} needs ${(order - 1) * delay + 1}`,
      { length, order, delay },
    );
}

/** @throws {PeError} `PE_PARAMETER` for what is no list, an empty or overlong one or one with a wrong value */
export function checkLists(orders: readonly number[], delays: readonly number[]): void {
  if (!isList(orders) || !isList(delays))
    throw refuse("orders and delays are lists of whole numbers, such as { orders: [3, 4], delays: [1, 90] }", {});
  if (orders.length === 0 || delays.length === 0)
    throw refuse("the list of orders or of delays is empty; give at least one of each", {});
  if (orders.length > ORDER_MAX || delays.length > DELAYS_MAX)
    throw refuse(
      `${orders.length} orders and ${delays.length} delays are more than ${ORDER_MAX} and ${DELAYS_MAX}; give each once`,
      {},
    );
  for (const order of orders) checkOrder(order);
  for (const delay of delays) checkDelay(delay);
}

/** Callers without types may leave a list out, or give a number. */
function isList(value: unknown): boolean {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

export function refuse(reason: string, details: Record<string, unknown>): PeError {
  return new PeError("PE_PARAMETER", `Cannot compute permutation entropy: ${reason}`, { details });
}
