/** All that the scheduler's core knows. The other files of this folder are functions over it, one concern each. */
import { assert } from "../../common/assert.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import type { SchedulerToClient } from "../../protocol/client-link.ts";
import type { SchedulerToWorker } from "../../protocol/worker-link.ts";
import { Durability } from "./durability.ts";
import type { SchedulerEffect } from "./events.ts";
import type { Batch, Job } from "./job.ts";
import { BatchQueue } from "./queue.ts";
import { StoryRing } from "./story.ts";
import type { TaskState } from "./task-state.ts";
import { TASK } from "./task-state.ts";
import type { WorkerRecord } from "./worker-record.ts";

export interface ClientRecord {
  readonly link: number;
  readonly name: string;
}

/** Linked edges from a task to those that need it, all jobs together. */
export interface Edges {
  next: Int32Array;
  job: Uint32Array;
  task: Uint32Array;
  count: number;
}

export interface Counters {
  /** Reports on a hand-out that no longer counts. */
  droppedReports: number;
  handedOut: number;
  finished: number;
}

export interface SchedulerState {
  readonly epoch: number;
  readonly jobs: Map<number, Job>;
  readonly jobsById: Map<string, Job>;
  nextJob: number;
  /** Task by the user's own key: job * 2^24 + index. */
  readonly keys: Map<string, number>;
  readonly edges: Edges;
  readonly queue: BatchQueue;
  nextBatch: number;
  readonly workers: Map<number, WorkerRecord>;
  readonly clients: Map<number, ClientRecord>;
  /** Workers that may have room. */
  readonly hungry: Set<WorkerRecord>;
  /** Suspected tasks that wait for a worker to run alone on: lease keys. */
  readonly suspects: Set<number>;
  readonly story: StoryRing;
  readonly durability: Durability;
  readonly counters: Counters;
  /** Before this nothing is handed out: workers of the life before may re-join with what they run. */
  dispatchFromMs: number;
  nowMs: number;
  /** Effects of the step under way. */
  out: SchedulerEffect[];
}

export function createState(epoch: number, sequence: number, nowMs: number): SchedulerState {
  return {
    epoch,
    jobs: new Map(),
    jobsById: new Map(),
    nextJob: 1,
    keys: new Map(),
    edges: { next: new Int32Array(64), job: new Uint32Array(64), task: new Uint32Array(64), count: 0 },
    queue: new BatchQueue(),
    nextBatch: 1,
    workers: new Map(),
    clients: new Map(),
    hungry: new Set(),
    suspects: new Set(),
    story: new StoryRing(),
    durability: new Durability(sequence),
    counters: { droppedReports: 0, handedOut: 0, finished: 0 },
    dispatchFromMs: nowMs,
    nowMs,
    out: [],
  };
}

export function toWorker(state: SchedulerState, link: number, message: SchedulerToWorker): void {
  state.out.push({ type: "to-worker", link, message });
}

export function toClient(state: SchedulerState, link: number, message: SchedulerToClient): void {
  // A client that left in the meantime is told nothing; its job goes on.
  if (state.clients.has(link)) state.out.push({ type: "to-client", link, message });
}

export function journal(state: SchedulerState, record: JournalRecord): void {
  state.durability.write();
  state.out.push({ type: "journal", record });
}

/** A transition, asserted and remembered. `worker` is a worker's number or 0. */
export function move(state: SchedulerState, job: Job, task: number, to: TaskState, worker = 0): void {
  job.table.move(task, to);
  state.story.add(state.nowMs, job.job, task, to, job.table.attempt(task), worker);
}

/** Makes a task of state queued available for hand-out. */
export function makeReady(state: SchedulerState, batch: Batch, task: number): void {
  assert(batch.job.table.state(task) === TASK.queued, () => `task ${task} is ready but not queued`);
  batch.ready.push(task);
  state.queue.add(batch);
}
