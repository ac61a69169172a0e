/** What a pool and its reader thread say to each other: the reader names the inputs of tasks that come, and reads them. */
import type { ErrorRecord } from "../../common/errors.ts";
import type { KindInput } from "../../tasks/kind.ts";
import type { Reading, WantedFile } from "./content-wanted.ts";
import type { DeliveredFrame, LoadedContent, ThreadData } from "../threads/frame.ts";

/** An input that a task will ask for, and where to read it. */
export interface NamedInput extends KindInput {
  /** URL of the store of parts of its job. */
  readonly store?: string | undefined;
}

/** Tasks of one job, and what their inputs follow from. */
export type TasksToName = Pick<DeliveredFrame, "kind" | "version" | "common" | "parameters" | "inputs">;

/** What a reader thread knows from its beginning. */
export type ReaderData = Pick<ThreadData, "kinds" | "partAccess">;

export type ToReader =
  /** Answered by `named`. */
  | { readonly type: "name"; readonly tasks: TasksToName }
  /** Answered by `loaded` or `unloadable`. */
  | ({ readonly type: "read" } & Reading)
  /** Nobody uses this memory any more. */
  | { readonly type: "reuse"; readonly memory: SharedArrayBuffer }
  /** Shared memory was let go that this thread may have seen: it collects its garbage. */
  | { readonly type: "collect" }
  /** There is nothing more to do. */
  | { readonly type: "end" };

export type FromReader =
  /** Inputs of the tasks that were asked about first of those that are not answered. */
  | { readonly type: "named"; readonly inputs: readonly NamedInput[] }
  | { readonly type: "loaded"; readonly file: WantedFile; readonly loaded: LoadedContent }
  | { readonly type: "unloadable"; readonly file: WantedFile; readonly error: ErrorRecord };
