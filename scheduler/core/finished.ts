/** Finished tasks of one job with their results side by side: what workers report, the journal keeps and clients are told. */
import type { TaskTable } from "./task-table.ts";

/** Result `i` ends at `ends[i]`. */
export interface Finished {
  readonly tasks: Uint32Array;
  readonly ends: Uint32Array;
  readonly results: Uint8Array;
}

/** Of tasks whose results the table has; a copy of them. */
export function finishedOf(table: TaskTable, tasks: ArrayLike<number>): Finished {
  const ends = new Uint32Array(tasks.length);
  let bytes = 0;
  for (let place = 0; place < tasks.length; place++) ends[place] = bytes += table.resultLength(tasks[place]!);
  const results = new Uint8Array(bytes);
  for (let place = 0; place < tasks.length; place++)
    table.copyResult(tasks[place]!, results, place === 0 ? 0 : ends[place - 1]!);
  return { tasks: Uint32Array.from(tasks), ends, results };
}

/** From place `start` up to `stop`; all of it is itself, a part has views of tasks and results. */
export function sliceOf(finished: Finished, start: number, stop: number): Finished {
  const { tasks, ends, results } = finished;
  if (start === 0 && stop === tasks.length) return finished;
  const base = start === 0 ? 0 : ends[start - 1]!;
  return {
    tasks: tasks.subarray(start, stop),
    ends: ends.subarray(start, stop).map((end) => end - base),
    results: results.subarray(base, stop === 0 ? 0 : ends[stop - 1]),
  };
}
