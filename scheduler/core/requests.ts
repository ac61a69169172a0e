/** What clients ask for. Each request is answered once: by what it asked for when that is durable, or by a refusal. */
import { KEY_LENGTH_MAX } from "../../protocol/client-link.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import type { clientToScheduler, ClientToScheduler } from "../../protocol/client-link.ts";
import { batchOf, createJob, type Batch, type Job, type Needs } from "./job.ts";
import { JOBS_MAX } from "./limits.ts";
import { journal, makeReady, move, toClient, type SchedulerState } from "./state.ts";
import { cancel, countNeeds, countsOf, linkNeeds, range, tellCancelled, tellEnd, tellError } from "./transitions.ts";
import { TASK } from "./task-state.ts";
import { leaseKey } from "./worker-record.ts";

type Request<Name extends ClientToScheduler["type"]> = MessageOf<typeof clientToScheduler, Name>;

/** One answer a request; a mapped type makes a new request without a handler an error of the compiler. */
type Handlers = {
  readonly [Name in ClientToScheduler["type"]]: (state: SchedulerState, link: number, message: Request<Name>) => void;
};

const HANDLERS: Handlers = {
  hello: (state, link, { name }) => {
    state.clients.set(link, { link, name });
    toClient(state, link, { type: "welcome", epoch: state.epoch, software: SOFTWARE });
  },
  open,
  append,
  seal: (state, link, { request, job: number }) => {
    const job = findJob(state, link, request, number);
    if (job === undefined) return;
    if (!job.sealed) journal(state, { type: "sealed", job: number });
    job.sealed = true;
    answer(state, link, request);
    state.durability.after(() => tellEnd(state, job));
  },
  watch,
  unwatch: (state, link, { request, job: number }) => {
    const job = findJob(state, link, request, number);
    if (job === undefined) return;
    forgetWatcher(state, job, link);
    answer(state, link, request);
  },
  cancel: (state, link, { request, job: number, tasks }) => {
    const job = findJob(state, link, request, number, tasks);
    if (job === undefined) return;
    cancel(state, job, tasks);
    answer(state, link, request);
  },
  retry,
  release: (state, link, { request, job: number }) => {
    const job = findJob(state, link, request, number);
    if (job === undefined) return;
    if (isNeeded(state, job))
      return refuse(
        state,
        link,
        request,
        "PE_JOB_NEEDED",
        `Cannot release job "${job.id}": unfinished tasks of other jobs need its results`,
      );
    release(state, job);
    answer(state, link, request);
  },
  find: (state, link, { request, id }) => {
    const job = state.jobsById.get(id);
    toClient(state, link, { type: "found", request, ...(job !== undefined && { job: statusOf(job) }) });
  },
  status: (state, link, { request }) => tellStatus(state, link, request),
  story: (state, link, { request, job: number, task }) => {
    const job = findJob(state, link, request, number, [task]);
    if (job !== undefined) toClient(state, link, { type: "storyIs", request, lines: state.story.of(number, task) });
  },
};

const SOFTWARE = "pe-cluster";

export function onClientSaid(state: SchedulerState, link: number, message: ClientToScheduler): void {
  if (message.type !== "hello" && !state.clients.has(link)) {
    state.out.push({ type: "close-client", link, reason: `said ${message.type} before hello` });
    return;
  }
  (HANDLERS[message.type] as (state: SchedulerState, link: number, message: ClientToScheduler) => void)(
    state,
    link,
    message,
  );
}

/** A client is gone: its jobs go on, but those that end with their last watcher. */
export function onClientClosed(state: SchedulerState, link: number): void {
  state.clients.delete(link);
  for (const job of state.jobs.values()) forgetWatcher(state, job, link);
}

function forgetWatcher(state: SchedulerState, job: Job, link: number): void {
  if (job.watchers.delete(link) && job.watchers.size === 0 && job.transient) job.abandonedMs = state.nowMs;
}

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

/** Everything known of a job is forgotten, its results too. */
export function release(state: SchedulerState, job: Job): void {
  cancel(state, job, undefined);
  journal(state, { type: "released", job: job.job });
  forget(state, job);
  for (const worker of state.workers.values())
    if (worker.jobs.delete(job.job))
      state.out.push({ type: "to-worker", link: worker.link, message: { type: "forget", job: job.job } });
}

export function forget(state: SchedulerState, job: Job): void {
  state.jobs.delete(job.job);
  state.jobsById.delete(job.id);
  for (const key of job.keys) if (key !== undefined) state.keys.delete(key);
}

function open(state: SchedulerState, link: number, message: Request<"open">): void {
  const { request, id, kind, version, common, maxFails, transient } = message;
  const known = state.jobsById.get(id);
  if (known !== undefined) {
    if (known.kind !== kind || known.version !== version || !equal(known.common, common))
      return refuse(
        state,
        link,
        request,
        "PE_JOB_CONFLICT",
        `Cannot open job "${id}": it is known with another kind, version or parameters; give the job another id`,
      );
    return state.durability.after(() =>
      toClient(state, link, { type: "opened", request, job: known.job, tasks: known.table.rows, known: true }),
    );
  }
  if (state.jobs.size >= JOBS_MAX)
    return refuse(
      state,
      link,
      request,
      "PE_LIMIT",
      `Cannot open job "${id}": the scheduler holds ${JOBS_MAX} jobs; release some`,
    );
  const head = { job: state.nextJob++, id, kind, version, common: common.slice(), maxFails, transient };
  addJob(state, createJob(head, state.nowMs));
  journal(state, { type: "opened", ...head });
  state.durability.after(() =>
    toClient(state, link, { type: "opened", request, job: head.job, tasks: 0, known: false }),
  );
}

export function addJob(state: SchedulerState, job: Job): void {
  state.jobs.set(job.job, job);
  state.jobsById.set(job.id, job);
  state.nextJob = Math.max(state.nextJob, job.job + 1);
}

function append(state: SchedulerState, link: number, message: Request<"append">): void {
  const { request, job: number, from, count } = message;
  const job = findJob(state, link, request, number);
  if (job === undefined) return;
  const rows = job.table.rows;
  if (from + count <= rows) {
    // Said before, by this client or by one that died: the same tasks.
    return state.durability.after(() => toClient(state, link, { type: "appended", request, job: number, tasks: rows }));
  }
  const reason = job.sealed
    ? "it is sealed"
    : from !== rows
      ? `it has ${rows} tasks, the request goes on from ${from}`
      : faultOf(state, job, message);
  if (reason !== undefined)
    return refuse(state, link, request, "PE_PARAMETER", `Cannot add tasks to job "${job.id}": ${reason}`);
  const batch = addBatch(state, job, message);
  const { options, parameters, keys, needs, groups } = message;
  journal(state, {
    type: "appended",
    job: number,
    count,
    options,
    ...(parameters !== undefined && { parameters }),
    ...(keys !== undefined && { keys }),
    ...(needs !== undefined && { needs }),
    ...(groups !== undefined && { groups }),
  });
  state.durability.after(() => {
    readyWhoseNeedsEnded(state, batch);
    toClient(state, link, { type: "appended", request, job: number, tasks: job.table.rows });
  });
}

type Appended = Pick<Request<"append">, "count" | "options" | "parameters" | "keys" | "needs" | "groups">;

/** Adds the tasks of a batch; those without needs are queued. */
export function addBatch(
  state: SchedulerState,
  job: Job,
  { count, options, parameters, keys, needs, groups }: Appended,
): Batch {
  const start = job.table.add(count, needs === undefined ? TASK.queued : TASK.waiting);
  const batch: Batch = {
    job,
    start,
    stop: start + count,
    options,
    parameters: parameters && { ends: parameters.ends.slice(), values: parameters.values.slice() },
    needs: needs && { ends: needs.ends.slice(), jobs: needs.jobs.slice(), tasks: needs.tasks.slice() },
    groups: groups?.slice(),
    sequence: state.nextBatch++,
    shape: JSON.stringify([job.kind, job.version, options.resources, options.workers]),
    fresh: needs === undefined ? [{ start, stop: start + count, owner: undefined }] : [],
    ready: [],
    tookUs: undefined,
    isQueued: false,
  };
  job.batches.push(batch);
  for (const [place, key] of (keys ?? []).entries()) {
    job.keys[start + place] = key;
    state.keys.set(key, leaseKey(job.job, start + place));
  }
  if (needs === undefined) state.queue.add(batch);
  else for (let task = start; task < batch.stop; task++) linkNeeds(state, job, task);
  return batch;
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

/** What is wrong with a batch, if anything. */
function faultOf(
  state: SchedulerState,
  job: Job,
  { count, from, parameters, keys, needs, groups }: Request<"append">,
): string | undefined {
  if (parameters !== undefined && !fit(parameters.ends, count, parameters.values.byteLength))
    return "its parameters do not fit its number of tasks";
  if (keys !== undefined) {
    if (keys.length !== count) return `it has ${keys.length} keys for ${count} tasks`;
    const taken = keys.find(
      (key, place) => key.length > KEY_LENGTH_MAX || state.keys.has(key) || keys.indexOf(key) !== place,
    );
    if (taken !== undefined) return `key "${taken}" is taken`;
  }
  if (groups !== undefined && !groups.every((start, place) => place === 0 || start > groups[place - 1]!))
    return "its groups do not ascend";
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

/** Whether `ends` ascends over `count` entries up to `total`. */
function fit(ends: Uint32Array, count: number, total: number): boolean {
  return (
    ends.length === count &&
    ends.every((end, place) => end >= (place === 0 ? 0 : ends[place - 1]!)) &&
    ends[count - 1] === total
  );
}

function watch(state: SchedulerState, link: number, { request, job: number, results }: Request<"watch">): void {
  const job = findJob(state, link, request, number);
  if (job === undefined) return;
  // What has ended is told once it is durable; what ends later comes after it, because both wait in one line.
  state.durability.after(() => {
    if (!state.clients.has(link) || !state.jobs.has(number)) return;
    job.watchers.set(link, { results });
    job.abandonedMs = undefined;
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
  tellFinished(state, link, job, finished, results);
  tellCancelled(state, link, job, Uint32Array.from(cancelled));
  if (job.toldEnd) toClient(state, link, { type: "ended", job: job.job, counts: countsOf(job) });
}

/** Finished tasks with their results, in messages of bounded size. */
export function tellFinished(
  state: SchedulerState,
  link: number,
  job: Job,
  tasks: readonly number[],
  results: boolean,
): void {
  for (let start = 0; start < tasks.length;) {
    let [stop, bytes] = [start, 0];
    for (; stop < tasks.length && stop - start < TOLD_TASKS_MAX && bytes < TOLD_BYTES_MAX; stop++)
      if (results) bytes += job.table.result(tasks[stop]!).byteLength;
    const values = new Uint8Array(bytes);
    const ends = new Uint32Array(stop - start);
    let end = 0;
    for (let place = start; place < stop; place++) {
      if (results) values.set(job.table.result(tasks[place]!), end);
      if (results) end += job.table.result(tasks[place]!).byteLength;
      ends[place - start] = end;
    }
    toClient(state, link, {
      type: "finished",
      job: job.job,
      tasks: Uint32Array.from(tasks.slice(start, stop)),
      ends,
      results: values,
    });
    start = stop;
  }
}

function retry(state: SchedulerState, link: number, { request, job: number, tasks }: Request<"retry">): void {
  const job = findJob(state, link, request, number, tasks);
  if (job === undefined) return;
  const again = [...(tasks ?? range(job.table.rows))].filter((task) => isRetryable(job, task));
  if (again.length > 0) journal(state, { type: "retried", job: number, tasks: Uint32Array.from(again) });
  // Their needs are counted when every finish before this record is settled.
  state.durability.after(() => putBack(state, job, again));
  answer(state, link, request);
}

function isRetryable({ table }: Job, task: number): boolean {
  return table.state(task) === TASK.erred || table.state(task) === TASK.cancelled;
}

/** erred or cancelled -> queued or waiting, as if they had never run. */
export function putBack(state: SchedulerState, job: Job, tasks: Iterable<number>): void {
  job.toldEnd = false;
  for (const task of tasks) {
    if (!isRetryable(job, task)) continue;
    job.errors.delete(task);
    job.table.setSettled(task, false);
    job.table.setFails(task, 0);
    job.table.setDeaths(task, 0);
    const unfinished = countNeeds(state, job, task);
    move(state, job, task, unfinished > 0 ? TASK.waiting : TASK.queued);
    if (unfinished > 0) job.table.setWaitsFor(task, unfinished);
    else makeReady(state, batchOf(job, task), task);
  }
}

function tellStatus(state: SchedulerState, link: number, request: number): void {
  toClient(state, link, {
    type: "statusIs",
    request,
    jobs: [...state.jobs.values()].slice(-STATUS_JOBS_MAX).map(statusOf),
    workers: [...state.workers.values()]
      .slice(0, STATUS_WORKERS_MAX)
      .map(({ name, slots, state: now, leases, finished, rssBytes }) => ({
        name,
        slots,
        state: now,
        processing: leases.size,
        finished,
        rssBytes,
      })),
  });
}

const STATUS_JOBS_MAX = 1000;
const STATUS_WORKERS_MAX = 1024;

function statusOf(job: Job) {
  return { job: job.job, id: job.id, kind: job.kind, tasks: job.table.rows, sealed: job.sealed, counts: countsOf(job) };
}

/** The job of a request, or a refusal: also when one of `tasks` is not there. */
function findJob(
  state: SchedulerState,
  link: number,
  request: number,
  number: number,
  tasks: Iterable<number> = [],
): Job | undefined {
  const job = state.jobs.get(number);
  const reason = job === undefined ? `Cannot find job ${number}: it was released or never was` : missingTask(job, tasks);
  if (reason === undefined) return job;
  refuse(state, link, request, "PE_JOB_UNKNOWN", reason);
  return undefined;
}

function missingTask(job: Job, tasks: Iterable<number>): string | undefined {
  const { rows } = job.table;
  for (const task of tasks) if (task >= rows) return `Cannot find task ${task} of job "${job.id}": it has ${rows}`;
  return undefined;
}

function answer(state: SchedulerState, link: number, request: number): void {
  state.durability.after(() => toClient(state, link, { type: "ok", request }));
}

function refuse(state: SchedulerState, link: number, request: number, code: string, message: string): void {
  toClient(state, link, { type: "refused", request, code, message });
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, place) => byte === b[place]);
}
