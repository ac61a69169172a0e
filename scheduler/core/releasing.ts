/** Jobs that are forgotten. */
import { dropClaimsOf, valuesOf } from "./claims.ts";
import { forgetEdges } from "./graph.ts";
import type { Job, Needs } from "./job.ts";
import { journal, leaveSuspects, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { uncountJob } from "./totals.ts";
import { cancelUnended, range, tellCancelledAll } from "./transitions.ts";
import { tellRest } from "./watching.ts";
import { dropValue } from "./values.ts";
import { leaseKey, splitKey } from "./worker-record.ts";

/** Whether an unfinished task of another job needs a result of this one. */
export function isNeeded(state: SchedulerState, job: Job): boolean {
  for (const other of state.jobs.values()) {
    if (other === job) continue;
    for (const { needs, start, stop } of other.batches) {
      if (needs?.jobs.includes(job.job) !== true) continue;
      for (let task = start; task < stop; task++)
        if (other.table.state(task) < TASK.finished && needsJob(needs, task - start, job)) return true;
    }
  }
  return false;
}

function needsJob({ ends, jobs }: Needs, place: number, { job }: Job): boolean {
  return jobs.subarray(place === 0 ? 0 : ends[place - 1], ends[place]).includes(job);
}

/**
 * Everything known of a job is forgotten, its results too. One record, so that a crash leaves the job whole or nothing of it;
 * watchers hear of what had not ended as cancelled.
 */
export function release(state: SchedulerState, job: Job): void {
  tellRest(state, job);
  const cancelled = cancelUnended(state, job, range(job.table.rows));
  journal(state, { type: "released", job: job.job });
  forget(state, job);
  state.durability.after(() => {
    tellCancelledAll(state, job, cancelled);
    state.out.push({ type: "released", id: job.id });
  });
  for (const worker of state.workers.values())
    if (worker.jobs.delete(job.job))
      state.out.push({ type: "to-worker", link: worker.link, message: { type: "forget", job: job.job } });
}

export function forget(state: SchedulerState, job: Job): void {
  state.jobs.delete(job.job);
  uncountJob(state, job);
  state.jobsById.delete(job.id);
  state.abandoned.delete(job);
  state.persisted.delete(job);
  forgetValues(state, job);
  dropClaimsOf(state, job);
  for (const key of job.keys) if (key !== undefined) state.keys.delete(key);
  for (const batch of job.batches) state.queue.remove(batch);
  if (!state.suspects.isEmpty || state.condemned.size > 0)
    for (let task = 0; task < job.table.rows; task++) if (job.table.deaths(task) > 0) leaveSuspects(state, job, task);
  for (const notes of [state.accused, state.spent])
    for (const key of notes.keys()) if (splitKey(key).job === job.job) notes.delete(key);
  if (state.edges.count > 0) for (let task = 0; task < job.table.rows; task++) forgetEdges(state, job, task);
}

function forgetValues(state: SchedulerState, job: Job): void {
  for (const task of valuesOf(state, job)) dropValue(state, state.values.get(leaseKey(job.job, task))!);
}
