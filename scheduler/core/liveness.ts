/** What time does: silent workers, forgotten hand-outs, idle workers beside busy ones, jobs that nobody waits for. */
import { balance } from "./balance.ts";
import { loseWorker } from "./joining.ts";
import { HEARTBEAT_MS, LEASE_MS, LOST_AFTER_MS, SUSPECT_AFTER_MS, TRANSIENT_GRACE_MS } from "./limits.ts";
import { computePersisted, serveAllSeekers } from "./locating.ts";
import { isNeeded, release } from "./releasing.ts";
import { replicateAll } from "./replicating.ts";
import { moveAllValues } from "./retiring.ts";
import { takeBack } from "./reports.ts";
import type { SchedulerState } from "./state.ts";
import { passVerdicts } from "./suspects.ts";
import { likelyBegun, type Lease, type WorkerRecord } from "./worker-record.ts";

export function onTick(state: SchedulerState): void {
  forgiveOwnSilence(state);
  for (const worker of state.workers.values()) checkWorker(state, worker);
  passVerdicts(state);
  if (state.seekers.size > 0) serveAllSeekers(state);
  if (state.replications.size > 0) replicateAll(state);
  if (state.retiring.size > 0) moveAllValues(state);
  for (const job of state.persisted) computePersisted(state, job);
  balance(state);
  for (const job of state.abandoned)
    if (state.nowMs - job.abandonedMs! > TRANSIENT_GRACE_MS && !isNeeded(state, job)) release(state, job);
}

/** The scheduler itself stood still (stopped, swapped out): what workers said meanwhile is still to be read. */
function forgiveOwnSilence(state: SchedulerState): void {
  const stoodMs = state.nowMs - state.tickedMs - 2 * HEARTBEAT_MS;
  state.tickedMs = state.nowMs;
  if (stoodMs <= 0) return;
  for (const worker of state.workers.values()) {
    worker.heardMs = Math.min(worker.heardMs + stoodMs, state.nowMs);
    for (const lease of worker.leases.values()) lease.renewedMs = Math.min(lease.renewedMs + stoodMs, state.nowMs);
  }
}

function checkWorker(state: SchedulerState, worker: WorkerRecord): void {
  if (worker.restUntilMs > 0 && state.nowMs >= worker.restUntilMs) {
    worker.restUntilMs = 0;
    state.hungry.add(worker);
  }
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

/** Somebody else can have what a silent worker has not begun. */
function takeBackUnbegun(state: SchedulerState, worker: WorkerRecord): void {
  const begun = new Set(likelyBegun(worker));
  for (const lease of worker.leases.values()) if (!begun.has(lease)) takeBack(state, worker, lease);
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
