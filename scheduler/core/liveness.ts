/** What time does: silent workers, forgotten hand-outs, idle workers beside busy ones, jobs that nobody waits for. */
import { LEASE_MS, LOST_AFTER_MS, SUSPECT_AFTER_MS, TRANSIENT_GRACE_MS } from "./limits.ts";
import { loseWorker, takeBack } from "./reports.ts";
import { isNeeded, release } from "./requests.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import type { Lease, WorkerRecord } from "./worker-record.ts";

export function onTick(state: SchedulerState): void {
  for (const worker of state.workers.values()) checkWorker(state, worker);
  balance(state);
  for (const job of state.jobs.values())
    if (job.abandonedMs !== undefined && state.nowMs - job.abandonedMs > TRANSIENT_GRACE_MS && !isNeeded(state, job))
      release(state, job);
}

function checkWorker(state: SchedulerState, worker: WorkerRecord): void {
  const silentMs = state.nowMs - worker.heardMs;
  if (silentMs > LOST_AFTER_MS) {
    state.out.push({ type: "close-worker", link: worker.link, reason: `silent for ${Math.round(silentMs)} ms` });
    loseWorker(state, worker, "silent");
  } else if (silentMs > SUSPECT_AFTER_MS) {
    if (worker.state === "active") worker.state = "suspect";
    state.hungry.delete(worker);
    if (state.hungry.size > 0) takeBackUnbegun(state, worker);
  } else expireLeases(state, worker);
}

/** A slot runs one task at a time, in the order of hand-out: what comes after the first of each slot may not have begun. */
function takeBackUnbegun(state: SchedulerState, worker: WorkerRecord): void {
  for (const lease of [...worker.leases.values()].slice(worker.slots)) takeBack(state, worker, lease);
}

function expireLeases(state: SchedulerState, worker: WorkerRecord): void {
  const expired: Lease[] = [];
  for (const lease of worker.leases.values()) if (state.nowMs - lease.renewedMs > LEASE_MS) expired.push(lease);
  for (const lease of expired) {
    state.out.push({
      type: "alarm",
      code: "lease-expired",
      message: `Worker "${worker.name}" forgot task ${lease.task} of job "${lease.job.id}"`,
    });
    takeBack(state, worker, lease);
  }
}

/** An idle worker beside one that holds more than it can run: the busy one gives back the end of its line. */
function balance(state: SchedulerState): void {
  if (!state.queue.isEmpty) return;
  let idleSlots = 0;
  for (const { leases, slots, state: now, alone } of state.hungry)
    if (now === "active" && !alone && leases.size < slots) idleSlots += slots - leases.size;
  if (idleSlots === 0) return;
  for (const worker of state.workers.values()) {
    const spare = worker.leases.size - worker.slots;
    if (spare <= 0 || worker.retracting || worker.state !== "active") continue;
    const count = Math.min(Math.ceil(spare / 2), idleSlots);
    worker.retracting = true;
    toWorker(state, worker.link, { type: "retract", count });
    idleSlots -= count;
    if (idleSlots <= 0) return;
  }
}
