/**
 * Who gets what: late binding by time credit. A worker holds a few milliseconds of estimated work per slot, the rest stays
 * here, so that nothing has to be stolen and a late worker finds work at once.
 */
import { assert } from "../../common/assert.ts";
import { grant } from "./leases.ts";
import { batchOf, parametersOf, queuedIn, type Batch } from "./job.ts";
import { ASSIGN_BYTES_MAX, ASSIGN_TASKS_MAX, HELD_PER_SLOT_MIN } from "./limits.ts";
import { goesBefore } from "./queue.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import { forEachNeed, splitKey } from "./transitions.ts";
import { TASK } from "./task-state.ts";
import { fits, resourceRoom, roomFor, type WorkerRecord } from "./worker-record.ts";

/** Hands out what can be handed out now. */
export function dispatch(state: SchedulerState): void {
  if (state.nowMs < state.dispatchFromMs) return;
  if (state.suspects.size > 0 || hasReserved(state)) placeSuspects(state);
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
function isFull({ state, alone, paused, leases, slots }: WorkerRecord): boolean {
  return state !== "active" || alone || paused || leases.size >= slots * HELD_PER_SLOT_MIN;
}

/** Least loaded first, so that few tasks spread over many workers. */
function byLoad(workers: ReadonlySet<WorkerRecord>): readonly WorkerRecord[] {
  if (workers.size < 2) return [...workers];
  return [...workers].toSorted((a, b) => a.leases.size / a.slots - b.leases.size / b.slots || a.link - b.link);
}

/** The first batch that the worker can run now. */
function bestBatch({ queue }: SchedulerState, worker: WorkerRecord): Batch | undefined {
  let best: Batch | undefined;
  for (const shape of queue.shapes()) {
    const batch = queue.first(shape)!;
    if (best !== undefined && !goesBefore(batch, best)) continue;
    if (fits(worker, batch) && roomFor(worker, batch) > 0 && resourceRoom(worker, batch) > 0) best = batch;
  }
  return best;
}

/** Hands tasks of a batch to a worker. @returns Whether it took any. */
function feed(state: SchedulerState, worker: WorkerRecord, batch: Batch): boolean {
  const room = Math.min(
    roomFor(worker, batch),
    resourceRoom(worker, batch),
    ASSIGN_TASKS_MAX,
    fairShare(state, worker, batch),
  );
  const hand = createHand(batch);
  while (hand.tasks.length < room && hand.bytes < ASSIGN_BYTES_MAX) {
    const task = takeTask(batch, worker);
    if (task === undefined) break;
    hand.add(task, grant(state, worker, batch, task));
    if (batch.needs !== undefined) sendInputs(state, worker, batch, task);
  }
  if (queuedIn(batch) === 0) state.queue.dropFirst(batch.shape);
  if (hand.tasks.length === 0) return false;
  tellJob(state, worker, batch);
  toWorker(state, worker.link, hand.message());
  return true;
}

/** Of few tasks each worker gets what its slots are of all slots. */
function fairShare({ hungry }: SchedulerState, worker: WorkerRecord, batch: Batch): number {
  let slots = 0;
  for (const other of hungry) slots += other.slots;
  return Math.max(1, Math.ceil((queuedIn(batch) * worker.slots) / Math.max(slots, worker.slots)));
}

/** The next task of a batch for a worker; those that came back first. */
function takeTask(batch: Batch, worker: WorkerRecord): number | undefined {
  for (let task = batch.ready.pop(); task !== undefined; task = batch.ready.pop())
    if (batch.job.table.state(task) === TASK.queued) return task;
  for (let segment = pickSegment(batch, worker); segment !== undefined; segment = pickSegment(batch, worker)) {
    const task = segment.start++;
    segment.owner = startsGroup(batch, segment.start) ? undefined : worker.link;
    if (segment.start === segment.stop) batch.fresh.splice(batch.fresh.indexOf(segment), 1);
    // Cancelled before it was ever handed out.
    if (batch.job.table.state(task) === TASK.queued) return task;
  }
  return undefined;
}

/** Where a worker goes on: in the group it has begun, else where nobody has, else in what another has begun. */
function pickSegment({ fresh, groups }: Batch, worker: WorkerRecord): Batch["fresh"][number] | undefined {
  if (groups === undefined) return fresh[0];
  const own = fresh.find(({ owner }) => owner === worker.link) ?? fresh.find(({ owner }) => owner === undefined);
  if (own !== undefined) return own;
  for (const [place, segment] of fresh.entries()) {
    const next = groups[groupAfter(groups, segment.start)];
    if (next === undefined || next >= segment.stop) continue;
    const rest = { start: next, stop: segment.stop, owner: undefined };
    segment.stop = next;
    fresh.splice(place + 1, 0, rest);
    return rest;
  }
  return fresh[0];
}

function startsGroup({ groups }: Batch, task: number): boolean {
  return groups === undefined || groups[groupAfter(groups, task - 1)] === task;
}

/** Place of the first group that starts after `task`. */
function groupAfter(groups: Uint32Array, task: number): number {
  let [low, high] = [0, groups.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (groups[middle]! > task) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Collects hand-outs into one message. */
function createHand(batch: Batch) {
  const tasks: number[] = [];
  const attempts: number[] = [];
  const ends: number[] = [];
  const blobs: Uint8Array[] = [];
  let bytes = 0;
  return {
    tasks,
    get bytes() {
      return bytes;
    },
    add: (task: number, attempt: number): void => {
      const own = parametersOf(batch, task);
      tasks.push(task);
      attempts.push(attempt);
      bytes += own.byteLength;
      ends.push(bytes);
      if (own.byteLength > 0) blobs.push(own);
    },
    message: () => ({
      type: "assign" as const,
      job: batch.job.job,
      timeoutMs: batch.options.timeoutMs,
      tasks: Uint32Array.from(tasks),
      attempts: Uint32Array.from(attempts),
      ends: Uint32Array.from(ends),
      parameters: joined(blobs, bytes),
    }),
  };
}

function joined(blobs: readonly Uint8Array[], bytes: number): Uint8Array {
  if (blobs.length === 1) return blobs[0]!;
  const whole = new Uint8Array(bytes);
  let end = 0;
  for (const blob of blobs) {
    whole.set(blob, end);
    end += blob.byteLength;
  }
  return whole;
}

/** Before the first hand-out of a job to a worker. */
function tellJob(state: SchedulerState, worker: WorkerRecord, { job }: Batch): void {
  if (worker.jobs.has(job.job)) return;
  worker.jobs.add(job.job);
  const { id, kind, version, common } = job;
  toWorker(state, worker.link, { type: "job", job: job.job, id, kind, version, common });
}

const INPUTS_PER_MESSAGE_MAX = 4096;

/** Results that a task needs go ahead of its hand-out, in as many messages as it takes. */
function sendInputs(state: SchedulerState, worker: WorkerRecord, batch: Batch, task: number): void {
  tellJob(state, worker, batch);
  const attempt = batch.job.table.attempt(task);
  let blobs: Uint8Array[] = [];
  let ends: number[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (ends.length === 0) return;
    const column = Uint32Array.from(ends);
    toWorker(state, worker.link, {
      type: "inputs",
      job: batch.job.job,
      task,
      attempt,
      ends: column,
      values: joined(blobs, bytes),
    });
    [blobs, ends, bytes] = [[], [], 0];
  };
  forEachNeed(state, batch.job, task, (need, index) => {
    const value = need.table.result(index);
    if (bytes + value.byteLength > ASSIGN_BYTES_MAX || ends.length === INPUTS_PER_MESSAGE_MAX) flush();
    blobs.push(value);
    bytes += value.byteLength;
    ends.push(bytes);
  });
  flush();
}

function hasReserved({ workers }: SchedulerState): boolean {
  for (const { alone } of workers.values()) if (alone) return true;
  return false;
}

/**
 * Suspected tasks run one at a time on a worker that has nothing else: one worker is kept free for them, as soon as it has
 * ended what it holds, until no suspect is left.
 */
function placeSuspects(state: SchedulerState): void {
  for (const worker of state.workers.values())
    if (worker.alone && (state.suspects.size === 0 || worker.state !== "active") && worker.leases.size === 0) {
      worker.alone = false;
      state.hungry.add(worker);
    }
  for (const key of state.suspects) {
    const { job: number, task } = splitKey(key);
    const batch = batchOf(state.jobs.get(number)!, task);
    const worker = quarantine(state, batch);
    if (worker === undefined) continue;
    worker.alone = true;
    if (worker.leases.size > 0) return;
    state.suspects.delete(key);
    const hand = createHand(batch);
    hand.add(task, grant(state, worker, batch, task));
    if (batch.needs !== undefined) sendInputs(state, worker, batch, task);
    tellJob(state, worker, batch);
    toWorker(state, worker.link, hand.message());
    return;
  }
}

/** The worker that is kept free already, else the one that is free soonest. */
function quarantine({ workers }: SchedulerState, batch: Batch): WorkerRecord | undefined {
  let best: WorkerRecord | undefined;
  for (const worker of workers.values()) {
    if (worker.state !== "active" || !fits(worker, batch)) continue;
    if (worker.alone) return worker;
    if (best === undefined || worker.leases.size < best.leases.size) best = worker;
  }
  assert(best?.alone !== true, "a reserved worker is returned at once");
  return best;
}
