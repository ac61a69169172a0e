/** The state of an earlier life from its records, and a short list of records that would give the present state. */
import type { JournalRecord } from "../../protocol/journal-records.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import type { journalRecords } from "../../protocol/journal-records.ts";
import { assert } from "../../common/assert.ts";
import { addBatch, appendedRecord } from "./appending.ts";
import { finishedOf, sizeOf } from "./finished.ts";
import { settleEnd } from "./claims.ts";
import { settle } from "./graph.ts";
import { runAgain } from "./lineage.ts";
import { hasResult } from "./needs.ts";
import { batchOf, createJob, type Batch, type Job } from "./job.ts";
import { forget } from "./releasing.ts";
import { addJob, putBack } from "./requests.ts";
import { leaveSuspects, makeReady, move, type HandOutName, type SchedulerState } from "./state.ts";
import { addAccusation, removeAccusation, spend } from "./suspects.ts";
import { failWhoseNeedsFailed, forgetAccusations, range, readyWhoseNeedsEnded } from "./transitions.ts";
import { TASK } from "./task-state.ts";
import { keepResult } from "./totals.ts";
import { addValue } from "./values.ts";
import { leaseKey } from "./worker-record.ts";

type Replay = {
  readonly [Name in JournalRecord["type"]]: (
    state: SchedulerState,
    record: MessageOf<typeof journalRecords, Name>,
  ) => void;
};

const REPLAY: Replay = {
  epoch: (state, { epoch }) => {
    state.epoch = Math.max(state.epoch, epoch);
  },
  opened: (state, head) => addJob(state, createJob(head, state.nowMs)),
  appended: (state, record) => readyWhoseNeedsEnded(state, addBatch(state, jobOf(state, record.job), record)),
  sealed: (state, { job }) => {
    jobOf(state, job).sealed = true;
  },
  finished: (state, record) => {
    const { job: number, tasks } = record;
    const job = jobOf(state, number);
    for (const [place, task] of tasks.entries()) {
      run(state, job, task);
      move(state, job, task, TASK.finished);
      keepResult(state, job, record, place);
      if (sizeOf(record, place) > 0) addValue(state, job, task, sizeOf(record, place));
      forgetAccusations(state, job, task);
      state.spent.delete(leaseKey(number, task));
      settle(state, job, task);
    }
  },
  erred: (state, { job: number, task, code, message, stack, attempts, worker }) => {
    const job = jobOf(state, number);
    move(state, job, task, TASK.erred);
    job.errors.set(task, { code, message, stack, attempts, worker });
    forgetAccusations(state, job, task);
    settleEnd(state, job, task);
  },
  lost: (state, { job: number, tasks }) => {
    const job = jobOf(state, number);
    for (const task of tasks)
      if (hasResult(job, task)) runAgain(state, job, task);
      else forgive(state, job, task);
  },
  cancelled: (state, { job: number, tasks, because }) => {
    const job = jobOf(state, number);
    if (because !== undefined) job.because = because;
    for (const task of tasks) {
      move(state, job, task, TASK.cancelled);
      forgetAccusations(state, job, task);
      settleEnd(state, job, task);
    }
  },
  retried: (state, { job, tasks }) => putBack(state, jobOf(state, job), tasks),
  died: (state, { job: number, task, deaths, epoch, attempt, instance, how }) => {
    const job = jobOf(state, number);
    const isQueued = job.table.state(task) === TASK.queued;
    if (isQueued) leaveSuspects(state, job, task);
    job.table.setDeaths(task, deaths);
    if (isQueued) makeReady(state, batchOf(job, task), task);
    const accusation = { epoch, attempt, instance };
    if (how === "closed") addAccusation(state, job, task, accusation);
    else if (how === "acquitted") removeAccusation(state, job, task, accusation);
    else spend(state, job, task, { epoch, attempt });
  },
  failed: (state, { job: number, task, fails, epoch, attempt }) => {
    const job = jobOf(state, number);
    job.table.setFails(task, fails);
    spend(state, job, task, { epoch, attempt });
  },
  released: (state, { job: number }) => {
    const job = state.jobs.get(number);
    if (job !== undefined) forget(state, job);
    // A snapshot leaves released jobs out, but says which number was the last: none is given twice.
    state.nextJob = Math.max(state.nextJob, number + 1);
  },
};

/** Applies one record of an earlier life, in order. */
export function replay(state: SchedulerState, record: JournalRecord): void {
  (REPLAY[record.type] as (state: SchedulerState, record: JournalRecord) => void)(state, record);
}

/** Of a volatile task, whose end is in no record: it runs as if for the first time. */
function forgive(state: SchedulerState, job: Job, task: number): void {
  const isQueued = job.table.state(task) === TASK.queued;
  if (isQueued) leaveSuspects(state, job, task);
  job.table.setFails(task, 0);
  job.table.setDeaths(task, 0);
  forgetAccusations(state, job, task);
  state.spent.delete(leaseKey(job.job, task));
  if (isQueued) makeReady(state, batchOf(job, task), task);
}

function jobOf(state: SchedulerState, number: number): Job {
  const job = state.jobs.get(number);
  assert(job !== undefined, () => `the journal names job ${number}, which was not opened`);
  return job;
}

/**
 * To processing, which no record tells: a finished task was handed out. In a snapshot it may come before what it needed.
 */
function run(state: SchedulerState, job: Job, task: number): void {
  if (job.table.state(task) === TASK.waiting) move(state, job, task, TASK.queued);
  move(state, job, task, TASK.processing);
}

/**
 * What the life before had to write and may not have come to: tasks whose needs failed are erred with them. Journals, so it
 * belongs to the new life.
 */
export function complete(state: SchedulerState): void {
  for (const job of state.jobs.values())
    for (const { needs, start, stop } of job.batches)
      if (needs !== undefined) failWhoseNeedsFailed(state, job, range(stop, start));
}

/** Records that restore what is durable now, fewer than the journal's own. Call when everything written is durable. */
export function* snapshot(state: SchedulerState): Iterable<JournalRecord> {
  assert(state.durability.durable === state.durability.written, "a snapshot needs everything to be durable");
  yield { type: "epoch", epoch: state.epoch };
  const last = state.nextJob - 1;
  if (last > 0 && !state.jobs.has(last)) yield { type: "released", job: last };
  for (const { job, id, kind, version, common, maxFails, transient } of state.jobs.values())
    yield { type: "opened", job, id, kind, version, common, maxFails, transient };
  // A batch may need tasks of a job that was opened after its own: the order of all batches is what counts.
  const batches = [...state.jobs.values()].flatMap((job) => job.batches);
  for (const batch of batches.toSorted((a, b) => a.sequence - b.sequence)) yield appendedOf(batch);
  for (const job of state.jobs.values()) {
    if (job.sealed) yield { type: "sealed", job: job.job };
    yield* endsOf(state, job);
  }
}

function appendedOf({ job, start, stop, options, parameters, needs, groups }: Batch): JournalRecord {
  const keys = job.keys.slice(start, stop);
  return appendedRecord(job.job, {
    count: stop - start,
    options,
    parameters,
    keys: keys.some((key) => key !== undefined) ? (keys as string[]) : undefined,
    needs,
    groups,
  });
}

/** Of one record, so that none is too large to be written at once. */
const SNAPSHOT_TASKS_MAX = 65_536;
const SNAPSHOT_BYTES_MAX = 4 << 20;

/** How the tasks of a job ended, and what counts against those that have not. */
function* endsOf(state: SchedulerState, { job, table, errors, because }: Job): Iterable<JournalRecord> {
  let finished: number[] = [];
  let bytes = 0;
  const cancelled: number[] = [];
  for (let task = 0; task < table.rows; task++) {
    const now = table.state(task);
    const hasFinished = now === TASK.finished || now === TASK.released;
    if (!hasFinished) yield* countedAgainst(state, job, table, task);
    if (hasFinished) {
      finished.push(task);
      bytes += table.result(task).byteLength;
    } else if (now === TASK.cancelled) cancelled.push(task);
    else if (now === TASK.erred) yield { type: "erred", job, task, ...errors.get(task)! };
    if (finished.length === SNAPSHOT_TASKS_MAX || bytes >= SNAPSHOT_BYTES_MAX) {
      yield finishedRecord(job, table, finished);
      [finished, bytes] = [[], 0];
    }
  }
  if (finished.length > 0) yield finishedRecord(job, table, finished);
  if (cancelled.length > 0)
    yield { type: "cancelled", job, tasks: Uint32Array.from(cancelled), ...(because !== undefined && { because }) };
}

/** Failures and deaths of a task, and the hand-outs that must not be counted twice. */
function* countedAgainst(
  { spent, accused }: SchedulerState,
  job: number,
  table: Job["table"],
  task: number,
): Iterable<JournalRecord> {
  const last = spent.get(leaseKey(job, task));
  if (last !== undefined) yield failedRecord(job, task, table.fails(task), last);
  const accusations = accused.get(leaseKey(job, task)) ?? [];
  let deaths = table.deaths(task) - accusations.length;
  const { epoch, attempt } = last ?? { epoch: 0, attempt: 0 };
  if (deaths > 0) yield { type: "died", job, task, deaths, epoch, attempt, instance: "", how: "reported" };
  for (const name of accusations) yield { type: "died", job, task, deaths: ++deaths, ...name, how: "closed" };
}

function failedRecord(job: number, task: number, fails: number, { epoch, attempt }: HandOutName): JournalRecord {
  return { type: "failed", job, task, fails, epoch, attempt };
}

function finishedRecord(job: number, table: Job["table"], tasks: readonly number[]): JournalRecord {
  return { type: "finished", job, ...finishedOf(table, tasks) };
}
