/** What enters the worker's core and what leaves it. */
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
  /** The thread is gone: killed, out of memory, or it ended itself. The shell has made a new one. */
  | { readonly type: "thread-died"; readonly slot: number; readonly reason: string }
  | { readonly type: "memory"; readonly rssBytes: number; readonly paused: boolean }
  /** Leave: take nothing more, end or give back what there is. */
  | { readonly type: "drain" }
  | { readonly type: "tick" };

/** A task as a thread gets it. */
export interface FrameTask {
  readonly task: number;
  readonly epoch: number;
  readonly attempt: number;
  readonly parameters: Uint8Array;
  /** Results it needs, in the order of its needs. */
  readonly inputs: readonly Uint8Array[];
}

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
  /** Ends the thread of a slot; `thread-died` follows. */
  | { readonly type: "kill"; readonly slot: number; readonly reason: string }
  /** The scheduler says nothing any more: ends the connection and makes a new one; `disconnected` follows. */
  | { readonly type: "disconnect"; readonly reason: string }
  /** Everything is given back or stored: the process may end. */
  | { readonly type: "left" }
  /** The scheduler refuses this worker: say why and end. */
  | { readonly type: "refused"; readonly code: string; readonly message: string };
