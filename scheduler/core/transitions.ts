/** How tasks end, and what that means for tasks that need them. */
import { BECAUSE_LENGTH_MAX } from "../../protocol/client-link.ts";
import { MESSAGE_LENGTH_MAX } from "../../protocol/worker-link.ts";
import { fitting } from "../../protocol/fitting.ts";
import { batchOf, hasEnded, keyOf, type Batch, type Job, type TaskError } from "./job.ts";
import type { Finished } from "./finished.ts";
import { waitingFor } from "./graph.ts";
import { settleEnd } from "./claims.ts";
import { lostNeed } from "./needs.ts";
import { dropHandOut } from "./leases.ts";
import { journal, makeReady, move, toClient, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { keepResult } from "./totals.ts";
import { leaseKey } from "./worker-record.ts";

/** processing -> finished, for the task at `place` of a report. The caller journals and tells. */
export function finish(state: SchedulerState, job: Job, report: Finished, place: number, worker: number): void {
  const task = report.tasks[place]!;
  move(state, job, task, TASK.finished, worker);
  keepResult(state, job, report, place);
  forgetAccusations(state, job, task);
  if (state.spent.size > 0) state.spent.delete(leaseKey(job.job, task));
  state.counters.finished++;
}

/** A hand-out is over without a result: the task may be handed out again. */
export function requeue(state: SchedulerState, job: Job, task: number, worker: number): void {
  move(state, job, task, TASK.queued, worker);
  makeReady(state, batchOf(job, task), task);
}

interface Failing {
  readonly job: Job;
  readonly task: number;
  readonly error: TaskError;
  readonly worker: number;
  /** No task of the job can do better. */
  readonly endsJob: boolean;
}

interface Cancelling {
  readonly job: Job;
  /** Absent: all. */
  readonly tasks: Iterable<number> | undefined;
  /** The scheduler's own reason. */
  readonly because?: string;
}

/**
 * A task is erred for good, and with it all that wait for it; a job with too many errors, or with one that `endsJob`, is
 * cancelled. Journals; watchers are told when it is durable.
 */
export function fail(
  state: SchedulerState,
  job: Job,
  task: number,
  error: TaskError,
  { worker = 0, endsJob = false }: { worker?: number; endsJob?: boolean } = {},
): void {
  spread(state, [{ job, task, error, worker, endsJob }], []);
}

/** Cancels tasks that have not ended, those named or all; workers drop their hand-outs, tasks that wait for them err. */
export function cancel(state: SchedulerState, job: Job, tasks: Iterable<number> | undefined): void {
  spread(state, [], [{ job, tasks }]);
}

/** A loop, not a recursion: chains of jobs may be long. */
function spread(state: SchedulerState, failing: Failing[], cancelling: Cancelling[]): void {
  for (;;) {
    const cancelled = cancelling.pop();
    if (cancelled !== undefined) {
      cancelAndTell(state, cancelled, failing);
      continue;
    }
    const next = failing.pop();
    if (next === undefined) return;
    const { job, task, error } = next;
    // Two paths of a graph may lead to one task, or its job was cancelled meanwhile.
    if (!isUnended(job, task)) continue;
    // The rest is cancelled first: whatever of this a crash leaves in the journal, no task goes on that should not.
    const endOfJob = whyJobEnds(next);
    if (endOfJob !== undefined && unended(job) > 1)
      cancelAndTell(state, { job, tasks: others(job, task), because: endOfJob }, failing);
    err(state, next);
    const because = error.code === "PE_NEED_FAILED" ? error.message : needFailed(job, task, error);
    for (const dependant of waitingFor(state, job, task))
      failing.push({ ...dependant, error: needError(because), worker: 0, endsJob: false });
    forgetAccusations(state, job, task);
  }
}

function whyJobEnds({ job, task, error, endsJob }: Failing): string | undefined {
  const erred = job.table.counts[TASK.erred]!;
  const what = `task ${keyOf(job, task)} failed: ${error.message}`;
  if (endsJob) return fitting(`One error ends the job: ${what}`, BECAUSE_LENGTH_MAX);
  if (erred < job.maxFails) return undefined;
  return fitting(
    `${erred + 1} tasks failed, and the job may have ${job.maxFails} that fail; the last: ${what}`,
    BECAUSE_LENGTH_MAX,
  );
}

/** Names the task that failed first, however far away the one that is told. */
function needFailed(job: Job, task: number, { message }: TaskError): string {
  return `Task ${keyOf(job, task)}, which it needs, failed: ${message}`;
}

function needError(message: string): TaskError {
  const shortened = fitting(message, BECAUSE_LENGTH_MAX);
  return { code: "PE_NEED_FAILED", message: shortened, stack: "", attempts: 0, worker: "" };
}

/** Of a batch that came, or was put back: tasks whose needs failed before. */
export function failWhoseNeedsFailed(state: SchedulerState, job: Job, tasks: Iterable<number>): void {
  for (const task of tasks) {
    if (!isUnended(job, task)) continue;
    const because = lostNeed(state, job, task);
    if (because !== undefined) failBecause(state, job, task, because);
  }
}

/** A task will never have what it needs. */
export function failBecause(state: SchedulerState, job: Job, task: number, because: string): void {
  fail(state, job, task, needError(because));
}

function isUnended({ table }: Job, task: number): boolean {
  return table.state(task) < TASK.finished;
}

function unended({ table: { counts } }: Job): number {
  return counts[TASK.waiting]! + counts[TASK.queued]! + counts[TASK.processing]!;
}

function* others({ table }: Job, task: number): Iterable<number> {
  for (let other = 0; other < table.rows; other++) if (other !== task) yield other;
}

function err(state: SchedulerState, { job, task, error, worker }: Failing): void {
  move(state, job, task, TASK.erred, worker);
  const fitted = { ...error, message: fitting(error.message, MESSAGE_LENGTH_MAX) };
  job.errors.set(task, fitted);
  journal(state, { type: "erred", job: job.job, task, ...fitted });
  state.durability.after(() => {
    settleEnd(state, job, task);
    for (const link of job.watchers.keys()) tellError(state, link, job, task);
    tellEnd(state, job);
  });
}

export function tellError(state: SchedulerState, link: number, job: Job, task: number): void {
  const error = job.errors.get(task);
  if (error === undefined) return;
  toClient(state, link, {
    type: "erred",
    job: job.job,
    task,
    ...error,
    story: state.story.of(job.job, task, state.nowMs),
  });
}

function cancelAndTell(state: SchedulerState, { job, tasks, because }: Cancelling, failing: Failing[]): void {
  const cancelled = cancelUnended(state, job, tasks ?? range(job.table.rows));
  if (cancelled.length === 0) return;
  if (because !== undefined) job.because = because;
  journal(state, { type: "cancelled", job: job.job, tasks: cancelled, ...(because !== undefined && { because }) });
  for (const task of cancelled)
    for (const dependant of waitingFor(state, job, task)) {
      const error = needError(`Task ${keyOf(job, task)}, which it needs, was cancelled`);
      failing.push({ ...dependant, error, worker: 0, endsJob: false });
    }
  state.durability.after(() => tellCancelledAll(state, job, cancelled));
}

/** Of these tasks those that have not ended are cancelled. Neither journals nor tells. */
export function cancelUnended(state: SchedulerState, job: Job, tasks: Iterable<number>): Uint32Array {
  const cancelled: number[] = [];
  for (const task of tasks) {
    if (!isUnended(job, task)) continue;
    if (job.table.state(task) === TASK.processing) dropHandOut(state, job, task);
    move(state, job, task, TASK.cancelled);
    forgetAccusations(state, job, task);
    cancelled.push(task);
  }
  return Uint32Array.from(cancelled);
}

/** It is durable that they are cancelled. */
export function tellCancelledAll(state: SchedulerState, job: Job, tasks: Uint32Array): void {
  for (const task of tasks) settleEnd(state, job, task);
  for (const link of job.watchers.keys()) tellCancelled(state, link, job, tasks);
  tellEnd(state, job);
}

const TOLD_TASKS_MAX = 4096;

export function tellCancelled(state: SchedulerState, link: number, job: Job, tasks: Uint32Array): void {
  const { because } = job;
  for (let start = 0; start < tasks.length; start += TOLD_TASKS_MAX)
    toClient(state, link, {
      type: "cancelled",
      job: job.job,
      tasks: tasks.slice(start, start + TOLD_TASKS_MAX),
      ...(because !== undefined && { because }),
    });
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

/** Of a batch with needs: tasks whose needs had all finished before it came are queued once it is durable. */
export function readyWhoseNeedsEnded(state: SchedulerState, batch: Batch): void {
  if (batch.needs === undefined) return;
  const { table } = batch.job;
  for (let task = batch.start; task < batch.stop; task++) {
    if (table.state(task) !== TASK.waiting || table.waitsFor(task) > 0) continue;
    move(state, batch.job, task, TASK.queued);
    makeReady(state, batch, task);
  }
}

export function forgetAccusations({ accused }: SchedulerState, job: Job, task: number): void {
  if (accused.size > 0) accused.delete(leaseKey(job.job, task));
}

export function* range(stop: number, start = 0): Iterable<number> {
  for (let value = start; value < stop; value++) yield value;
}
