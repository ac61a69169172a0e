/**
 * Where a job is cut into tasks. Decided by the manifest and the constants below alone, never by slots, speed or
 * timings: task `i` of a job means the same rows for ever, or an interrupted job could not go on.
 */
import type { MapsWanted } from "./schema.ts";

/** Work that a task should hold: long enough to make hand-over free, short enough to lose little and spread evenly. */
const TASK_TARGET_NS = 250e6;

/** Rough cost of one window by top order (place in the list), for cutting and for the estimate shown to the user. */
const NS_PER_WINDOW = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.9, 3, 30] as const;
/** Weighted PE makes a pass of its own for each order. */
const WEIGHTED_NS_PER_WINDOW = 10;
/** Reading, inflating and quantising a sample once. */
const NS_PER_SAMPLE = 14;

/** Estimated nanoseconds of one thread for one series. */
export function seriesCostNs(length: number, { orders, delays, measures }: MapsWanted): number {
  const counted = measures.some((measure) => measure !== "weighted");
  const perWindow =
    (counted ? NS_PER_WINDOW[orders.at(-1) ?? 0]! : 0) +
    (measures.includes("weighted") ? WEIGHTED_NS_PER_WINDOW * orders.length : 0);
  return length * (NS_PER_SAMPLE + perWindow * delays.length);
}

/** Rows per task, at least 1. */
export function rowsPerTask(length: number, maps: MapsWanted): number {
  return Math.max(1, Math.floor(TASK_TARGET_NS / Math.max(1, seriesCostNs(length, maps))));
}

/**
 * Tasks of one file with about `rows` series: [first row, row after the last], -1 in the last one, which takes whatever
 * the file holds beyond what planning could know. The pieces are as even as can be.
 */
export function cutRows(rows: number, rowsMax: number): [number, number][] {
  const pieces = Math.max(1, Math.ceil(rows / rowsMax));
  const cuts = Array.from({ length: pieces + 1 }, (_, piece) => Math.floor((rows * piece) / pieces));
  return cuts.slice(0, -1).map((start, piece) => [start, piece === pieces - 1 ? -1 : cuts[piece + 1]!]);
}
