/** All that the scheduler's core knows. The other files of this folder are functions over it, one concern each. */
import { assert } from "../../common/assert.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import type { SchedulerToClient } from "../../protocol/client-link.ts";
import type { SchedulerToWorker } from "../../protocol/worker-link.ts";
import { DeathNotes } from "./death-notes.ts";
import { Durability } from "./durability.ts";
import { Edges } from "./edges.ts";
import type { SchedulerEffect } from "./events.ts";
import { batchOf, type Batch, type Job } from "./job.ts";
import { BatchQueue } from "./queue.ts";
import { DEATHS_MAX, VERDICT_AFTER_MS } from "./limits.ts";
import type { Seeker } from "./locating.ts";
import type { Replication } from "./replicating.ts";
import { StoryRing } from "./story.ts";
import { SuspectLine } from "./suspect-line.ts";
import type { TaskState } from "./task-state.ts";
import { TASK } from "./task-state.ts";
import type { Totals } from "./totals.ts";
import type { Value } from "./values.ts";
import type { Telling } from "./watching.ts";
import { leaseKey, type WorkerRecord } from "./worker-record.ts";

export interface ClientRecord {
  readonly link: number;
  readonly name: string;
}

export interface Counters {
  /** Reports on a hand-out that no longer counts. */
  droppedReports: number;
  handedOut: number;
  finished: number;
}

/** One hand-out of a task. */
export interface HandOutName {
  readonly epoch: number;
  readonly attempt: number;
}

/** A hand-out that was held by a worker whose connection closed. */
export interface Accusation extends HandOutName {
  /** Process of that worker. */
  readonly instance: string;
}

export interface Verdict {
  readonly atMs: number;
  /** The one that died last. */
  worker: string;
}

export interface SchedulerState {
  /** Life of the scheduler: ascends with each restart on one journal. */
  epoch: number;
  readonly jobs: Map<number, Job>;
  readonly jobsById: Map<string, Job>;
  nextJob: number;
  /** Lease key of a task by the user's own key for it. */
  readonly keys: Map<string, number>;
  readonly edges: Edges;
  readonly queue: BatchQueue;
  /** Name of the worker that had the last group of a label; used longest ago first. */
  readonly labels: Map<number, string>;
  nextBatch: number;
  readonly workers: Map<number, WorkerRecord>;
  readonly clients: Map<number, ClientRecord>;
  /** Workers that may have room. */
  readonly hungry: Set<WorkerRecord>;
  readonly suspects: SuspectLine;
  /** By lease key: suspects that are queued with as many deaths as there may be, until the verdict. */
  readonly condemned: Map<number, Verdict>;
  /** Workers that run a suspected task alone, or are kept free for one. */
  readonly reserved: Set<WorkerRecord>;
  /**
   * By lease key: hand-outs that count as deaths of a task only because a connection closed. A worker that comes back did
   * not die of them.
   */
  readonly accused: Map<number, Accusation[]>;
  /** Words for verdicts. */
  readonly deaths: DeathNotes;
  /** By lease key: the last hand-out whose failure was counted; told again, it does not count again. */
  readonly spent: Map<number, HandOutName>;
  /** Jobs that end with their last watcher, and have none. */
  readonly abandoned: Set<Job>;
  /** Watchers that are being told what had ended when they came. */
  readonly telling: Set<Telling>;
  /** Of results that workers hold; by lease key. Those that are lost, too, but not those that were released. */
  readonly values: Map<number, Value>;
  /** Whether there ever was one. */
  hadValues: boolean;
  /** Tasks that will fail with the next event: what they need has failed. */
  readonly doomed: { readonly job: Job; readonly task: number }[];
  /** Clients that wait to hear where a value is; by lease key. */
  readonly seekers: Map<number, Seeker[]>;
  /** Jobs with values that a watcher wants to be there at all times. */
  readonly persisted: Set<Job>;
  /** Workers that leave and have values yet. */
  readonly retiring: Set<WorkerRecord>;
  /** Requests for copies of values that are not fulfilled. */
  readonly replications: Set<Replication>;
  readonly story: StoryRing;
  readonly durability: Durability;
  readonly counters: Counters;
  readonly totals: Totals;
  /** Before this nothing is handed out: workers of the life before may re-join with what they run. */
  dispatchFromMs: number;
  /** The last tick: a long gap means that the scheduler itself stood still. */
  tickedMs: number;
  nowMs: number;
  /** Effects of the step under way. */
  out: SchedulerEffect[];
}

export function createState(sequence: number, nowMs: number): SchedulerState {
  return {
    epoch: 0,
    jobs: new Map(),
    jobsById: new Map(),
    nextJob: 1,
    keys: new Map(),
    edges: new Edges(),
    queue: new BatchQueue(),
    labels: new Map(),
    nextBatch: 1,
    workers: new Map(),
    clients: new Map(),
    hungry: new Set(),
    suspects: new SuspectLine(),
    condemned: new Map(),
    reserved: new Set(),
    accused: new Map(),
    deaths: new DeathNotes(),
    spent: new Map(),
    abandoned: new Set(),
    telling: new Set(),
    values: new Map(),
    hadValues: false,
    doomed: [],
    seekers: new Map(),
    persisted: new Set(),
    retiring: new Set(),
    replications: new Set(),
    story: new StoryRing(),
    durability: new Durability(sequence),
    counters: { droppedReports: 0, handedOut: 0, finished: 0 },
    totals: { tasks: 0, needs: 0, bytes: 0 },
    dispatchFromMs: nowMs,
    tickedMs: nowMs,
    nowMs,
    out: [],
  };
}

export function toWorker(state: SchedulerState, link: number, message: SchedulerToWorker): void {
  // What waited for the disk must not reach a connection that is over: by now it may say what holds for the next one only.
  if (state.workers.has(link)) state.out.push({ type: "to-worker", link, message });
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
  const { table } = job;
  if (table.deaths(task) > 0 && table.state(task) === TASK.queued) leaveSuspects(state, job, task);
  table.move(task, to);
  state.story.add(state.nowMs, job.job, task, to, table.attempt(task), worker);
}

export function leaveSuspects(state: SchedulerState, job: Job, task: number): void {
  const key = leaseKey(job.job, task);
  state.suspects.delete(batchOf(job, task).shape, key);
  state.condemned.delete(key);
}

/** Makes a task of state queued available for hand-out; a suspected one waits in a line of its own, or for its verdict. */
export function makeReady(state: SchedulerState, batch: Batch, task: number): void {
  const { table, job } = batch.job;
  assert(table.state(task) === TASK.queued, () => `task ${task} is ready but not queued`);
  if (table.deaths(task) >= DEATHS_MAX)
    return void state.condemned.set(leaseKey(job, task), {
      atMs: state.nowMs + VERDICT_AFTER_MS,
      worker: "",
    });
  if (table.deaths(task) > 0) return state.suspects.add(batch.shape, leaseKey(job, task));
  batch.ready.push(task);
  state.queue.add(batch);
}
