/** Tasks that are added to a job. */
import {
  JOB_TASKS_MAX,
  PARAMETERS_BYTES_MAX,
  type ClientToScheduler,
  type clientToScheduler,
} from "../../protocol/client-link.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import { findJob, refuse } from "./answers.ts";
import { linkNeeds } from "./graph.ts";
import { segmentsOf } from "./groups.ts";
import { batchOf, fit, type Batch, type Job, type Needs } from "./job.ts";
import { joinKnownKeys } from "./known-keys.ts";
import { journal, toClient, type SchedulerState } from "./state.ts";
import { failWhoseNeedsFailed, range, readyWhoseNeedsEnded } from "./transitions.ts";
import { TASK } from "./task-state.ts";
import { countBatch, faultOfTotals } from "./totals.ts";
import { leaseKey } from "./worker-record.ts";

export type Append = MessageOf<typeof clientToScheduler, "append"> & ClientToScheduler;
/** What a batch is made of; as a request or a record has it. */
export type BatchContent = Pick<Append, "count" | "options" | "parameters" | "keys" | "needs" | "groups" | "labels">;

export function append(state: SchedulerState, link: number, message: Append): void {
  const { request, job: number, from, count, keys } = message;
  const job = findJob(state, link, request, number);
  if (job === undefined) return;
  const { rows } = job.table;
  if (keys?.some((key) => state.keys.has(key)) === true) return appendJoining(state, link, job, message);
  // Said before, by this client or by one that died: the same tasks.
  if (from + count > rows) {
    const fault =
      from === rows ? faultOf(state, job, message) : `it has ${rows} tasks, the request goes on from ${from}`;
    if (fault !== undefined) return refuseBatch(state, link, request, job, fault);
    addAndJournal(state, job, message);
  }
  tellAppended(state, link, request, job);
}

/** Some keys are known: those tasks are joined, the others added. */
function appendJoining(state: SchedulerState, link: number, job: Job, message: Append): void {
  const { request } = message;
  const fault = faultOfContent(state, job, message);
  if (fault !== undefined) return refuseBatch(state, link, request, job, fault);
  const { conflict, joined, rest } = joinKnownKeys(state, job, message);
  if (conflict !== undefined) return refuse(state, link, request, "PE_JOB_CONFLICT", conflict);
  if (rest.count > 0) {
    const tooMany = faultOfRows(job, rest.count) ?? faultOfTotals(state, rest);
    if (tooMany !== undefined) return refuseBatch(state, link, request, job, tooMany);
    addAndJournal(state, job, rest);
  }
  state.durability.after(() => toClient(state, link, { type: "joined", request, ...joined }));
  tellAppended(state, link, request, job);
}

function refuseBatch(state: SchedulerState, link: number, request: number, job: Job, reason: string): void {
  refuse(state, link, request, "PE_PARAMETER", `Cannot add tasks to job "${job.id}": ${reason}`);
}

function tellAppended(state: SchedulerState, link: number, request: number, { job, table: { rows } }: Job): void {
  state.durability.after(() => toClient(state, link, { type: "appended", request, job, tasks: rows }));
}

function addAndJournal(state: SchedulerState, job: Job, content: BatchContent): void {
  const batch = addBatch(state, job, content);
  journal(state, appendedRecord(job.job, content));
  if (batch.needs === undefined) return;
  failWhoseNeedsFailed(state, job, range(batch.stop, batch.start));
  state.durability.after(() => readyWhoseNeedsEnded(state, batch));
}

export function appendedRecord(
  job: number,
  { count, options, parameters, keys, needs, groups }: BatchContent,
): JournalRecord {
  return {
    type: "appended",
    job,
    count,
    options,
    ...(parameters !== undefined && { parameters }),
    ...(keys !== undefined && { keys }),
    ...(needs !== undefined && { needs }),
    ...(groups !== undefined && { groups }),
  };
}

/** Adds the tasks of a batch; those without needs are queued. */
export function addBatch(
  state: SchedulerState,
  job: Job,
  { count, options, parameters, keys, needs, groups, labels }: BatchContent,
): Batch {
  const start = job.table.add(count, needs === undefined ? TASK.queued : TASK.waiting);
  const sequence = state.nextBatch++;
  const batch: Batch = {
    job,
    start,
    stop: start + count,
    options,
    parameters: parameters && { ends: parameters.ends.slice(), values: parameters.values.slice() },
    needs: needs && { ends: needs.ends.slice(), jobs: needs.jobs.slice(), tasks: needs.tasks.slice() },
    groups: groups?.slice(),
    labels: labels?.slice(),
    sequence,
    ...ancestryOf(state, job, needs, sequence),
    shape: JSON.stringify([job.kind, job.version, options.resources, options.workers]),
    fresh: needs === undefined ? segmentsOf(state, start, start + count, groups, labels) : [],
    ready: [],
    tookUs: undefined,
    isQueued: false,
  };
  job.batches.push(batch);
  job.hasNeeds ||= needs !== undefined;
  countBatch(state, batch);
  for (const [place, key] of (keys ?? []).entries()) {
    job.keys[start + place] = key;
    state.keys.set(key, leaseKey(job.job, start + place));
  }
  if (needs === undefined) state.queue.add(batch);
  else for (let task = start; task < batch.stop; task++) linkNeeds(state, job, task);
  return batch;
}

/** Of a batch that needs others; what is needed often comes from one batch after the other. */
function ancestryOf(
  state: SchedulerState,
  own: Job,
  needs: Needs | undefined,
  sequence: number,
): { age: number; depth: number } {
  let [age, depth] = [sequence, 0];
  if (needs === undefined) return { age, depth };
  let last: Batch | undefined;
  for (let k = 0; k < needs.jobs.length; k++) {
    const task = needs.tasks[k]!;
    if (last !== undefined && last.job.job === needs.jobs[k] && task >= last.start && task < last.stop) continue;
    const job = needs.jobs[k] === own.job ? own : state.jobs.get(needs.jobs[k]!);
    // Of itself, or of a job that was released since.
    if (job === undefined || task >= (job.batches.at(-1)?.stop ?? 0)) continue;
    last = batchOf(job, task);
    age = Math.min(age, last.age);
    depth = Math.max(depth, last.depth + 1);
  }
  return { age, depth };
}

/** What is wrong with a batch, if anything. */
function faultOf(state: SchedulerState, job: Job, message: Append): string | undefined {
  return faultOfRows(job, message.count) ?? faultOfTotals(state, message) ?? faultOfContent(state, job, message);
}

function faultOfRows({ sealed, table: { rows } }: Job, count: number): string | undefined {
  if (sealed) return "it is sealed";
  return rows + count > JOB_TASKS_MAX ? `a job has at most ${JOB_TASKS_MAX} tasks` : undefined;
}

function faultOfContent(
  state: SchedulerState,
  job: Job,
  { count, from, parameters, keys, needs, groups, labels }: Append,
): string | undefined {
  if (parameters !== undefined && !fit(parameters.ends, count, parameters.values.byteLength))
    return "its parameters do not fit its number of tasks";
  if (parameters !== undefined && longest(parameters.ends) > PARAMETERS_BYTES_MAX)
    return `a task has ${longest(parameters.ends)} bytes of parameters, more than ${PARAMETERS_BYTES_MAX}; what is large belongs into a file, or into what the tasks share`;
  if (keys !== undefined) {
    if (keys.length !== count) return `it has ${keys.length} keys for ${count} tasks`;
    if (new Set(keys).size !== count) return "two of its tasks have one key";
  }
  if (groups !== undefined) {
    if (!groups.every((start, place) => place === 0 || start > groups[place - 1]!)) return "its groups do not ascend";
    if (labels !== undefined && labels.length !== groups.length) return "its labels do not fit its groups";
    if (groups.some((start) => start < from || start >= from + count)) return "its groups start outside of it";
  }
  return needs === undefined ? undefined : faultOfNeeds(state, job, from, count, needs);
}

function faultOfNeeds(
  state: SchedulerState,
  job: Job,
  from: number,
  count: number,
  { ends, jobs, tasks }: Needs,
): string | undefined {
  if (jobs.length !== tasks.length || !fit(ends, count, jobs.length)) return "its needs do not fit its number of tasks";
  for (let task = 0; task < count; task++)
    for (let k = task === 0 ? 0 : ends[task - 1]!; k < ends[task]!; k++) {
      const need = jobs[k] === job.job ? job : state.jobs.get(jobs[k]!);
      const index = tasks[k]!;
      if (need === undefined) return `task ${from + task} needs job ${jobs[k]}, which is not known`;
      if (need === job && index >= from + task)
        return `task ${from + task} needs task ${index}, which is not before it: the graph would have a cycle`;
      if (need !== job && index >= need.table.rows)
        return `task ${from + task} needs task ${index} of "${need.id}", which has ${need.table.rows}`;
    }
  return undefined;
}

/** Bytes of the longest of some blobs. */
function longest(ends: Uint32Array): number {
  let most = 0;
  for (let place = 0; place < ends.length; place++)
    most = Math.max(most, ends[place]! - (place === 0 ? 0 : ends[place - 1]!));
  return most;
}
