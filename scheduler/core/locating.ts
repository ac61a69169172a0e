/** Clients that ask where a value is: answered when somebody has it. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { clientToScheduler } from "../../protocol/client-link.ts";
import { answer, findJob, refuse } from "./answers.ts";
import { releaseUnwantedOf } from "./claims.ts";
import { keyOf, type Job } from "./job.ts";
import { computeAgain, isLost } from "./lineage.ts";
import { hasResult } from "./needs.ts";
import { toClient, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { removeHolder, sourcesOf, tellFree, valueOf, type Value } from "./values.ts";
import { leaseKey, splitKey, type WorkerRecord } from "./worker-record.ts";

type Request<Name extends "locate" | "whoHas" | "letGo" | "persist"> = MessageOf<typeof clientToScheduler, Name>;

/** One that waits for the answer. */
export interface Seeker {
  readonly link: number;
  readonly request: number;
}

export function locate(
  state: SchedulerState,
  link: number,
  { request, job: number, task, gone }: Request<"locate">,
): void {
  const job = findJob(state, link, request, number, [task]);
  if (job === undefined) return;
  const { table } = job;
  const value = valueOf(state, job, task);
  if (value !== undefined) forgetHolders(state, value, gone);
  if (table.valueBytes(task) === 0 && hasResult(job, task)) {
    const reason = `Cannot locate the value of task ${keyOf(job, task)}: its result is none, it came in its report`;
    return refuse(state, link, request, "PE_PARAMETER", reason);
  }
  const key = leaseKey(number, task);
  const seekers = state.seekers.get(key);
  if (seekers === undefined) state.seekers.set(key, [{ link, request }]);
  else seekers.push({ link, request });
  serveSeekers(state, key);
}

/** Holders that say that they have nothing: what they may have after all they should not keep. */
export function forgetHolders(state: SchedulerState, value: Value, names: readonly string[]): void {
  for (const holder of [...value.holders].filter(({ name }) => names.includes(name))) {
    removeHolder(value, holder);
    tellFree(state, holder, value.job.id, [value.task]);
  }
}

/** What can be told to those who seek one value, now that something has changed; a lost one is computed again. */
export function serveSeekers(state: SchedulerState, key: number): void {
  const seekers = state.seekers.get(key);
  if (seekers === undefined) return;
  const { job: number, task } = splitKey(key);
  const job = state.jobs.get(number);
  const now = job?.table.state(task);
  if (job === undefined || now === TASK.erred || now === TASK.cancelled) {
    state.seekers.delete(key);
    return tellInVain(state, seekers, job, task);
  }
  const value = valueOf(state, job, task);
  if (value !== undefined && value.holders.size > 0 && hasResult(job, task)) {
    state.seekers.delete(key);
    for (const { link, request } of seekers)
      toClient(state, link, {
        type: "located",
        request,
        id: job.id,
        bytes: value.bytes,
        sources: sourcesOf(value, link),
      });
    releaseUnwantedOf(state, job, [task]);
  } else if (state.nowMs >= state.dispatchFromMs && isLost(state, job, task)) computeAgain(state, job, task);
}

/** When time has passed: workers may have come back, or not. */
export function serveAllSeekers(state: SchedulerState): void {
  for (const key of state.seekers.keys()) serveSeekers(state, key);
}

function tellInVain(state: SchedulerState, seekers: readonly Seeker[], job: Job | undefined, task: number): void {
  const error = job?.errors.get(task);
  const reason =
    job === undefined
      ? "its job was released"
      : error === undefined
        ? "it was lost, and the task that computes it again was cancelled"
        : `it was lost, and the task that computes it again failed: ${error.message}`;
  const message = `Cannot locate the value of task ${job === undefined ? task : keyOf(job, task)}: ${reason}`;
  for (const { link, request } of seekers) refuse(state, link, request, error?.code ?? "PE_VALUE_LOST", message);
}

export function whoHas(state: SchedulerState, link: number, { request, job: number, tasks }: Request<"whoHas">): void {
  const job = findJob(state, link, request, number, tasks);
  if (job === undefined) return;
  const values = Array.from(tasks, (task) => valueOf(state, job, task));
  toClient(state, link, {
    type: "holders",
    request,
    sizes: Uint32Array.from(tasks, (task) => job.table.valueBytes(task)),
    workers: values.map((value) => namesOf(value?.holders ?? [])),
  });
}

const NAMES_MAX = 64;

function namesOf(holders: Iterable<WorkerRecord>): string[] {
  return Array.from(holders, ({ name }) => name).slice(0, NAMES_MAX);
}

/** A client wants results no more. What no other watcher of the job wants, and no task needs, is released. */
export function letGo(state: SchedulerState, link: number, { request, job: number, tasks }: Request<"letGo">): void {
  const job = findJob(state, link, request, number, tasks);
  if (job === undefined) return;
  const watcher = job.watchers.get(link);
  if (watcher !== undefined) {
    watcher.letGo ??= new Set();
    for (const task of tasks) {
      watcher.letGo.add(task);
      watcher.persisted?.delete(task);
    }
    releaseUnwantedOf(state, job, tasks);
  }
  answer(state, link, request);
}

/** A client wants values to be there, whether anybody needs them now or not. */
export function persist(
  state: SchedulerState,
  link: number,
  { request, job: number, tasks }: Request<"persist">,
): void {
  const job = findJob(state, link, request, number, tasks);
  if (job === undefined) return;
  const watcher = job.watchers.get(link);
  if (watcher !== undefined) {
    watcher.persisted ??= new Set();
    for (const task of tasks) watcher.persisted.add(task);
    state.persisted.add(job);
    computePersisted(state, job);
  }
  answer(state, link, request);
}

/** Computes again what is lost although somebody wants it to be there. */
export function computePersisted(state: SchedulerState, job: Job): void {
  if (state.nowMs < state.dispatchFromMs) return;
  let isAny = false;
  for (const { persisted = [] } of job.watchers.values())
    for (const task of persisted) {
      isAny = true;
      if (isLost(state, job, task)) computeAgain(state, job, task);
    }
  if (!isAny) state.persisted.delete(job);
}
