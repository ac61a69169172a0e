/** Finished tasks of one job with their results side by side: what workers report, the journal keeps and clients are told. */
import type { TaskTable } from "./task-table.ts";

/** Result `i` ends at `ends[i]`. */
export interface Finished {
  readonly tasks: Uint32Array;
  readonly ends: Uint32Array;
  readonly results: Uint8Array;
  /** Bytes of results that are values, 0 for others; absent where none is. */
  readonly sizes?: Uint32Array | undefined;
}

/** Of tasks whose results the table has; a copy of them. */
export function finishedOf(table: TaskTable, tasks: ArrayLike<number>): Finished {
  const ends = new Uint32Array(tasks.length);
  let bytes = 0;
  for (let place = 0; place < tasks.length; place++) ends[place] = bytes += table.resultLength(tasks[place]!);
  const results = new Uint8Array(bytes);
  for (let place = 0; place < tasks.length; place++)
    table.copyResult(tasks[place]!, results, place === 0 ? 0 : ends[place - 1]!);
  const sizes = table.mayHaveValues ? Uint32Array.from(tasks, (task) => table.valueBytes(task)) : undefined;
  return { tasks: Uint32Array.from(tasks), ends, results, ...withSizes(sizes) };
}

/** From place `start` up to `stop`; all of it is itself, a part has views of tasks and results. */
export function sliceOf(finished: Finished, start: number, stop: number): Finished {
  const { tasks, ends, results, sizes } = finished;
  if (start === 0 && stop === tasks.length) return finished;
  const base = start === 0 ? 0 : ends[start - 1]!;
  return {
    tasks: tasks.subarray(start, stop),
    ends: ends.subarray(start, stop).map((end) => end - base),
    results: results.subarray(base, stop === 0 ? 0 : ends[stop - 1]),
    ...withSizes(sizes?.subarray(start, stop)),
  };
}

/** The tasks at some places of a report. */
export function chosenOf(report: Finished, places: readonly number[]): Finished {
  const ends = new Uint32Array(places.length);
  let bytes = 0;
  for (const [at, place] of places.entries()) ends[at] = bytes += report.ends[place]! - startOf(report, place);
  const results = new Uint8Array(bytes);
  for (const [at, place] of places.entries())
    results.set(report.results.subarray(startOf(report, place), report.ends[place]), at === 0 ? 0 : ends[at - 1]);
  const { sizes } = report;
  return {
    tasks: Uint32Array.from(places, (place) => report.tasks[place]!),
    ends,
    results,
    ...withSizes(sizes && Uint32Array.from(places, (place) => sizes[place]!)),
  };
}

/** Where the result at a place begins. */
export function startOf({ ends }: Finished, place: number): number {
  return place === 0 ? 0 : ends[place - 1]!;
}

/** Bytes of the value at a place; 0 where the result is none. */
export function sizeOf({ sizes }: Finished, place: number): number {
  return sizes?.[place] ?? 0;
}

/** Most results are no values, and messages of them have no such column. */
export function withSizes(sizes: Uint32Array | undefined): { sizes?: Uint32Array } {
  return sizes?.some((bytes) => bytes > 0) === true ? { sizes } : {};
}
