/** What a task needs, looked up. */
import { batchOf, keyOf, type Job } from "./job.ts";
import type { SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";

/** Calls back with each task whose result `task` needs, in order; a job that was released is left out. */
export function forEachNeed(
  state: SchedulerState,
  job: Job,
  task: number,
  callback: (need: Job, index: number) => void,
): void {
  const { needs, start } = batchOf(job, task);
  if (needs === undefined) return;
  const place = task - start;
  for (let k = place === 0 ? 0 : needs.ends[place - 1]!; k < needs.ends[place]!; k++) {
    const need = state.jobs.get(needs.jobs[k]!);
    if (need !== undefined) callback(need, needs.tasks[k]!);
  }
}

/** Why a task will never get what it needs, if so. */
export function lostNeed(state: SchedulerState, job: Job, task: number): string | undefined {
  const { needs, start } = batchOf(job, task);
  if (needs === undefined) return undefined;
  const place = task - start;
  for (let k = place === 0 ? 0 : needs.ends[place - 1]!; k < needs.ends[place]!; k++) {
    const need = state.jobs.get(needs.jobs[k]!);
    const index = needs.tasks[k]!;
    if (need === undefined) return `Task ${index} of job ${needs.jobs[k]!}, which it needs, was released`;
    const now = need.table.state(index);
    if (now === TASK.cancelled) return `Task ${keyOf(need, index)}, which it needs, was cancelled`;
    if (now === TASK.erred)
      return `Task ${keyOf(need, index)}, which it needs, failed: ${need.errors.get(index)?.message ?? ""}`;
  }
  return undefined;
}

/** Before its result is durable, nothing may build on it. Where its value is, is looked at when a dependant has its turn. */
export function hasResult({ table }: Job, task: number): boolean {
  const now = table.state(task);
  return (now === TASK.finished || now === TASK.released) && table.isSettled(task);
}
