/** An idle worker beside one that holds more than it can run: the busy one gives back the end of its line. */
import { isWorthWaiting } from "./groups.ts";
import { isWorthMoving } from "./locality.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import { fits, mayGet, likelyBegun, type WorkerRecord } from "./worker-record.ts";

export function balance(state: SchedulerState): void {
  if (!state.queue.isEmpty || state.nowMs < state.dispatchFromMs) return;
  const idle = [...state.workers.values()].filter((worker) => idleSlots(worker) > 0);
  let slots = idle.reduce((sum, worker) => sum + idleSlots(worker), 0);
  for (const worker of state.workers.values()) {
    if (slots <= 0) return;
    const count = Math.min(spare(state, worker, idle), slots);
    if (count <= 0) continue;
    worker.retracting = true;
    toWorker(state, worker.link, { type: "retract", count });
    slots -= count;
  }
}

function idleSlots(worker: WorkerRecord): number {
  return mayGet(worker) && !worker.alone ? worker.slots - worker.leases.size : 0;
}

/** Half of what a worker has not begun, if one of the idle can run it. */
function spare(state: SchedulerState, worker: WorkerRecord, idle: readonly WorkerRecord[]): number {
  if (worker.retracting || worker.state !== "active" || worker.leases.size <= worker.slots) return 0;
  const unbegun = worker.leases.size - Math.max(worker.slots, likelyBegun(worker).length);
  if (unbegun <= 0) return 0;
  const last = [...worker.leases.values()].at(-1)!;
  const isOfUse = (other: WorkerRecord): boolean =>
    fits(other, last.batch) && isWorthMoving(state, last.batch, last.task, other);
  // Its input would be read elsewhere, which takes as long as that.
  if (last.batch.labels !== undefined && isWorthWaiting(state, worker, last.batch)) return 0;
  return idle.some(isOfUse) ? Math.ceil(unbegun / 2) : 0;
}
