/** What enters the worker's core and what leaves it. */
import type { ValueName, ValueSource } from "../../protocol/held-values.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";

/** Which hand-out: no other, of whatever life of the scheduler, has the same four numbers. */
export interface HandOutId {
  readonly job: number;
  readonly task: number;
  readonly epoch: number;
  readonly attempt: number;
}

/** One result of a thread. */
export interface TaskDone extends HandOutId {
  readonly tookUs: number;
  readonly result: Uint8Array;
  /** Of a result that stays here as a value, when the core says `hold-value`; absent where it is none. `id`: of its job. */
  readonly held?: { readonly id: string; readonly bytes: number };
}

/** An error of the task itself, or of something around it (`blameless`). */
export interface TaskFailed extends HandOutId {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly blameless: boolean;
  /** Concerns the whole job, such as an input that this host cannot reach: not tried again, and the rest is cancelled. */
  readonly endsJob: boolean;
}

export type WorkerEvent =
  | { readonly type: "connected" }
  | { readonly type: "disconnected" }
  | { readonly type: "said"; readonly message: SchedulerToWorker }
  /** Tasks of a slot ended: those it ran, in their order, and earlier ones whose parts are stored now, or could not be. */
  | {
      readonly type: "ended";
      readonly slot: number;
      readonly done: readonly TaskDone[];
      readonly failed: readonly TaskFailed[];
      /** Computed; their parts are on their way to the store, and the thread goes on. */
      readonly storing: readonly HandOutId[];
    }
  /** The thread of a slot has started, with frames waiting for it: until now no task could begin. */
  | { readonly type: "thread-up"; readonly slot: number }
  /** The thread is gone: killed, out of memory, or it ended itself. The shell has made a new one. */
  | { readonly type: "thread-died"; readonly slot: number; readonly reason: string }
  /** A value was fetched from another worker, or read back from the disk: it is in memory. */
  | { readonly type: "value-here"; readonly name: ValueName }
  /** It could not be had. `gone`: holders that said that they do not have it. */
  | { readonly type: "value-missing"; readonly name: ValueName; readonly gone: readonly string[] }
  /** It is on the disk, and no longer in memory. */
  | { readonly type: "value-spilled"; readonly name: ValueName }
  /** The disk would not take it: it stays in memory. */
  | { readonly type: "value-not-spilled"; readonly name: ValueName }
  | { readonly type: "memory"; readonly rssBytes: number; readonly paused: boolean }
  /** Leave: take nothing more, end or give back what there is. */
  | { readonly type: "drain" }
  /** Time is up: leave, and give back also what runs. */
  | { readonly type: "hand-back" }
  | { readonly type: "tick" };

/** A task as a thread gets it. */
export interface FrameTask {
  readonly task: number;
  readonly epoch: number;
  readonly attempt: number;
  readonly parameters: Uint8Array;
  /** Results it needs, in the order of its needs; values by name: they are in memory. */
  readonly inputs: readonly TaskInput[];
}

export type TaskInput = Uint8Array | ValueName;

export type WorkerEffect =
  | { readonly type: "send"; readonly message: WorkerToScheduler }
  /** Gives a slot a frame, tasks of one job, that comes after those it has. */
  | {
      readonly type: "run";
      readonly slot: number;
      readonly job: number;
      readonly id: string;
      readonly kind: string;
      readonly common: Uint8Array;
      readonly tasks: readonly FrameTask[];
    }
  /** Gets a value into memory: from other workers, or, where there are no sources, back from the disk. */
  | {
      readonly type: "fetch-value";
      readonly name: ValueName;
      readonly bytes: number;
      readonly sources: readonly ValueSource[];
    }
  /** Keeps the value that was the result of a task; one whose end brings no such effect is wanted by nobody. */
  | { readonly type: "hold-value"; readonly name: ValueName; readonly done: TaskDone }
  /** Writes a value to the disk, and gives its memory back. */
  | { readonly type: "spill-value"; readonly name: ValueName }
  /** Forgets a value, wherever it is; ends the fetching of one that is on its way. */
  | { readonly type: "free-value"; readonly name: ValueName }
  /** Sends a value to the scheduler, for somebody who cannot reach this worker. */
  | { readonly type: "upload-value"; readonly ticket: string; readonly name: ValueName }
  /** Ends the thread of a slot; `thread-died` follows. */
  | { readonly type: "kill"; readonly slot: number; readonly reason: string }
  /** The scheduler says nothing any more: ends the connection and makes a new one; `disconnected` follows. */
  | { readonly type: "disconnect"; readonly reason: string }
  /** Everything is given back or stored: the process may end. */
  | { readonly type: "left" }
  /** The scheduler refuses this worker: say why and end. */
  | { readonly type: "refused"; readonly code: string; readonly message: string };
