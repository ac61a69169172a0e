/** How tasks end, and what that means for tasks that need them. */
import { assert } from "../../common/assert.ts";
import { batchOf, hasEnded, keyOf, type Job, type TaskError } from "./job.ts";
import { DEATHS_MAX } from "./limits.ts";
import { dropHandOut } from "./leases.ts";
import { journal, makeReady, move, toClient, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { leaseKey } from "./worker-record.ts";

const U24 = 2 ** 24;

/** processing -> finished. The caller journals and tells. */
export function finish(state: SchedulerState, job: Job, task: number, result: Uint8Array, worker: number): void {
  move(state, job, task, TASK.finished, worker);
  job.table.setResult(task, result);
  state.counters.finished++;
}

/** The result of a task is durable: tasks that waited for it alone are queued. */
export function settle(state: SchedulerState, job: Job, task: number): void {
  const { edges } = state;
  job.table.setSettled(task, true);
  for (let edge = job.table.firstEdge(task); edge >= 0; edge = edges.next[edge]!) {
    const dependant = state.jobs.get(edges.job[edge]!);
    const index = edges.task[edge]!;
    // Released, cancelled or erred meanwhile: a retry counts its needs anew.
    if (dependant?.table.state(index) !== TASK.waiting) continue;
    const left = dependant.table.waitsFor(index) - 1;
    assert(left >= 0, () => `${keyOf(dependant, index)} waits for less than nothing`);
    dependant.table.setWaitsFor(index, left);
    if (left > 0) continue;
    move(state, dependant, index, TASK.queued);
    makeReady(state, batchOf(dependant, index), index);
  }
}

/** Links a new task to what it needs. @returns How many of its needs have not finished. */
export function linkNeeds(state: SchedulerState, job: Job, task: number): number {
  let unfinished = 0;
  forEachNeed(state, job, task, (need, index) => {
    if (isDone(need, index)) return;
    addEdge(state, need, index, job.job, task);
    unfinished++;
  });
  job.table.setWaitsFor(task, unfinished);
  return unfinished;
}

/** Needs that have not finished, of a task whose edges are there already. */
export function countNeeds(state: SchedulerState, job: Job, task: number): number {
  let unfinished = 0;
  forEachNeed(state, job, task, (need, index) => {
    if (!isDone(need, index)) unfinished++;
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

function isDone(job: Job, task: number): boolean {
  const now = job.table.state(task);
  return now === TASK.finished || now === TASK.released;
}

function addEdge(state: SchedulerState, need: Job, index: number, job: number, task: number): void {
  const { edges } = state;
  if (edges.count === edges.next.length) {
    for (const name of ["next", "job", "task"] as const) {
      const larger = name === "next" ? new Int32Array(2 * edges.count) : new Uint32Array(2 * edges.count);
      larger.set(edges[name]);
      Object.assign(edges, { [name]: larger });
    }
  }
  const edge = edges.count++;
  edges.next[edge] = need.table.firstEdge(index);
  edges.job[edge] = job;
  edges.task[edge] = task;
  need.table.setFirstEdge(index, edge);
}

/** A task is erred for good, and with it all that need it. Journals; watchers are told when it is durable. */
export function fail(state: SchedulerState, job: Job, task: number, error: TaskError, worker = 0): void {
  const todo: { job: Job; task: number; error: TaskError; worker: number }[] = [{ job, task, error, worker }];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    err(state, next.job, next.task, next.error, next.worker);
    const because = `Task ${keyOf(next.job, next.task)}, which it needs, failed: ${next.error.message}`;
    for (const dependant of waitingFor(state, next.job, next.task))
      todo.push({ ...dependant, error: needFailed(because.slice(0, 16_000)), worker: 0 });
  }
}

/** Tasks that wait for this one will not get what they need. */
function failDependants(state: SchedulerState, job: Job, task: number, because: string): void {
  for (const dependant of waitingFor(state, job, task)) fail(state, dependant.job, dependant.task, needFailed(because));
}

function needFailed(message: string): TaskError {
  return { code: "PE_NEED_FAILED", message, stack: "", attempts: 0, worker: "" };
}

function waitingFor({ edges, jobs }: SchedulerState, job: Job, task: number): { job: Job; task: number }[] {
  const waiting: { job: Job; task: number }[] = [];
  for (let edge = job.table.firstEdge(task); edge >= 0; edge = edges.next[edge]!) {
    const dependant = jobs.get(edges.job[edge]!);
    const index = edges.task[edge]!;
    if (dependant?.table.state(index) === TASK.waiting) waiting.push({ job: dependant, task: index });
  }
  return waiting;
}

function err(state: SchedulerState, job: Job, task: number, error: TaskError, worker: number): void {
  // Two paths of a graph may lead to one task.
  if (job.table.state(task) === TASK.erred) return;
  state.suspects.delete(leaseKey(job.job, task));
  move(state, job, task, TASK.erred, worker);
  job.errors.set(task, error);
  journal(state, { type: "erred", job: job.job, task, ...error });
  state.durability.after(() => {
    job.table.setSettled(task, true);
    for (const link of job.watchers.keys()) tellError(state, link, job, task);
    tellEnd(state, job);
  });
  if (job.table.counts[TASK.erred]! > job.maxFails) cancel(state, job, undefined);
}

export function tellError(state: SchedulerState, link: number, job: Job, task: number): void {
  const error = job.errors.get(task);
  if (error === undefined) return;
  toClient(state, link, { type: "erred", job: job.job, task, ...error, story: state.story.of(job.job, task) });
}

/** Cancels tasks that have not ended, those named or all; workers drop their hand-outs. */
export function cancel(state: SchedulerState, job: Job, tasks: Iterable<number> | undefined): void {
  const cancelled: number[] = [];
  for (const task of tasks ?? range(job.table.rows)) {
    const now = job.table.state(task);
    if (now !== TASK.waiting && now !== TASK.queued && now !== TASK.processing) continue;
    state.suspects.delete(leaseKey(job.job, task));
    if (now === TASK.processing) dropHandOut(state, job, task);
    move(state, job, task, TASK.cancelled);
    cancelled.push(task);
  }
  if (cancelled.length === 0) return;
  for (const task of cancelled)
    failDependants(state, job, task, `Task ${keyOf(job, task)}, which it needs, was cancelled`);
  const column = Uint32Array.from(cancelled);
  journal(state, { type: "cancelled", job: job.job, tasks: column });
  state.durability.after(() => {
    for (const task of cancelled) job.table.setSettled(task, true);
    for (const link of job.watchers.keys()) tellCancelled(state, link, job, column);
    tellEnd(state, job);
  });
}

const TOLD_TASKS_MAX = 4096;

export function tellCancelled(state: SchedulerState, link: number, job: Job, tasks: Uint32Array): void {
  for (let start = 0; start < tasks.length; start += TOLD_TASKS_MAX)
    toClient(state, link, { type: "cancelled", job: job.job, tasks: tasks.slice(start, start + TOLD_TASKS_MAX) });
}

/** Once, when all tasks of a sealed job have ended. */
export function tellEnd(state: SchedulerState, job: Job): void {
  if (job.toldEnd || !hasEnded(job)) return;
  job.toldEnd = true;
  for (const link of job.watchers.keys()) toClient(state, link, { type: "ended", job: job.job, counts: countsOf(job) });
}

export function countsOf({
  table: { counts },
}: Job): Record<"waiting" | "queued" | "processing" | "finished" | "erred" | "cancelled", number> {
  return {
    waiting: counts[TASK.waiting]!,
    queued: counts[TASK.queued]!,
    processing: counts[TASK.processing]!,
    finished: counts[TASK.finished]! + counts[TASK.released]!,
    erred: counts[TASK.erred]!,
    cancelled: counts[TASK.cancelled]!,
  };
}

/** A hand-out is over without a result: the task may be handed out again. */
export function requeue(state: SchedulerState, job: Job, task: number, worker: number): void {
  move(state, job, task, TASK.queued, worker);
  makeReady(state, batchOf(job, task), task);
}

/** A thread or worker died under a task: from now on it runs alone, and the third death is its own fault. */
export function suspect(state: SchedulerState, job: Job, task: number, worker: number, how: string): void {
  const deaths = job.table.deaths(task) + 1;
  job.table.setDeaths(task, deaths);
  journal(state, { type: "died", job: job.job, task, deaths });
  if (deaths >= DEATHS_MAX) {
    const message = `Task ${keyOf(job, task)} ended ${deaths} workers or threads, alone in the last ${deaths - 1}: ${how}`;
    const name = state.workers.get(worker)?.name ?? "";
    return fail(
      state,
      job,
      task,
      { code: "PE_TASK_POISON", message, stack: "", attempts: job.table.attempt(task), worker: name },
      worker,
    );
  }
  move(state, job, task, TASK.queued, worker);
  state.suspects.add(leaseKey(job.job, task));
}

/** Job and index of a lease key. */
export function splitKey(key: number): { job: number; task: number } {
  return { job: Math.floor(key / U24), task: key % U24 };
}

export function* range(stop: number): Iterable<number> {
  for (let value = 0; value < stop; value++) yield value;
}
