/** What workers say of the values they hold. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { workerToScheduler } from "../../protocol/worker-link.ts";
import { endLease, leaseOf } from "./leases.ts";
import { forgetHolders, serveSeekers } from "./locating.ts";
import { replicateAll } from "./replicating.ts";
import { moveAllValues } from "./retiring.ts";
import type { SchedulerState } from "./state.ts";
import { requeue } from "./transitions.ts";
import { onHolds, removeHolder, valueNamed } from "./values.ts";
import { leaseKey, type WorkerRecord } from "./worker-record.ts";

type Said<Name extends "holds" | "have" | "lost" | "starved"> = MessageOf<typeof workerToScheduler, Name>;

/** It has them still, or now: what is known of is noted, anything else it may forget. */
export function holds(state: SchedulerState, worker: WorkerRecord, { id, tasks, sizes }: Said<"holds" | "have">): void {
  for (const [place, task] of tasks.entries()) {
    const value = onHolds(state, worker, id, task, sizes[place] ?? 0);
    if (value !== undefined) serveSeekers(state, leaseKey(value.job.job, task));
  }
  goOn(state);
}

/** Somebody has a copy now, or could not get one. */
function goOn(state: SchedulerState): void {
  if (state.replications.size > 0) replicateAll(state);
  if (state.retiring.size > 0) moveAllValues(state);
}

/** It has them no more. */
export function lost(state: SchedulerState, worker: WorkerRecord, { id, tasks }: Said<"lost">): void {
  for (const task of tasks) {
    const value = valueNamed(state, { id, task });
    if (value !== undefined) removeHolder(value, worker);
  }
}

/** It could not have a value: the task goes elsewhere, or comes again with the holders of then. Nobody is to blame. */
export function starved(state: SchedulerState, worker: WorkerRecord, message: Said<"starved">): void {
  const { job: number, task, epoch, attempt, id, value: index, gone } = message;
  const value = valueNamed(state, { id, task: index });
  if (value !== undefined) forgetHolders(state, value, gone);
  if (number === 0) {
    value?.keeping.delete(worker);
    return goOn(state);
  }
  const lease = leaseOf(worker, number, task, epoch, attempt);
  if (lease === undefined) return void state.counters.droppedReports++;
  endLease(state, worker, lease);
  requeue(state, lease.job, task, worker.link);
}
