/**
 * Values that are lost are computed again from what they were computed from, and only when somebody needs them: a task whose
 * turn it is, or a client. What they need in turn may be lost too; that shows when it is their turn.
 */
import { unsettle } from "./claims.ts";
import { linkAnew } from "./graph.ts";
import { batchOf, type Job } from "./job.ts";
import { forEachNeed, hasResult, lostNeed } from "./needs.ts";
import { journal, makeReady, move, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { failBecause } from "./transitions.ts";
import { valueOf } from "./values.ts";
import { leaseKey } from "./worker-record.ts";

/**
 * Whether a queued task has all that it needs, at the moment of its hand-out. Where a value is lost, it is computed again,
 * and the task waits for it.
 */
export function provide(state: SchedulerState, job: Job, task: number): boolean {
  // What has finished stays so, but for values.
  if (!state.hadValues) return true;
  let missing = 0;
  if (lostNeed(state, job, task) !== undefined) {
    // A task that fails may end its job, and with it what is being handed out: that has to wait.
    state.doomed.push({ job, task });
    missing++;
  }
  forEachNeed(state, job, task, (need, index) => {
    if (isLost(state, need, index)) computeAgain(state, need, index);
    if (!hasResult(need, index)) missing++;
  });
  if (missing === 0) return true;
  move(state, job, task, TASK.waiting);
  linkAnew(state, job, task);
  return false;
}

/** Fails tasks of which it was found at their turn that they will never have what they need. */
export function failDoomed(state: SchedulerState): void {
  for (const { job, task } of state.doomed.splice(0)) {
    if (state.jobs.get(job.job) !== job || job.table.state(task) !== TASK.waiting) continue;
    const because = lostNeed(state, job, task);
    if (because !== undefined) failBecause(state, job, task, because);
  }
}

/** Whether the value of a finished task is had by nobody. */
export function isLost(state: SchedulerState, job: Job, task: number): boolean {
  if (job.table.valueBytes(task) === 0 || !hasResult(job, task)) return false;
  const value = valueOf(state, job, task);
  return value === undefined || value.holders.size === 0;
}

/** finished or released -> queued, by a record of its own: a life that follows must know. */
export function computeAgain(state: SchedulerState, job: Job, task: number): void {
  journal(state, { type: "lost", job: job.job, tasks: Uint32Array.of(task) });
  runAgain(state, job, task);
}

/** As the record says it. */
export function runAgain(state: SchedulerState, job: Job, task: number): void {
  unsettle(state, job, task);
  state.values.delete(leaseKey(job.job, task));
  job.table.setValueBytes(task, 0);
  job.table.setFails(task, 0);
  job.table.setDeaths(task, 0);
  move(state, job, task, TASK.queued);
  makeReady(state, batchOf(job, task), task);
}
