/** Where a task should run whose inputs are values: moving them costs time, and so does waiting for who has them. */
import type { Batch } from "./job.ts";
import { forEachNeed } from "./needs.ts";
import type { SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { valueOf } from "./values.ts";
import { fits, mayGet, resourceRoom, type WorkerRecord } from "./worker-record.ts";

/** What a connection carries, measured between processes of one machine; a network of 10 Gbit/s carries as much. */
const BYTES_PER_US = 1000;
/** Before the first byte comes. */
const MOVE_US = 2000;
/** Tasks that are looked at for one that suits a worker. */
const LOOKED_AT_MAX = 32;

/**
 * Takes from the ready tasks of a batch the one that suits a worker best, the last ones first.
 *
 * @returns Undefined when each of them does better to wait for another worker.
 */
export function takeSuited(state: SchedulerState, batch: Batch, worker: WorkerRecord): number | undefined {
  const { ready } = batch;
  let best = -1;
  let leastUs = Infinity;
  for (let place = ready.length - 1, looked = 0; place >= 0 && looked < LOOKED_AT_MAX && leastUs > 0; place--) {
    const task = ready[place]!;
    // Left where they stood when they were cancelled or adopted.
    if (batch.job.table.state(task) !== TASK.queued) continue;
    looked++;
    const us = costOfMoving(state, batch, task, worker);
    if (us >= leastUs) continue;
    best = place;
    leastUs = us;
  }
  if (best === -1) return ready.every((task) => batch.job.table.state(task) !== TASK.queued) ? ready.pop() : undefined;
  return ready.splice(best, 1)[0];
}

/** Whether a task that waits at one worker would do better at another. */
export function isWorthMoving(state: SchedulerState, batch: Batch, task: number, to: WorkerRecord): boolean {
  return state.values.size === 0 || batch.needs === undefined || costOfMoving(state, batch, task, to) < Infinity;
}

/** Microseconds until its inputs are at a worker; Infinity when it is sooner begun where they are. */
function costOfMoving(state: SchedulerState, batch: Batch, task: number, worker: WorkerRecord): number {
  let [all, here] = [0, 0];
  forEachNeed(state, batch.job, task, (need, index) => {
    const value = valueOf(state, need, index);
    if (value === undefined) return;
    all += value.bytes;
    if (value.holders.has(worker)) here += value.bytes;
  });
  if (all === here) return 0;
  const held = bytesByHolder(state, batch, task);
  const moveUs = MOVE_US + (all - here) / BYTES_PER_US;
  for (const [holder, bytes] of held)
    if (bytes > here && canHave(holder, batch) && waitUs(holder) + movingUs(all - bytes) < moveUs) return Infinity;
  return moveUs;
}

function bytesByHolder(state: SchedulerState, batch: Batch, task: number): Map<WorkerRecord, number> {
  const held = new Map<WorkerRecord, number>();
  forEachNeed(state, batch.job, task, (need, index) => {
    const value = valueOf(state, need, index);
    for (const holder of value?.holders ?? []) held.set(holder, (held.get(holder) ?? 0) + value!.bytes);
  });
  return held;
}

function movingUs(bytes: number): number {
  return bytes === 0 ? 0 : MOVE_US + bytes / BYTES_PER_US;
}

function canHave(holder: WorkerRecord, batch: Batch): boolean {
  return mayGet(holder) && !holder.alone && fits(holder, batch) && resourceRoom(holder, batch) > 0;
}

/** Until one of its slots is free, as far as one can tell: what nobody knows the length of may take for ever. */
function waitUs({ slots, leases, outstandingUs }: WorkerRecord): number {
  if (leases.size < slots) return 0;
  return outstandingUs === 0 ? Infinity : outstandingUs / slots;
}
