/**
 * Who still wants a value: tasks that need it and have not ended, and clients that hold its future. When nobody does, it is
 * released.
 */
import { assert } from "../../common/assert.ts";
import type { Job } from "./job.ts";
import { forEachNeed } from "./needs.ts";
import { move, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { dropValue, valueOf } from "./values.ts";
import { leaseKey, splitKey } from "./worker-record.ts";

/** A task will run: it keeps the values that it needs. */
export function claimNeeds(state: SchedulerState, job: Job, task: number): void {
  forEachNeed(state, job, task, (need, index) => void need.table.addClaims(index, 1));
}

function dropClaims(state: SchedulerState, job: Job, task: number): void {
  forEachNeed(state, job, task, (need, index) => {
    const left = need.table.addClaims(index, -1);
    assert(left >= 0, () => `task ${index} of "${need.id}" is claimed less than never`);
    if (left === 0) releaseUnwanted(state, need, index);
  });
}

/** The end of a task, however it ended, is durable. */
export function settleEnd(state: SchedulerState, job: Job, task: number): void {
  if (job.table.isSettled(task)) return;
  job.table.setSettled(task, true);
  const isValue = job.table.valueBytes(task) > 0;
  // Of a job that is forgotten nothing is claimed any more.
  if ((!job.hasNeeds && !isValue) || state.jobs.get(job.job) !== job) return;
  dropClaims(state, job, task);
  if (isValue) releaseUnwanted(state, job, task);
}

/** A task that had ended will run again. */
export function unsettle(state: SchedulerState, job: Job, task: number): void {
  if (!job.table.isSettled(task)) return;
  job.table.setSettled(task, false);
  claimNeeds(state, job, task);
}

/** The claims of the unended tasks of a job that is about to be forgotten. */
export function dropClaimsOf(state: SchedulerState, job: Job): void {
  for (const { needs, start, stop } of job.batches) {
    if (needs === undefined) continue;
    for (let task = start; task < stop; task++) if (!job.table.isSettled(task)) dropClaims(state, job, task);
  }
}

/** finished -> released, when a value is wanted by nobody. */
export function releaseUnwanted(state: SchedulerState, job: Job, task: number): void {
  const { table } = job;
  if (table.state(task) !== TASK.finished || !table.isSettled(task) || table.claims(task) > 0) return;
  const value = valueOf(state, job, task);
  if (value === undefined || !isLetGo(job, task) || state.seekers.has(leaseKey(job.job, task))) return;
  dropValue(state, value);
  move(state, job, task, TASK.released);
}

/** Whether every client that watches the job has let go of a task; without a watcher it waits for one. */
function isLetGo({ watchers }: Job, task: number): boolean {
  for (const { letGo } of watchers.values()) if (letGo?.has(task) !== true) return false;
  return watchers.size > 0;
}

/** A watcher let go of tasks. */
export function releaseUnwantedOf(state: SchedulerState, job: Job, tasks: Iterable<number>): void {
  if (job.table.mayHaveValues) for (const task of tasks) releaseUnwanted(state, job, task);
}

/** Tasks of a job that have a value now. */
export function valuesOf(state: SchedulerState, job: Job): number[] {
  if (!job.table.mayHaveValues) return [];
  const tasks: number[] = [];
  for (const key of state.values.keys()) {
    const { job: number, task } = splitKey(key);
    if (number === job.job) tasks.push(task);
  }
  return tasks;
}

/** The watchers of a job are fewer: what the others let go of is wanted by nobody. */
export function watcherLeft(state: SchedulerState, job: Job): void {
  if (job.watchers.size > 0) releaseUnwantedOf(state, job, valuesOf(state, job));
}
