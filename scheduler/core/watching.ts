/** Who wants to know how the tasks of a job end, and telling them: once for each watch. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { clientToScheduler } from "../../protocol/client-link.ts";
import { findJob } from "./answers.ts";
import { watcherLeft } from "./claims.ts";
import { finishedOf, sliceOf, type Finished } from "./finished.ts";
import type { Job } from "./job.ts";
import { toClient, type SchedulerState } from "./state.ts";
import { countsOf, tellCancelled, tellEnd, tellError } from "./transitions.ts";
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
    const watcher = job.watchers.get(link)!;
    go(state, { job, link, watcher, settled: job.table.settledNow(), next: 0 });
  });
}

const TOLD_TASKS_MAX = 1000;
const TOLD_BYTES_MAX = 256 * 1024;

/**
 * A watcher on its way through what had ended when it came; what ends from then on it is told as it ends. Of ten million tasks
 * that takes seconds, and nothing else may wait for it: so it goes piece by piece.
 */
export interface Telling {
  readonly job: Job;
  readonly link: number;
  readonly watcher: object;
  /** By task: 1 where it had ended. */
  readonly settled: Uint8Array;
  /** Tasks below were told. */
  next: number;
}

/** A piece of one of them, in turn. */
export function tellMore(state: SchedulerState): void {
  for (const telling of state.telling) {
    state.telling.delete(telling);
    return go(state, telling);
  }
}

/** The job is about to be forgotten. */
export function tellRest(state: SchedulerState, job: Job): void {
  for (const telling of state.telling) if (telling.job === job) while (!tellPiece(state, telling));
}

function go(state: SchedulerState, telling: Telling): void {
  if (!tellPiece(state, telling)) state.telling.add(telling);
}

/** @returns Whether that was the last, or nobody wants to know any more. */
function tellPiece(state: SchedulerState, telling: Telling): boolean {
  const { job, link, watcher, settled } = telling;
  if (state.jobs.get(job.job) !== job || job.watchers.get(link) !== watcher) return true;
  const { finished, cancelled } = tellErredOf(state, telling);
  const { results } = job.watchers.get(link)!;
  for (let start = 0; start < finished.length; start += TOLD_TASKS_MAX)
    tellFinished(state, link, job, finishedOf(job.table, finished.slice(start, start + TOLD_TASKS_MAX)), results);
  tellCancelled(state, link, job, Uint32Array.from(cancelled));
  if (telling.next < settled.length) return false;
  // Of a job that ended in an earlier life nobody was told in this one.
  if (!job.toldEnd) tellEnd(state, job);
  else toClient(state, link, { type: "ended", job: job.job, counts: countsOf(job) });
  return true;
}

/** Tasks that a piece goes through at most. */
const PIECE_TASKS_MAX = 65_536;
/** An error comes with its story, which is looked for in that of all tasks. */
const ERROR_COST = 256;
const BYTES_PER_TASK = 64;

/** Tells the errors of a piece; the rest goes many at a time. */
function tellErredOf(state: SchedulerState, telling: Telling): { finished: number[]; cancelled: number[] } {
  const { job, link, settled } = telling;
  const { table } = job;
  const [finished, cancelled]: [number[], number[]] = [[], []];
  for (let cost = 0; telling.next < settled.length && cost < PIECE_TASKS_MAX; cost++) {
    const task = telling.next++;
    // What is tried again since is told when it ends.
    if (settled[task] === 0 || !table.isSettled(task)) continue;
    const now = table.state(task);
    if (now === TASK.finished || now === TASK.released) {
      finished.push(task);
      cost += Math.floor(table.resultLength(task) / BYTES_PER_TASK);
    } else if (now === TASK.erred) {
      tellError(state, link, job, task);
      cost += ERROR_COST;
    } else if (now === TASK.cancelled) cancelled.push(task);
  }
  return { finished, cancelled };
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
  if (!job.watchers.delete(link)) return;
  watcherLeft(state, job);
  if (job.watchers.size > 0 || !job.transient) return;
  job.abandonedMs = state.nowMs;
  state.abandoned.add(job);
}
