/**
 * Copies of values on more workers, by a tree: each holder serves few at a time, and whoever has fetched a copy serves others.
 */
import type { MessageOf } from "../../protocol/schema.ts";
import type { clientToScheduler } from "../../protocol/client-link.ts";
import { answer, findJob, refuse } from "./answers.ts";
import { keyOf, type Job } from "./job.ts";
import { computeAgain, isLost } from "./lineage.ts";
import { hasResult } from "./needs.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { valueOf, wantedOf, type Value } from "./values.ts";
import { mayGet, type WorkerRecord } from "./worker-record.ts";

/** Where values should be. */
interface Wish {
  readonly copies: number;
  /** By name. */
  readonly workers: readonly string[];
}

/** A request that is answered when all its values are where they should be. */
export interface Replication extends Wish {
  readonly link: number;
  readonly request: number;
  readonly job: Job;
  readonly tasks: Uint32Array;
}

/** Workers that one holder serves at a time. */
const SERVED_MAX = 2;

export function replicate(
  state: SchedulerState,
  link: number,
  { request, job: number, tasks, copies, workers }: MessageOf<typeof clientToScheduler, "replicate">,
): void {
  const job = findJob(state, link, request, number, tasks);
  if (job === undefined) return;
  const fault = faultOf(state, job, tasks, workers);
  if (fault !== undefined)
    return refuse(state, link, request, "PE_PARAMETER", `Cannot replicate values of job "${job.id}": ${fault}`);
  state.replications.add({ link, request, job, tasks: tasks.slice(), copies, workers });
  replicateAll(state);
}

function faultOf(state: SchedulerState, job: Job, tasks: Uint32Array, names: readonly string[]): string | undefined {
  for (const task of tasks) {
    if (job.table.state(task) === TASK.erred || job.table.state(task) === TASK.cancelled)
      return `task ${keyOf(job, task)} has no result`;
    if (job.table.valueBytes(task) === 0 && hasResult(job, task))
      return `the result of task ${keyOf(job, task)} is none, the scheduler itself has it`;
  }
  const known = new Set([...state.workers.values()].map(({ name }) => name));
  const unknown = names.filter((name) => !known.has(name));
  return unknown.length === 0 ? undefined : `there is no worker "${unknown.join('", "')}"`;
}

/** Goes on with what was asked for, now that something has changed. */
export function replicateAll(state: SchedulerState): void {
  for (const replication of state.replications) goOn(state, replication);
}

function goOn(state: SchedulerState, replication: Replication): void {
  const { link, request, job, tasks } = replication;
  if (!state.clients.has(link)) return void state.replications.delete(replication);
  const fault = state.jobs.get(job.job) === job ? faultOf(state, job, tasks, []) : "it was released";
  if (fault !== undefined) {
    state.replications.delete(replication);
    return refuse(state, link, request, "PE_PARAMETER", `Cannot replicate values of job "${job.id}": ${fault}`);
  }
  let isDone = true;
  for (const task of tasks) isDone = steer(state, job, task, replication) && isDone;
  if (!isDone) return;
  state.replications.delete(replication);
  answer(state, link, request);
}

/** @returns Whether the value is where it should be. */
function steer(state: SchedulerState, job: Job, task: number, wish: Wish): boolean {
  if (!hasResult(job, task)) return false;
  const value = valueOf(state, job, task);
  if (value === undefined || value.holders.size === 0) {
    if (state.nowMs >= state.dispatchFromMs && isLost(state, job, task)) computeAgain(state, job, task);
    return false;
  }
  const wanted = missing(state, value, wish);
  for (const worker of wanted) {
    if (value.keeping.has(worker)) continue;
    const source = idlest(value);
    if (source === undefined) break;
    value.keeping.set(worker, source);
    const { sources, ...what } = wantedOf(value, worker, 0);
    const first = sources.toSorted((a, b) => Number(b.worker === source.name) - Number(a.worker === source.name));
    toWorker(state, worker.link, { type: "keep", values: [{ ...what, sources: first }] });
  }
  return wanted.length === 0;
}

/** Workers that should have a copy and have not: those named, and the least laden of the others. */
function missing(state: SchedulerState, { holders, keeping }: Value, { copies, workers: names }: Wish): WorkerRecord[] {
  const able = [...state.workers.values()].filter((worker) => !holders.has(worker));
  const named = able.filter(({ name }) => names.includes(name));
  const others = able
    .filter((worker) => mayGet(worker) && !named.includes(worker))
    .toSorted((a, b) => Number(keeping.has(b)) - Number(keeping.has(a)) || a.valueBytes - b.valueBytes);
  return [...named, ...others.slice(0, Math.max(0, copies - holders.size - named.length))];
}

/** A holder that serves fewer than it may. */
function idlest({ holders, keeping }: Value): WorkerRecord | undefined {
  const serving = new Map<WorkerRecord, number>();
  for (const source of keeping.values()) serving.set(source, (serving.get(source) ?? 0) + 1);
  let best: WorkerRecord | undefined;
  for (const holder of holders)
    if (
      (serving.get(holder) ?? 0) < SERVED_MAX &&
      (serving.get(holder) ?? 0) < (best ? (serving.get(best) ?? 0) : Infinity)
    )
      best = holder;
  return best;
}
