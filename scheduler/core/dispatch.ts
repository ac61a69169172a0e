/**
 * Who gets what: late binding by time credit. A worker holds a few milliseconds of estimated work per slot, the rest stays
 * here, so that nothing has to be stolen and a late worker finds work at once.
 */
import { HandOver } from "./hand-over.ts";
import { queuedIn, type Batch } from "./job.ts";
import { HELD_PER_SLOT_MIN } from "./limits.ts";
import { noteLabel, pickSegment, startsGroup } from "./groups.ts";
import { provide } from "./lineage.ts";
import { takeSuited } from "./locality.ts";
import type { SchedulerState } from "./state.ts";
import { placeSuspects } from "./suspects.ts";
import { TASK } from "./task-state.ts";
import { fits, mayGet, resourceRoom, roomFor, type WorkerRecord } from "./worker-record.ts";

/** Hands out what can be handed out now. */
export function dispatch(state: SchedulerState): void {
  if (state.nowMs < state.dispatchFromMs) return;
  if (!state.suspects.isEmpty || state.reserved.size > 0) placeSuspects(state);
  let isProgress = true;
  while (isProgress && !state.queue.isEmpty) {
    isProgress = false;
    for (const worker of byLoad(state.hungry)) {
      const batch = bestBatch(state, worker);
      if (batch !== undefined) isProgress = feed(state, worker, batch) || isProgress;
      else if (isFull(worker)) state.hungry.delete(worker);
    }
  }
}

/** Gets nothing before one of its hand-outs ends, or its state changes; either makes it hungry again. */
function isFull(worker: WorkerRecord): boolean {
  return !mayGet(worker) || worker.alone || worker.leases.size >= worker.slots * HELD_PER_SLOT_MIN;
}

/** Least loaded first, so that few tasks spread over many workers. */
function byLoad(workers: ReadonlySet<WorkerRecord>): readonly WorkerRecord[] {
  if (workers.size < 2) return [...workers];
  return [...workers].toSorted((a, b) => a.leases.size / a.slots - b.leases.size / b.slots || a.link - b.link);
}

/**
 * The first batch that the worker can run, when it has room for it now. While it has not, what comes later in the queue
 * waits too: it would fill the room for ever, and the first would never have its turn.
 */
function bestBatch({ queue }: SchedulerState, worker: WorkerRecord): Batch | undefined {
  let best: Batch | undefined;
  for (const shape of queue.shapes()) {
    const batch = queue.first(shape)!;
    if (best !== undefined && !queue.goesBefore(batch, best)) continue;
    if (fits(worker, batch) && resourceRoom(worker, batch) > 0) best = batch;
  }
  return best !== undefined && roomFor(worker, best) > 0 ? best : undefined;
}

/** Hands tasks of a batch to a worker. @returns Whether it took any. */
function feed(state: SchedulerState, worker: WorkerRecord, batch: Batch): boolean {
  const room = Math.min(roomFor(worker, batch), resourceRoom(worker, batch), fairShare(state, worker, batch));
  const hand = new HandOver(state, worker, batch);
  while (hand.tasks < room && !hand.isFull) {
    const task = takeTask(state, batch, worker);
    if (task === undefined) break;
    hand.add(task);
  }
  if (queuedIn(batch) === 0) state.queue.remove(batch);
  if (hand.tasks === 0) return false;
  hand.send();
  return true;
}

/** Of few tasks each worker gets what its slots are of all slots. */
function fairShare({ hungry }: SchedulerState, worker: WorkerRecord, batch: Batch): number {
  let slots = 0;
  for (const other of hungry) slots += other.slots;
  return Math.max(1, Math.ceil((queuedIn(batch) * worker.slots) / Math.max(slots, worker.slots)));
}

/** The next task of a batch for a worker; those that came back first. */
function takeTask(state: SchedulerState, batch: Batch, worker: WorkerRecord): number | undefined {
  while (batch.ready.length > 0) {
    const task = takeReady(state, batch, worker);
    if (task === undefined) break;
    if (isWanted(batch, task) && (batch.needs === undefined || provide(state, batch.job, task))) return task;
  }
  for (;;) {
    const segment = pickSegment(state, batch, worker);
    if (segment === undefined) return undefined;
    const task = segment.start++;
    segment.owner = startsGroup(batch, segment.start) ? undefined : worker.link;
    if (segment.start === segment.stop) batch.fresh.splice(batch.fresh.indexOf(segment), 1);
    if (!isWanted(batch, task)) continue;
    if (batch.labels !== undefined) noteLabel(state, batch, task, worker);
    return task;
  }
}

function takeReady(state: SchedulerState, batch: Batch, worker: WorkerRecord): number | undefined {
  const isAnyAsGood = batch.needs === undefined || state.values.size === 0;
  return isAnyAsGood ? batch.ready.pop() : takeSuited(state, batch, worker);
}

/** Tasks are left where they stand when they are cancelled, adopted or suspected meanwhile; suspects go elsewhere. */
function isWanted({ job: { table } }: Batch, task: number): boolean {
  return table.state(task) === TASK.queued && table.deaths(task) === 0;
}
