/** What a pool and its reader thread say to each other: the reader names the inputs of tasks that come, and reads them. */
import type { ErrorRecord } from "../../common/errors.ts";
import type { InputFile } from "../../data/inputs.ts";
import type { KindInput } from "../../tasks/kind.ts";
import type { Reading } from "./content-wanted.ts";
import type { DeliveredFrame, LoadedContent } from "../threads/frame.ts";

/** Tasks of one job, and what their inputs follow from. */
export type TasksToName = Pick<DeliveredFrame, "kind" | "version" | "common" | "parameters" | "inputs">;

export type ToReader =
  /** Answered by `named`. */
  | { readonly type: "name"; readonly tasks: TasksToName }
  /** Answered by `loaded` or `unloadable`. */
  | ({ readonly type: "read" } & Reading)
  /** Nobody uses this memory any more. */
  | { readonly type: "reuse"; readonly memory: SharedArrayBuffer };

export type FromReader =
  /** Inputs of the tasks that were asked about first of those that are not answered. */
  | { readonly type: "named"; readonly inputs: readonly KindInput[] }
  | { readonly type: "loaded"; readonly file: InputFile; readonly loaded: LoadedContent }
  | { readonly type: "unloadable"; readonly file: InputFile; readonly error: ErrorRecord };
