/** Who wants to know how the tasks of a job end, and telling them: once for each watch. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { clientToScheduler } from "../../protocol/client-link.ts";
import { findJob } from "./answers.ts";
import { finishedOf, sliceOf, type Finished } from "./finished.ts";
import type { Job } from "./job.ts";
import { toClient, type SchedulerState } from "./state.ts";
import { countsOf, range, tellCancelled, tellEnd, tellError } from "./transitions.ts";
import { TASK } from "./task-state.ts";

export function watch(
  state: SchedulerState,
  link: number,
  { request, job: number, results }: MessageOf<typeof clientToScheduler, "watch">,
): void {
  const job = findJob(state, link, request, number);
  if (job === undefined) return;
  // What has ended is told once it is durable; what ends later comes after it, because both wait in one line.
  state.durability.after(() => {
    if (!state.clients.has(link) || state.jobs.get(number) !== job) return;
    job.watchers.set(link, { results });
    job.abandonedMs = undefined;
    state.abandoned.delete(job);
    toClient(state, link, { type: "ok", request });
    tellAllEnded(state, link, job, results);
  });
}

const TOLD_TASKS_MAX = 1000;
const TOLD_BYTES_MAX = 256 * 1024;

function tellAllEnded(state: SchedulerState, link: number, job: Job, results: boolean): void {
  const { table } = job;
  const finished: number[] = [];
  const cancelled: number[] = [];
  for (const task of range(table.rows)) {
    if (!table.isSettled(task)) continue;
    const now = table.state(task);
    if (now === TASK.finished || now === TASK.released) finished.push(task);
    else if (now === TASK.erred) tellError(state, link, job, task);
    else if (now === TASK.cancelled) cancelled.push(task);
  }
  tellFinished(state, link, job, finishedOf(table, finished), results);
  tellCancelled(state, link, job, Uint32Array.from(cancelled));
  // Of a job that ended in an earlier life nobody was told in this one.
  if (!job.toldEnd) tellEnd(state, job);
  else toClient(state, link, { type: "ended", job: job.job, counts: countsOf(job) });
}

/** Finished tasks with their results, in messages of bounded size. */
export function tellFinished(
  state: SchedulerState,
  link: number,
  job: Job,
  finished: Finished,
  results: boolean,
): void {
  const told = results ? finished : { ...finished, ends: new Uint32Array(finished.tasks.length), results: NONE };
  const { tasks, ends } = told;
  for (let start = 0; start < tasks.length;) {
    const base = start === 0 ? 0 : ends[start - 1]!;
    let stop = start + 1;
    while (stop < tasks.length && stop - start < TOLD_TASKS_MAX && ends[stop - 1]! - base < TOLD_BYTES_MAX) stop++;
    toClient(state, link, { type: "finished", job: job.job, ...sliceOf(told, start, stop) });
    start = stop;
  }
}

const NONE = new Uint8Array(0);

export function forgetWatcher(state: SchedulerState, job: Job, link: number): void {
  if (!job.watchers.delete(link) || job.watchers.size > 0 || !job.transient) return;
  job.abandonedMs = state.nowMs;
  state.abandoned.add(job);
}
