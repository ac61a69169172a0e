/** Which task needs which: counted down as results become durable. */
import { assert } from "../../common/assert.ts";
import { claimNeeds, settleEnd } from "./claims.ts";
import { batchOf, keyOf, type Job } from "./job.ts";
import { forEachNeed, hasResult } from "./needs.ts";
import { makeReady, move, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { leaseKey } from "./worker-record.ts";

/** The result of a task is durable: tasks that waited for it alone are queued. */
export function settle(state: SchedulerState, job: Job, task: number): void {
  const { edges } = state;
  settleEnd(state, job, task);
  const list = job.table.firstEdge(task);
  if (list < 0) return;
  edges.forEach(list, (number, index) => {
    const dependant = state.jobs.get(number);
    // Released, cancelled or erred meanwhile: a retry counts its needs anew.
    if (dependant?.table.state(index) !== TASK.waiting) return;
    const left = dependant.table.waitsFor(index) - 1;
    assert(left >= 0, () => `${keyOf(dependant, index)} waits for less than nothing`);
    dependant.table.setWaitsFor(index, left);
    if (left > 0) return;
    move(state, dependant, index, TASK.queued);
    makeReady(state, batchOf(dependant, index), index);
  });
  forgetEdges(state, job, task);
}

/** Nobody waits for a finished task. Where its value is lost, those who need it are linked anew. */
export function forgetEdges({ edges }: SchedulerState, { table }: Job, task: number): void {
  const list = table.firstEdge(task);
  if (list < 0) return;
  edges.release(list);
  table.setFirstEdge(task, -1);
}

/** Links a new task to what it needs, and counts what has no durable result yet. */
export function linkNeeds(state: SchedulerState, job: Job, task: number): void {
  claimNeeds(state, job, task);
  let unfinished = 0;
  forEachNeed(state, job, task, (need, index) => {
    if (hasResult(need, index)) return;
    need.table.setFirstEdge(index, state.edges.add(need.table.firstEdge(index), job.job, task));
    unfinished++;
  });
  job.table.setWaitsFor(task, unfinished);
}

/**
 * The same for a task that may have some of the links: those of needs that have ended since are gone.
 *
 * @returns How many of its needs have no durable result.
 */
export function linkAnew(state: SchedulerState, job: Job, task: number): number {
  const counts = new Map<number, number>();
  let unfinished = 0;
  forEachNeed(state, job, task, (need, index) => {
    if (hasResult(need, index)) return;
    unfinished++;
    const key = leaseKey(need.job, index);
    const known = counts.get(key) ?? state.edges.countOf(need.table.firstEdge(index), job.job, task);
    counts.set(key, known - 1);
    if (known <= 0) need.table.setFirstEdge(index, state.edges.add(need.table.firstEdge(index), job.job, task));
  });
  job.table.setWaitsFor(task, unfinished);
  return unfinished;
}

/** Tasks that wait for this one. */
export function waitingFor({ edges, jobs }: SchedulerState, job: Job, task: number): { job: Job; task: number }[] {
  const waiting: { job: Job; task: number }[] = [];
  edges.forEach(job.table.firstEdge(task), (number, index) => {
    const dependant = jobs.get(number);
    if (dependant?.table.state(index) === TASK.waiting) waiting.push({ job: dependant, task: index });
  });
  return waiting;
}
