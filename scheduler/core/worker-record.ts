/**
 * A worker as the scheduler sees it: one connection of it. A worker that connects again is a new record, which takes over
 * the hand-outs that it still has.
 *
 * - `joining`: has hand-outs of an earlier connection; gets nothing until it has said which.
 * - `active`: gets work.
 * - `suspect`: silent for a while: gets no work, what it has not begun may go elsewhere. A word from it makes it active.
 * - `leaving`: takes no more work, ends what it has.
 *
 * Lost workers have no record: all they held is queued again.
 */
import {
  CREDIT_US,
  FRAME_TASKS_MAX,
  FRAME_US,
  HELD_PER_SLOT_MAX,
  HELD_PER_SLOT_MIN,
  UNTOLD_FRAMES_MAX,
} from "./limits.ts";
import type { ServingAt } from "../../protocol/held-values.ts";
import { estimateOf, type Batch, type Job } from "./job.ts";

export type WorkerState = "joining" | "active" | "suspect" | "leaving";

/** One hand-out: the right of one worker to run one attempt. */
export interface Lease {
  readonly job: Job;
  readonly batch: Batch;
  readonly task: number;
  readonly epoch: number;
  readonly attempt: number;
  /** What it was estimated to take when it was handed out. */
  readonly estimateUs: number;
  /** When its worker last named it. */
  renewedMs: number;
}

export interface WorkerRecord {
  /** Connection, as the shell numbers them; the worker's number in stories and messages. */
  readonly link: number;
  readonly name: string;
  readonly instance: string;
  /** Where it serves values. */
  readonly serving: ServingAt | undefined;
  readonly slots: number;
  /** Version by kind. */
  readonly kinds: ReadonlyMap<string, string>;
  /** Kinds whose results may differ from one run to the next. */
  readonly impure: ReadonlySet<string>;
  readonly resources: ReadonlyMap<string, number>;
  /** Of the resources, what hand-outs take. */
  readonly taken: Map<string, number>;
  state: WorkerState;
  heardMs: number;
  paused: boolean;
  rssBytes: number;
  /** By `leaseKey`, in the order of hand-out. */
  readonly leases: Map<number, Lease>;
  outstandingUs: number;
  /** When it last got a task. */
  fedMs: number;
  finished: number;
  /** That it holds; by lease key. */
  readonly values: Set<number>;
  valueBytes: number;
  /** Jobs it was told about. */
  readonly jobs: Set<number>;
  /** Numbers under which it held tasks of other jobs: those of a journal that was lost. */
  readonly foreign: Set<number>;
  /** Runs a suspected task alone, or is kept free for one; gets nothing else meanwhile. */
  alone: boolean;
  /** A `retract` that it has not answered. */
  retracting: boolean;
  /** Hand-outs of the connection before that it has not named yet; by `leaseKey`, only while joining. */
  readonly unconfirmed: Set<number>;
  /** Its surroundings failed (store, disk): gets nothing before this time. 0 is not resting. */
  restUntilMs: number;
  /** The last such failure. */
  restBecause: string;
  /** Such failures since its last result. */
  rests: number;
}

const TASKS_PER_JOB = 2 ** 24;

/** One number for a task of a job. */
export function leaseKey(job: number, task: number): number {
  return job * TASKS_PER_JOB + task;
}

/** Job and task of a lease key. */
export function splitKey(key: number): { job: number; task: number } {
  return { job: Math.floor(key / TASKS_PER_JOB), task: key % TASKS_PER_JOB };
}

/** How many more tasks of `batch` the worker may hold now. */
export function roomFor(worker: WorkerRecord, batch: Batch): number {
  if (!mayGet(worker) || worker.alone) return 0;
  const { slots, leases, outstandingUs } = worker;
  const least = slots * HELD_PER_SLOT_MIN - leases.size;
  const tookUs = estimateOf(batch);
  if (tookUs === undefined) return Math.max(0, least);
  const credit = Math.floor((slots * CREDIT_US - outstandingUs) / Math.max(tookUs, 1));
  return Math.max(0, Math.min(Math.max(least, credit), slots * HELD_PER_SLOT_MAX - leases.size));
}

/** Whether the worker may get anything now. */
export function mayGet({ state, paused, restUntilMs }: WorkerRecord): boolean {
  return state === "active" && !paused && restUntilMs === 0;
}

/** Hand-outs that may have begun, told or not. */
export function mayHaveBegun(worker: WorkerRecord): Lease[] {
  return firstOf(worker, UNTOLD_FRAMES_MAX);
}

/** Hand-outs that have begun when the worker's last report is all there was to tell. */
export function likelyBegun(worker: WorkerRecord): Lease[] {
  return firstOf(worker, 1);
}

/** Each slot works in the order of hand-out, a frame at a time. */
function firstOf({ leases, slots }: WorkerRecord, frames: number): Lease[] {
  const first: Lease[] = [];
  let leftUs = slots * frames * FRAME_US;
  for (const lease of leases.values()) {
    if (leftUs <= 0) break;
    first.push(lease);
    const estimateUs = lease.estimateUs === 0 ? FRAME_US : lease.estimateUs;
    leftUs -= Math.min(Math.max(estimateUs, FRAME_US / FRAME_TASKS_MAX), FRAME_US);
  }
  return first;
}

/** Whether the worker can run tasks of a batch at all, now or when it has less to do. */
export function fits({ name, kinds, resources }: WorkerRecord, { job, options }: Batch): boolean {
  return (
    kinds.get(job.kind) === job.version &&
    (options.workers.length === 0 || options.workers.includes(name)) &&
    options.resources.every(({ name: resource, amount }) => (resources.get(resource) ?? 0) >= amount)
  );
}

/** How many tasks of `batch` the free resources of a worker allow. */
export function resourceRoom({ resources, taken }: WorkerRecord, { options }: Batch): number {
  return options.resources.reduce(
    (least, { name, amount }) =>
      Math.min(least, Math.floor(((resources.get(name) ?? 0) - (taken.get(name) ?? 0)) / amount)),
    Infinity,
  );
}
