/**
 * What a pool and its threads say to each other. Frames of tasks go to a thread over its port. The ends of quick tasks come back on a board of shared memory, one for each frame, and
 * everything else over the port. A frame, not a task, is the unit of hand-over because a piscina run costs tens of
 * microseconds, and a message some ten.
 */
import type { ErrorRecord } from "../../common/errors.ts";
import type { PartAccess } from "../../data/part-store.ts";
import type { DerivedMemory, WantedFile } from "../inputs/content-wanted.ts";
import type { HandOutId } from "../core/events.ts";

/** A task as the pool gets it: all that it needs is in memory. */
export interface TaskToRun extends Omit<HandOutId, "job"> {
  readonly parameters: Uint8Array;
  /** Results it needs, in the order of its needs: those of reports, and blobs as `protocol/large-values.ts` makes them. */
  readonly inputs: readonly (Uint8Array | SharedArrayBuffer)[];
}

/** A frame as it is given to the pool: tasks of one job, in the order in which they run. */
export interface Frame {
  readonly job: number;
  readonly id: string;
  readonly kind: string;
  /** As `tasks/job-common.ts` makes them. The same object for each frame of a job is decoded once by each thread. */
  readonly common: Uint8Array;
  readonly tasks: readonly TaskToRun[];
}

/** A frame as a thread receives it. Bytes of all tasks lie one after the other: each view of memory costs a copy. */
export interface DeliveredFrame {
  /** Counts the frames of a lane. */
  readonly number: number;
  readonly id: string;
  readonly kind: string;
  /** As the worker told the scheduler: another one in this thread means that its file was changed. */
  readonly version: string | undefined;
  /** `number` is another for every other content. */
  readonly common: { readonly number: number; readonly bytes: SharedArrayBuffer };
  readonly tasks: Uint32Array;
  readonly parameters: Pieces;
  /** Results that the tasks need; absent where none needs any. */
  readonly inputs?: DeliveredInputs;
  readonly board: SharedArrayBuffer;
}

/** Results that tasks of a frame need, one after the other. */
export interface DeliveredInputs {
  /** Where those of each task end among them. */
  readonly ends: Uint32Array;
  /** A large one is an empty piece. */
  readonly values: Pieces;
  /** Large ones, by their places among all: memory of this process, not copied. Absent where there is none. */
  readonly blobs?: ReadonlyMap<number, SharedArrayBuffer>;
}

/** Piece `i` ends at `ends[i]`. */
export interface Pieces {
  readonly bytes: Uint8Array;
  readonly ends: Uint32Array;
}

/** What a thread says first, when it has loaded its modules. */
export interface ThreadUp {
  /** Its number. */
  readonly up: number;
}

/** What every thread of a pool knows from its beginning. */
export interface ThreadData {
  readonly kinds: readonly string[];
  readonly partAccess: PartAccess;
}

export interface LoadedContent {
  readonly content: Uint8Array<SharedArrayBuffer> | undefined;
  /** Where its bytes lie when they are not in memory. */
  readonly path?: string;
  readonly sha256: string;
}

/** A part on its way to the store. */
export interface PartToStore {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly sha256: Uint8Array;
}

/** An error as it leaves a thread. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly blameless: boolean;
  readonly endsJob: boolean;
}

/** The end of a task that does not fit on the board. */
export interface LongEnd {
  readonly type: "ended";
  /** Number of the frame. */
  readonly frame: number;
  /** Place in it. */
  readonly place: number;
  /** Where its parts go. */
  readonly partsUrl: string | null;
  readonly parts: readonly PartToStore[];
  readonly end: LongResult | { readonly failure: Failure };
}

/** What a task returned: packed, or, when that is too large for a report, a blob in memory that threads share. */
export type LongResult = { readonly result: Uint8Array } | { readonly value: SharedArrayBuffer };

/** Everything a thread may say. */
export type ToPool =
  /** It listens: the first thing that it says. */
  | { readonly type: "up" }
  /** There is news on the board. */
  | { readonly type: "look" }
  | LongEnd
  /** Asks for an input. Answered by `load`, `content` or `unloadable`. */
  | { readonly type: "want"; readonly file: WantedFile }
  /** Asks for memory for what the task makes of an input that it was given. Answered by `derived`. */
  | ({ readonly type: "derive" } & DerivedMemory)
  /** Answers `load`: the input was read and hashed. */
  | { readonly type: "loaded"; readonly file: WantedFile; readonly loaded: LoadedContent }
  /** Answers `load`: the input cannot be read. */
  | { readonly type: "unloadable"; readonly file: WantedFile; readonly error: ErrorRecord };

/** What a pool answers to `want` and `derive`. */
export type ContentAnswer =
  /**
   * Nobody has it: read it and tell, or, when it is for this task `alone`, only read it. `scratch`: into that file; `memory`:
   * into that, which is long enough.
   */
  | {
      readonly type: "load";
      readonly alone?: boolean;
      readonly scratch?: string;
      readonly memory?: SharedArrayBuffer;
    }
  /** `isNew`: it was read for this task, and nobody was given it before. */
  | { readonly type: "content"; readonly loaded: LoadedContent; readonly isNew: boolean }
  /** No memory: there is no room for it. */
  | { readonly type: "derived"; readonly memory: SharedArrayBuffer | undefined }
  | { readonly type: "unloadable"; readonly error: ErrorRecord };

/** Everything a pool may say to a thread. */
export type ToThread =
  /** To be run after what it has. */
  | { readonly type: "frame"; readonly frame: DeliveredFrame }
  /** There will be no more. */
  | { readonly type: "close" }
  /** Shared memory was let go that this thread may have seen: it collects its garbage before it goes on. */
  | { readonly type: "collect" }
  | ContentAnswer;

/** @returns The pieces one after the other. */
export function joinPieces(list: readonly Uint8Array[]): Pieces {
  const ends = new Uint32Array(list.length);
  let end = 0;
  for (let place = 0; place < list.length; place++) ends[place] = end += list[place]!.byteLength;
  const bytes = new Uint8Array(end);
  for (let place = 0; place < list.length; place++) bytes.set(list[place]!, place === 0 ? 0 : ends[place - 1]);
  return { bytes, ends };
}

export function pieceOf({ bytes, ends }: Pieces, place: number): Uint8Array {
  return bytes.subarray(place === 0 ? 0 : ends[place - 1], ends[place]);
}

const IN_BLOB = new Uint8Array(0);

/** The inputs of these tasks, where they need any. */
export function joinInputs(tasks: readonly TaskToRun[]): DeliveredInputs | undefined {
  if (!tasks.some(({ inputs }) => inputs.length > 0)) return undefined;
  const ends = new Uint32Array(tasks.length);
  const small: Uint8Array[] = [];
  let blobs: Map<number, SharedArrayBuffer> | undefined;
  for (let place = 0; place < tasks.length; place++) {
    for (const input of tasks[place]!.inputs) {
      if (input instanceof SharedArrayBuffer) (blobs ??= new Map()).set(small.length, input);
      small.push(input instanceof SharedArrayBuffer ? IN_BLOB : input);
    }
    ends[place] = small.length;
  }
  return { ends, values: joinPieces(small), ...(blobs !== undefined && { blobs }) };
}
