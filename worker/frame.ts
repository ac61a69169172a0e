/**
 * What a pool and its threads say to each other: a frame of tasks goes down in one piscina run, and everything else
 * over the message port that travels with it. A frame, not a task, is the unit of hand-over because a piscina run
 * costs tens of microseconds.
 */
import type { MessagePort } from "node:worker_threads";
import type { ErrorRecord } from "../common/errors.ts";
import type { InputFile, TaskResult } from "../tasks/kind.ts";

export interface FrameTask {
  /** Names the task in reports; the thread does not look at it. */
  readonly index: number;
  readonly parameters: unknown;
}

export interface Frame {
  readonly kind: string;
  readonly tasks: readonly FrameTask[];
  /** Folder of the parts stored so far; absent where nothing is kept. */
  readonly partsFolder?: string;
}

/** A frame as a thread receives it. */
export interface DeliveredFrame extends Frame {
  readonly port: MessagePort;
  /** One number: tasks of this frame begun. Readable after the thread died, when messages may be lost. */
  readonly cursor: Int32Array<SharedArrayBuffer>;
}

export interface LoadedContent {
  readonly content: Uint8Array<SharedArrayBuffer> | undefined;
  readonly sha256: string;
}

/** Everything a thread may say. */
export type ToPool =
  /** The task is finished; its part, if any, is not stored yet. */
  | { readonly type: "done"; readonly index: number; readonly result: TaskResult; readonly tookMs: number }
  /** The task ended with an error of its kind; the thread goes on. */
  | { readonly type: "failed"; readonly index: number; readonly error: ErrorRecord }
  /** Asks for an input that several tasks share. Answered by `load`, `content` or `unloadable`. */
  | { readonly type: "want"; readonly file: InputFile }
  /** Answers `load`: the input was read and hashed. */
  | { readonly type: "loaded"; readonly file: InputFile; readonly loaded: LoadedContent }
  /** Answers `load`: the input cannot be read. */
  | { readonly type: "unloadable"; readonly file: InputFile; readonly error: ErrorRecord }
  /** Last of a frame. */
  | { readonly type: "end" };

/** Everything a pool may say to a thread, each an answer to `want`. */
export type ToThread =
  /** Nobody has it: read it and tell. */
  | { readonly type: "load" }
  | { readonly type: "content"; readonly loaded: LoadedContent }
  | { readonly type: "unloadable"; readonly error: ErrorRecord };
