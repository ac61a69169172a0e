/** What clients ask for. */
import { whyNotServed } from "../../protocol/version.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import { STORY_LINE_LENGTH_MAX, type clientToScheduler, type ClientToScheduler } from "../../protocol/client-link.ts";
import { fitting } from "../../protocol/fitting.ts";
import { answer, findJob, refuse } from "./answers.ts";
import { append } from "./appending.ts";
import { unsettle } from "./claims.ts";
import { linkAnew } from "./graph.ts";
import { batchOf, createJob, type Job } from "./job.ts";
import { equal } from "./known-keys.ts";
import { JOB_NUMBER_MAX, JOBS_MAX } from "./limits.ts";
import { hindranceOfJob, hindranceOfTask } from "./hindrance.ts";
import { letGo, locate, persist, whoHas } from "./locating.ts";
import { isNeeded, release } from "./releasing.ts";
import { replicate } from "./replicating.ts";
import { journal, makeReady, move, toClient, type SchedulerState } from "./state.ts";
import { cancel, countsOf, failWhoseNeedsFailed, range, tellEnd } from "./transitions.ts";
import { TASK } from "./task-state.ts";
import { forgetWatcher, watch } from "./watching.ts";
import { leaseKey, splitKey } from "./worker-record.ts";

type Request<Name extends ClientToScheduler["type"]> = MessageOf<typeof clientToScheduler, Name>;

/** A mapped type makes a new request without a handler an error of the compiler. */
type Handlers = {
  readonly [Name in ClientToScheduler["type"]]: (state: SchedulerState, link: number, message: Request<Name>) => void;
};

const HANDLERS: Handlers = {
  hello,
  open,
  append,
  seal: (state, link, { request, job: number, tasks }) => {
    const job = findJob(state, link, request, number);
    if (job === undefined) return;
    if (tasks !== job.table.rows) {
      const reason = `Cannot seal job "${job.id}" with ${tasks} tasks: it has ${job.table.rows}`;
      return refuse(state, link, request, "PE_PARAMETER", reason);
    }
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
    if (isNeeded(state, job)) {
      const reason = `Cannot release job "${job.id}": unfinished tasks of other jobs need its results`;
      return refuse(state, link, request, "PE_JOB_NEEDED", reason);
    }
    release(state, job);
    answer(state, link, request);
  },
  find: (state, link, { request, id }) => {
    const job = state.jobsById.get(id);
    const found = job && { job: statusOf(state, job), common: job.common };
    // What it says is told when it is durable.
    state.durability.after(() => toClient(state, link, { type: "found", request, ...found }));
  },
  /** For people: also what is not durable yet. */
  status: (state, link, { request }) => tellStatus(state, link, request),
  locate,
  whoHas,
  letGo,
  replicate,
  persist,
  story,
};

function story(state: SchedulerState, link: number, { request, key, ...place }: Request<"story">): void {
  const there = key === undefined ? leaseKey(place.job, place.task) : state.keys.get(key);
  if (there === undefined) {
    const reason = `Cannot tell the story of task "${key}": no task that somebody waits for has this key`;
    return refuse(state, link, request, "PE_JOB_UNKNOWN", reason);
  }
  const { job: number, task } = splitKey(there);
  const job = findJob(state, link, request, number, [task]);
  if (job !== undefined) toClient(state, link, { type: "storyIs", request, lines: storyOf(state, job, task) });
}

/** Its transitions, and what they do not tell: why it waits, or why the scheduler cancelled it. */
function storyOf(state: SchedulerState, job: Job, task: number): string[] {
  const lines = state.story.of(job.job, task, state.nowMs);
  const hindrance = hindranceOfTask(state, job, task);
  if (hindrance !== undefined) lines.push(fitting(`waits: ${hindrance}`, STORY_LINE_LENGTH_MAX));
  if (job.because !== undefined && job.table.state(task) === TASK.cancelled)
    lines.push(fitting(`cancelled with its job: ${job.because}`, STORY_LINE_LENGTH_MAX));
  return lines;
}

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

function hello(state: SchedulerState, link: number, { protocol, software, name }: Request<"hello">): void {
  const turnAway = (code: string, reason: string): void => {
    const message = `Cannot serve client "${name}": ${reason}`;
    state.out.push({ type: "to-client", link, message: { type: "refuse", code, message } });
    state.out.push({ type: "close-client", link, reason });
  };
  if (state.clients.has(link)) return turnAway("PE_PROTOCOL", "this connection has said hello before");
  const unserved = whyNotServed(protocol, software);
  if (unserved !== undefined) return turnAway("PE_VERSION", unserved);
  state.clients.set(link, { link, name });
  toClient(state, link, { type: "welcome", epoch: state.epoch, software: SOFTWARE });
}

/** A client is gone: its jobs go on, but those that end with their last watcher. */
export function onClientClosed(state: SchedulerState, link: number): void {
  state.clients.delete(link);
  for (const job of state.jobs.values()) forgetWatcher(state, job, link);
}

function open(state: SchedulerState, link: number, message: Request<"open">): void {
  const { request, id, kind, version, common, maxFails, transient } = message;
  const known = state.jobsById.get(id);
  if (known !== undefined) {
    if (known.kind === kind && known.version === version && equal(known.common, common))
      return tellOpened(state, link, request, known, true);
    const reason = "it is known with another kind, version or parameters; give the job another id";
    return refuse(state, link, request, "PE_JOB_CONFLICT", `Cannot open job "${id}": ${reason}`);
  }
  if (state.jobs.size >= JOBS_MAX || state.nextJob > JOB_NUMBER_MAX) {
    const reason = `the scheduler holds ${state.jobs.size} jobs, and had ${state.nextJob - 1}; release some`;
    return refuse(state, link, request, "PE_LIMIT", `Cannot open job "${id}": ${reason}`);
  }
  const head = { job: state.nextJob, id, kind, version, common: common.slice(), maxFails, transient };
  const job = createJob(head, state.nowMs);
  addJob(state, job);
  journal(state, { type: "opened", ...head });
  tellOpened(state, link, request, job, false);
}

function tellOpened(state: SchedulerState, link: number, request: number, { job, table }: Job, known: boolean): void {
  const tasks = table.rows;
  state.durability.after(() => toClient(state, link, { type: "opened", request, job, tasks, known }));
}

export function addJob(state: SchedulerState, job: Job): void {
  state.jobs.set(job.job, job);
  state.jobsById.set(job.id, job);
  state.nextJob = Math.max(state.nextJob, job.job + 1);
  if (job.transient) state.abandoned.add(job);
}

function retry(state: SchedulerState, link: number, { request, job: number, tasks }: Request<"retry">): void {
  const job = findJob(state, link, request, number, tasks);
  if (job === undefined) return;
  // When every end so far is durable and told: so the record stands in the journal where it happened.
  state.durability.after(() => {
    if (state.jobs.get(number) === job) again(state, job, tasks ?? range(job.table.rows));
    answer(state, link, request);
  });
}

function again(state: SchedulerState, job: Job, tasks: Iterable<number>): void {
  // Not what was cancelled since the request. What a task needs comes before it.
  const ended = [...tasks].filter((task) => isRetryable(job, task) && job.table.isSettled(task)).sort((a, b) => a - b);
  if (ended.length === 0) return;
  journal(state, { type: "retried", job: job.job, tasks: Uint32Array.from(ended) });
  putBack(state, job, ended);
  failWhoseNeedsFailed(state, job, ended);
}

function isRetryable({ table }: Job, task: number): boolean {
  return table.state(task) === TASK.erred || table.state(task) === TASK.cancelled;
}

/** erred or cancelled -> queued or waiting, as if they had never run. */
export function putBack(state: SchedulerState, job: Job, tasks: Iterable<number>): void {
  for (const task of tasks) {
    if (!isRetryable(job, task)) continue;
    job.toldEnd = false;
    job.errors.delete(task);
    unsettle(state, job, task);
    job.table.setFails(task, 0);
    job.table.setDeaths(task, 0);
    const unfinished = linkAnew(state, job, task);
    move(state, job, task, unfinished > 0 ? TASK.waiting : TASK.queued);
    if (unfinished === 0) makeReady(state, batchOf(job, task), task);
  }
  if (job.table.counts[TASK.cancelled] === 0) job.because = undefined;
}

function tellStatus(state: SchedulerState, link: number, request: number): void {
  toClient(state, link, {
    type: "statusIs",
    request,
    jobs: latestJobs(state),
    workers: [...state.workers.values()]
      .slice(0, STATUS_WORKERS_MAX)
      .map(({ name, slots, state: now, leases, finished, rssBytes, values, valueBytes }) => ({
        name,
        slots,
        state: now,
        processing: leases.size,
        finished,
        rssBytes,
        values: values.size,
        valueBytes,
      })),
  });
}

/** As many of the jobs that were opened last as fit one message, oldest first. */
function latestJobs(state: SchedulerState): ReturnType<typeof statusOf>[] {
  const latest: ReturnType<typeof statusOf>[] = [];
  let bytes = 0;
  for (const job of [...state.jobs.values()].slice(-STATUS_JOBS_MAX).toReversed()) {
    const status = statusOf(state, job);
    bytes += statusBytes(status);
    if (bytes > STATUS_BYTES_MAX) break;
    latest.push(status);
  }
  return latest.toReversed();
}

const NUMBERS_BYTES = 128;
const UTF8_BYTES = 3;

/** No less than what it takes in a message. */
function statusBytes({ id, kind, version, because = "", waits = "" }: ReturnType<typeof statusOf>): number {
  const length = id.length + kind.length + version.length + because.length + waits.length;
  return NUMBERS_BYTES + length * UTF8_BYTES;
}

const STATUS_JOBS_MAX = 1000;
const STATUS_WORKERS_MAX = 1024;
/** Of the jobs in one message; a worker takes at most 450 bytes besides. */
const STATUS_BYTES_MAX = 512 * 1024;

function statusOf(state: SchedulerState, job: Job) {
  const { job: number, id, kind, version, table, sealed, because } = job;
  const waits = hindranceOfJob(state, job);
  return {
    job: number,
    id,
    kind,
    version,
    tasks: table.rows,
    sealed,
    counts: countsOf(job),
    ...(because !== undefined && { because }),
    ...(waits !== undefined && { waits }),
  };
}
