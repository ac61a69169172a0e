/** What the scheduler holds, all jobs together, and how much of it there may be. */
import { HELD_BYTES_MAX, KEYS_MAX, NEEDS_MAX, TASKS_MAX } from "./limits.ts";
import type { BatchContent } from "./appending.ts";
import type { Batch, Job } from "./job.ts";
import type { Finished } from "./finished.ts";
import type { SchedulerState } from "./state.ts";

export interface Totals {
  tasks: number;
  /** Edges of graphs, gone through or not. */
  needs: number;
  /** Of parameters and results. */
  bytes: number;
}

export function countBatch({ totals }: SchedulerState, { start, stop, needs, parameters }: Batch): void {
  totals.tasks += stop - start;
  totals.needs += needs?.jobs.length ?? 0;
  totals.bytes += parameters?.values.byteLength ?? 0;
}

/** Keeps the result of the task at `place` of a report or record. */
export function keepResult(
  { totals }: SchedulerState,
  { table }: Job,
  { tasks, ends, results }: Finished,
  place: number,
): void {
  const start = place === 0 ? 0 : ends[place - 1]!;
  table.setResult(tasks[place]!, results, start, ends[place]!);
  totals.bytes += ends[place]! - start;
}

export function uncountJob({ totals }: SchedulerState, { table, batches }: Job): void {
  totals.tasks -= table.rows;
  totals.bytes -= table.resultsBytes;
  for (const { needs, parameters } of batches) {
    totals.needs -= needs?.jobs.length ?? 0;
    totals.bytes -= parameters?.values.byteLength ?? 0;
  }
}

/** Why the scheduler cannot hold a batch besides all it holds, if so. */
export function faultOfTotals(
  { totals, keys }: SchedulerState,
  content: Pick<BatchContent, "count" | "keys" | "needs" | "parameters">,
): string | undefined {
  const wanted = [
    { what: "tasks", most: TASKS_MAX, held: totals.tasks, more: content.count },
    { what: "keys", most: KEYS_MAX, held: keys.size, more: content.keys?.length ?? 0 },
    { what: "needs", most: NEEDS_MAX, held: totals.needs, more: content.needs?.jobs.length ?? 0 },
    {
      what: "bytes of parameters and results",
      most: HELD_BYTES_MAX,
      held: totals.bytes,
      more: content.parameters?.values.byteLength ?? 0,
    },
  ];
  const over = wanted.find(({ most, held, more }) => more > 0 && held + more > most);
  if (over === undefined) return undefined;
  const { what, most, held, more } = over;
  return `the scheduler holds ${held} ${what}, with ${more} more it would be above its limit of ${most}; release jobs that are done with`;
}

/** Whether a result would be too much. */
export function isFull({ totals }: SchedulerState, resultBytes: number): boolean {
  return resultBytes > 0 && totals.bytes + resultBytes > HELD_BYTES_MAX;
}
