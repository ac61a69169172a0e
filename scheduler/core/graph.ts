/** Which task needs which: counted down as results become durable. */
import { assert } from "../../common/assert.ts";
import { batchOf, keyOf, type Job } from "./job.ts";
import { makeReady, move, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";

/** The result of a task is durable: tasks that waited for it alone are queued. */
export function settle(state: SchedulerState, job: Job, task: number): void {
  const { edges } = state;
  job.table.setSettled(task, true);
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

/** A finished task stays finished: nobody will wait for it again. */
export function forgetEdges({ edges }: SchedulerState, { table }: Job, task: number): void {
  const list = table.firstEdge(task);
  if (list < 0) return;
  edges.release(list);
  table.setFirstEdge(task, -1);
}

/** Links a new task to what it needs, and counts what has no durable result yet. */
export function linkNeeds(state: SchedulerState, job: Job, task: number): void {
  let unfinished = 0;
  forEachNeed(state, job, task, (need, index) => {
    if (hasResult(need, index)) return;
    need.table.setFirstEdge(index, state.edges.add(need.table.firstEdge(index), job.job, task));
    unfinished++;
  });
  job.table.setWaitsFor(task, unfinished);
}

/** Needs without a durable result, of a task whose edges are there already. */
export function countNeeds(state: SchedulerState, job: Job, task: number): number {
  let unfinished = 0;
  forEachNeed(state, job, task, (need, index) => {
    if (!hasResult(need, index)) unfinished++;
  });
  return unfinished;
}

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

/** Tasks that wait for this one. */
export function waitingFor({ edges, jobs }: SchedulerState, job: Job, task: number): { job: Job; task: number }[] {
  const waiting: { job: Job; task: number }[] = [];
  edges.forEach(job.table.firstEdge(task), (number, index) => {
    const dependant = jobs.get(number);
    if (dependant?.table.state(index) === TASK.waiting) waiting.push({ job: dependant, task: index });
  });
  return waiting;
}

/** Before its result is durable, nothing may build on it. */
function hasResult({ table }: Job, task: number): boolean {
  const now = table.state(task);
  return (now === TASK.finished || now === TASK.released) && table.isSettled(task);
}
