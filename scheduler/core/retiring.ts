/** A worker that leaves hands its values on: what nobody else has goes to another worker first, if there is one. */
import type { SchedulerState } from "./state.ts";
import { toWorker } from "./state.ts";
import { removeHolder, tellFree, wantedOf, type Value } from "./values.ts";
import { mayGet, type WorkerRecord } from "./worker-record.ts";

/** Values of a leaving worker that are on their way at a time. */
const MOVING_MAX = 4;

/** From now on its values move: those that it has, and what the tasks make that it still runs. */
export function retire(state: SchedulerState, worker: WorkerRecord): void {
  state.retiring.add(worker);
  moveValues(state, worker);
}

/** Goes on with all of them, now that something has changed. */
export function moveAllValues(state: SchedulerState): void {
  for (const worker of state.retiring) moveValues(state, worker);
}

function moveValues(state: SchedulerState, worker: WorkerRecord): void {
  const others = [...state.workers.values()].filter((other) => other.state === "active" && other !== worker);
  let moving = 0;
  for (const key of worker.values) {
    const value = state.values.get(key)!;
    if (others.length === 0 || isHeldElsewhere(value, worker)) {
      removeHolder(value, worker);
      tellFree(state, worker, value.job.id, [value.task]);
    } else if (value.keeping.size > 0) moving++;
    else if (moving < MOVING_MAX && move(state, value, worker, others)) moving++;
  }
}

function isHeldElsewhere({ holders }: Value, worker: WorkerRecord): boolean {
  for (const holder of holders) if (holder !== worker && holder.state !== "leaving") return true;
  return false;
}

/** To the least laden. @returns Whether there is one that takes it. */
function move(state: SchedulerState, value: Value, from: WorkerRecord, others: readonly WorkerRecord[]): boolean {
  let to: WorkerRecord | undefined;
  for (const other of others)
    if (mayGet(other) && !value.holders.has(other) && (to === undefined || other.valueBytes < to.valueBytes))
      to = other;
  if (to === undefined) return false;
  value.keeping.set(to, from);
  toWorker(state, to.link, { type: "keep", values: [wantedOf(value, to, 0)] });
  return true;
}
