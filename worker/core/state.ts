/** All that the worker's core knows: its hand-outs, its line, its slots. */
import type { LastDeath, SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";
import type { ServingAt, ValueSource } from "../../protocol/held-values.ts";
import type { TaskDone, TaskFailed, TaskInput, WorkerEffect } from "./events.ts";

/** Who the worker is; said at each connection. */
export interface WorkerIdentity {
  readonly protocol: number;
  readonly software: string;
  readonly name: string;
  /** Another for each process. */
  readonly instance: string;
  readonly slots: number;
  readonly kinds: readonly { readonly name: string; readonly version: string; readonly impure?: boolean }[];
  readonly resources: readonly { readonly name: string; readonly amount: number }[];
  /** Where it serves values; absent: the scheduler passes them on. */
  readonly serving?: ServingAt;
  /** Of values in memory; beyond it copies are dropped, and the rest goes to the disk. */
  readonly valueBytesMax: number;
  /** Of the process before this one. */
  readonly lastDeath?: LastDeath;
}

export type JobHead = Extract<SchedulerToWorker, { type: "job" }>;

/**
 * A hand-out on its way through the worker:
 * `fetching` waits for values that it needs; `line` waits for a slot; `frame` is in a slot, begun or not; `storing` was computed, and its parts are on their way; `done`,
 * `failed` are reported, until the scheduler has stored the report; `dropped` is in a slot, but nobody wants it any more.
 */
export type HandOutState =
  | { readonly name: "fetching" }
  | { readonly name: "line" }
  | { readonly name: "frame"; readonly slot: number }
  | { readonly name: "storing" }
  | { readonly name: "done"; readonly done: TaskDone }
  | { readonly name: "failed"; readonly failed: TaskFailed; readonly died: boolean }
  | { readonly name: "dropped"; readonly slot: number; readonly sinceMs: number };

export interface HandOut {
  readonly job: JobHead;
  readonly task: number;
  readonly epoch: number;
  readonly attempt: number;
  readonly timeoutMs: number;
  readonly parameters: Uint8Array;
  readonly inputs: readonly TaskInput[];
  /** Those of the inputs that are values. */
  readonly values: readonly HeldValue[];
  state: HandOutState;
}

/**
 * A value on this worker, or on its way here:
 * `fetching` comes from another worker, or from the disk; `here` is in memory; `spilling` is in memory and on its way to the
 * disk; `spilled` is on the disk alone.
 */
export interface HeldValue {
  readonly id: string;
  readonly task: number;
  bytes: number;
  state: "fetching" | "here" | "spilling" | "spilled";
  /** Whether it was computed here: what was fetched can be fetched again. */
  isCopy: boolean;
  /** The hand-out it comes from. */
  made: { readonly epoch: number; readonly attempt: number };
  /** Hand-outs that use it, or wait for it. */
  readonly users: Set<HandOut>;
  /** The scheduler wants a copy here for its own sake. */
  isKept: boolean;
  /** To be forgotten when nobody uses it any more. */
  isFreed: boolean;
}

/** What a hand-out needs, as it comes ahead of it. */
export interface Inputs {
  readonly attempt: number;
  /** Results, in the order of its needs, without those that are values. */
  readonly results: Uint8Array[];
  /** Values, and which of its needs each is. */
  readonly values: { readonly place: number; readonly wanted: Wanted }[];
}

export interface Wanted {
  readonly id: string;
  readonly task: number;
  readonly bytes: number;
  readonly sources: readonly ValueSource[];
}

/** A thread of the pool and what it has. */
export interface Slot {
  readonly number: number;
  /** Hand-outs of its frames whose computing has not ended, in order; the first is running. */
  frame: HandOut[];
  /** When the first one began, or was given to a thread that has still to start. */
  begunMs: number;
  /** Why its thread is being ended, and on account of which hand-out. */
  killedFor: { readonly hand: HandOut; readonly code: string; readonly reason: string } | undefined;
}

export interface WorkerState {
  readonly identity: WorkerIdentity;
  connected: boolean;
  /** When the scheduler last said something on this connection. */
  heardMs: number;
  tickedMs: number;
  /** When the name was first refused as taken, since it was last accepted. */
  nameTakenMs: number | undefined;
  epoch: number;
  readonly jobs: Map<number, JobHead>;
  /** By `handKey`. */
  readonly hands: Map<number, HandOut>;
  /** Those of state `line`, first to run first. */
  line: HandOut[];
  readonly slots: readonly Slot[];
  /** Results that came ahead of the hand-out that needs them; by `handKey`. */
  readonly inputs: Map<number, Inputs>;
  /** By `valueKey`. */
  readonly values: Map<string, HeldValue>;
  /** Of the values that are here and not on their way to the disk. */
  hereBytes: number;
  /** Values that are here and that nobody uses, used longest ago first: copies that may be dropped, and the others. */
  readonly idle: { readonly copies: Set<HeldValue>; readonly others: Set<HeldValue> };
  /** Running mean by job, microseconds. */
  readonly tookUs: Map<number, number>;
  paused: boolean;
  rssBytes: number;
  leaving: boolean;
  /** Since when. */
  leavingMs: number;
  left: boolean;
  /** Reports that came too late to matter. */
  droppedReports: number;
  nowMs: number;
  out: WorkerEffect[];
}

export function createState(identity: WorkerIdentity): WorkerState {
  return {
    identity,
    connected: false,
    heardMs: 0,
    tickedMs: 0,
    nameTakenMs: undefined,
    epoch: 0,
    jobs: new Map(),
    hands: new Map(),
    line: [],
    slots: Array.from({ length: identity.slots }, (_, number) => ({
      number,
      frame: [],
      begunMs: 0,
      killedFor: undefined,
    })),
    inputs: new Map(),
    values: new Map(),
    hereBytes: 0,
    idle: { copies: new Set(), others: new Set() },
    tookUs: new Map(),
    paused: false,
    rssBytes: 0,
    leaving: false,
    leavingMs: 0,
    left: false,
    droppedReports: 0,
    nowMs: 0,
    out: [],
  };
}

const TASKS_PER_JOB = 2 ** 24;

export function handKey(job: number, task: number): number {
  return job * TASKS_PER_JOB + task;
}

/** Said only while connected: a report is kept until it is stored and said again on the next connection. */
export function send(state: WorkerState, message: WorkerToScheduler): void {
  if (state.connected) state.out.push({ type: "send", message });
}
