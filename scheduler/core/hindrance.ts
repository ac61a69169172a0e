/** Why nothing of a job runs, in words for whoever asks: a cluster must never stand still without saying what it waits for. */
import { BECAUSE_LENGTH_MAX } from "../../protocol/client-link.ts";
import { fitting } from "../../protocol/fitting.ts";
import { forEachNeed } from "./needs.ts";
import { batchOf, keyOf, queuedIn, type Batch, type Job } from "./job.ts";
import type { SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { fits, mayGet, type WorkerRecord } from "./worker-record.ts";

/** Why nothing of what is queued can run now; undefined while something runs or could, or nothing is queued. */
export function hindranceOfJob(state: SchedulerState, { table, batches }: Job): string | undefined {
  if (table.counts[TASK.queued] === 0 || table.counts[TASK.processing]! > 0) return undefined;
  let reason: string | undefined;
  const seen = new Set<string>();
  for (const batch of batches) {
    if (seen.has(batch.shape) || queuedIn(batch) === 0) continue;
    seen.add(batch.shape);
    const hindrance = hindranceOf(state, batch);
    if (hindrance === undefined) return undefined;
    reason ??= hindrance;
  }
  return reason && fitting(reason, BECAUSE_LENGTH_MAX);
}

/** What one task waits for; undefined when nothing is in its way but work that comes before it. */
export function hindranceOfTask(state: SchedulerState, job: Job, task: number): string | undefined {
  const now = job.table.state(task);
  if (now === TASK.waiting) return `needs ${unfinishedNeeds(state, job, task)}`;
  return now === TASK.queued ? hindranceOf(state, batchOf(job, task)) : undefined;
}

const NAMED_MAX = 3;

function unfinishedNeeds(state: SchedulerState, job: Job, task: number): string {
  const left: string[] = [];
  forEachNeed(state, job, task, (need, index) => {
    if (!need.table.isSettled(index)) left.push(keyOf(need, index));
  });
  return listed(left);
}

function hindranceOf(state: SchedulerState, batch: Batch): string | undefined {
  const { job, options } = batch;
  if (state.nowMs < state.dispatchFromMs) return "the scheduler has restarted and waits for its workers to come back";
  const workers = [...state.workers.values()];
  if (workers.length === 0) return "no worker is connected";
  const named = workers.filter(({ name }) => options.workers.length === 0 || options.workers.includes(name));
  if (named.length === 0) return `no worker that it is pinned to is connected: ${listed(options.workers)}`;
  const skilled = named.filter(({ kinds }) => kinds.get(job.kind) === job.version);
  if (skilled.length === 0) return missingKind(job, named);
  const able = skilled.filter((worker) => fits(worker, batch));
  if (able.length === 0)
    return `no worker has ${options.resources.map(({ name, amount }) => `${name}=${amount}`).join(" and ")}`;
  if (able.some((worker) => mayGet(worker))) return undefined;
  return `workers that can run it take no work now: ${listed(able.map(({ name, ...how }) => `"${name}" is ${condition(how)}`))}`;
}

function missingKind({ kind, version }: Job, workers: readonly WorkerRecord[]): string {
  const others = workers.filter(({ kinds }) => kinds.has(kind));
  if (others.length === 0) {
    const known = new Set(workers.flatMap(({ kinds }) => [...kinds.keys()]));
    return `no worker has kind "${kind}"; they have ${listed([...known])}`;
  }
  const skew = others.map(({ name, kinds }) => `"${name}" has version ${kinds.get(kind)}`);
  return `the job is for version ${version} of kind "${kind}", and worker ${listed(skew)}: give all the same version`;
}

function condition({ state, paused, restBecause }: Pick<WorkerRecord, "state" | "paused" | "restBecause">): string {
  if (state !== "active") return state;
  return paused ? "paused, its memory is short" : `resting after an error of its surroundings: ${restBecause}`;
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return names.slice(0, NAMED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
