/** Hand-outs: a task in processing has exactly one lease, at the worker that its table names. */
import { assert } from "../../common/assert.ts";
import { batchOf, estimateOf, type Batch, type Job } from "./job.ts";
import { ATTEMPTS_MAX } from "./limits.ts";
import { move, toWorker, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { leaseKey, type Lease, type WorkerRecord } from "./worker-record.ts";

/** queued -> processing: a new attempt of a task, at `worker`. @returns The attempt. */
export function grant(state: SchedulerState, worker: WorkerRecord, batch: Batch, task: number): number {
  const attempt = batch.job.table.nextAttempt(task);
  assert(attempt <= ATTEMPTS_MAX, () => `task ${task} was handed out more than ${ATTEMPTS_MAX} times`);
  take(state, worker, batch, task, state.epoch, attempt);
  state.counters.handedOut++;
  return attempt;
}

/** queued -> processing: a worker that re-joined still has this hand-out of an earlier connection or life. */
export function adopt(
  state: SchedulerState,
  worker: WorkerRecord,
  job: Job,
  task: number,
  epoch: number,
  attempt: number,
): void {
  take(state, worker, batchOf(job, task), task, epoch, attempt);
}

function take(
  state: SchedulerState,
  worker: WorkerRecord,
  batch: Batch,
  task: number,
  epoch: number,
  attempt: number,
): void {
  const { job } = batch;
  const key = leaseKey(job.job, task);
  assert(!worker.leases.has(key), () => `worker ${worker.name} has task ${task} twice`);
  const estimateUs = estimateOf(batch) ?? 0;
  worker.leases.set(key, { job, batch, task, epoch, attempt, estimateUs, renewedMs: state.nowMs });
  worker.outstandingUs += estimateUs;
  for (const { name, amount } of batch.options.resources)
    worker.taken.set(name, (worker.taken.get(name) ?? 0) + amount);
  job.table.setOwner(task, worker.link);
  move(state, job, task, TASK.processing, worker.link);
  if (job.table.deaths(task) > 0) reserve(state, worker);
}

/** From now on the worker gets nothing but a suspected task. */
export function reserve(state: SchedulerState, worker: WorkerRecord): void {
  worker.alone = true;
  state.reserved.add(worker);
}

/** The lease of a hand-out, if it is the present one of its task. */
export function leaseOf(
  worker: WorkerRecord,
  job: number,
  task: number,
  epoch: number,
  attempt: number,
): Lease | undefined {
  const lease = worker.leases.get(leaseKey(job, task));
  return lease?.epoch === epoch && lease.attempt === attempt ? lease : undefined;
}

/** Takes a lease away; the caller moves the task on. */
export function endLease(state: SchedulerState, worker: WorkerRecord, lease: Lease): void {
  worker.leases.delete(leaseKey(lease.job.job, lease.task));
  worker.outstandingUs = worker.leases.size === 0 ? 0 : worker.outstandingUs - lease.estimateUs;
  for (const { name, amount } of lease.batch.options.resources)
    worker.taken.set(name, worker.taken.get(name)! - amount);
  state.hungry.add(worker);
}

/** A task in processing is not wanted any more: its worker is told to drop it. */
export function dropHandOut(state: SchedulerState, job: Job, task: number): void {
  const worker = state.workers.get(job.table.owner(task));
  const lease = worker?.leases.get(leaseKey(job.job, task));
  assert(worker !== undefined && lease !== undefined, () => `task ${task} is processing without a worker`);
  endLease(state, worker, lease);
  tellDrop(state, worker.link, job.job, [lease]);
}

export function tellDrop(
  state: SchedulerState,
  link: number,
  job: number,
  hands: readonly Pick<Lease, "task" | "epoch" | "attempt">[],
): void {
  toWorker(state, link, {
    type: "drop",
    job,
    tasks: Uint32Array.from(hands, ({ task }) => task),
    epochs: Uint32Array.from(hands, ({ epoch }) => epoch),
    attempts: Uint32Array.from(hands, ({ attempt }) => attempt),
  });
}
