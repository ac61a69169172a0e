/**
 * What a cluster can compute: a kind of task.
 *
 * A kind of this house is one folder of `tasks/` with
 * 1. `schema` and `common`: what the parameters of a task, and what all tasks of a job share, may be,
 * 2. `plan`: a request of the user becomes a job, a numbered list of tasks (runs in the client),
 * 3. `setup`: once per thread, before its first task,
 * 4. `run`: one task (runs in a pool thread),
 * 5. `reduce`: the parts become the job's result (runs in the client),
 * 6. `describe`: what a job computes, for people who look at a list of jobs (runs in the client).
 * Nothing outside the folder knows what the kind computes. A kind of a user is one file of a folder (docs/kinds.md);
 * `registry.ts` finds both.
 */
import type { GenericSchema } from "valibot";
import type { InputFile } from "../data/inputs.ts";

/** The content of an input file, read once per process and shared by the threads. */
export interface SharedContent {
  /** The whole file; absent where it is too large for memory: then it is read from `path` in pieces. */
  readonly content: Uint8Array | undefined;
  /** Where the bytes lie on this machine when `content` is absent: the file itself, or a copy that stays while the task runs. */
  readonly path?: string;
  /** Of the whole file, lower-case hexadecimal. */
  readonly sha256: string;
  /** It was read for this task; else the worker had it. */
  readonly isNew: boolean;
  /**
   * Memory for what this kind makes of the input and the next task, or the next job, would make again. All tasks of the
   * worker that ask with this name get the same, at the same time or later, until the worker needs the room. Only to be used
   * while the task runs. Absent, or without an answer, where there is no room.
   *
   * @param name Tells the kind, and all that decides what is in it.
   * @param size `headBytes` at its beginning are 0 for the first who asks; the rest is anything.
   */
  readonly derived?: (
    name: string,
    size: { bytes: number; headBytes: number },
  ) => Promise<SharedArrayBuffer | undefined>;
}

/** An input that a task will ask for. */
export interface KindInput {
  readonly file: InputFile;
  /** As in `TaskContext.input`. */
  readonly shared: boolean;
}

/** What a thread gives to a running task. */
export interface TaskContext<Common = unknown> {
  /** What all tasks of the job share, checked by the kind's schema; decoded once per job and thread, so not to be changed. */
  readonly common: Common;
  /** Of the task in its job. */
  readonly index: number;
  /**
   * Content and hash of an input file. `shared`: other tasks of the job need it too, so it is read once per process and
   * its memory shared; else the memory is the thread's own and is overwritten by the next call.
   *
   * @throws {PeError} `PE_INPUT_CHANGED`, `PE_SHARD_UNREADABLE`; `PE_INPUT_UNREACHABLE`, which ends the job, when this
   * host has no such input at all.
   */
  input(file: InputFile, options: { shared: boolean }): Promise<SharedContent>;
  /**
   * A part stored before under this name (by an interrupted or an earlier job), if it is there and whole.
   *
   * @throws {PeError} `PE_CONNECTION`, `PE_STORE_UNAVAILABLE`, `PE_CREDENTIALS` when the store cannot be asked: the task runs
   *   again, and nobody is to blame.
   */
  findPart(name: string): Promise<Uint8Array | undefined>;
  /**
   * Hands over a part: an object of any size, named by what it was computed from, so that the same name always holds the
   * same bytes. The task counts as finished only when it is durable in the job's part store. The memory is given away.
   *
   * @throws {PeError} `PE_PARAMETER` when the name cannot be one, or the job has no part store.
   */
  storePart(name: string, bytes: Uint8Array): void;
}

/**
 * A named computation. Common and parameters are values as `protocol/values.ts` has them, and so is what `run` returns, of any size up
 * to 2 GiB. A result of more than 64 KiB encoded stays on the worker as it lies in memory: its typed arrays are copied once, when
 * `run` has returned. The typed arrays of such a result are, in the parameters of a task that needs it, views on memory (a
 * `SharedArrayBuffer`) that other tasks read at the same time: not to be written.
 */
export interface Kind<Parameters = unknown, Common = unknown> {
  /** Letters, digits and `._-`, at most 64; one name, one kind in a cluster. */
  readonly name: string;
  /** Changes whenever the same parameters would give other bytes. A worker and a job of different versions never meet. */
  readonly version: string;
  /** Of one task's parameters; absent: anything. */
  readonly schema?: GenericSchema<unknown, Parameters>;
  /** Of what all tasks of a job share; absent: anything. */
  readonly common?: GenericSchema<unknown, Common>;
  /** Whether the same parameters always give the same result; true by default. */
  readonly pure?: boolean;
  /**
   * What a job computes, from what its tasks share: a few short entries by name, such as `{ input: "/data", orders: "3-7" }`,
   * for people who look at a list of jobs.
   */
  describe?(common: Common): Readonly<Record<string, string>>;
  /** Once per thread, before its first task of this kind. */
  setup?(): Promise<void>;
  /**
   * The inputs that `run` will ask for, in that order, so that they are read while the tasks before still compute. Cheap and
   * pure; called in another thread than `run`, without `setup`. What it leaves out is read when it is asked for; what it
   * names in vain is read in vain.
   */
  inputs?(parameters: Parameters, common: Common): readonly KindInput[];
  run(parameters: Parameters, context: TaskContext<Common>): unknown;
}

/** One submission: `job.id/i` names the same work for ever, whoever computes it. */
export interface Job<Parameters = unknown, Common = unknown> {
  /** Derived from what is computed: submitting the same again resumes it. */
  readonly id: string;
  readonly kind: string;
  /** Of the kind, when the job was planned. */
  readonly version: string;
  readonly taskCount: number;
  readonly common: Common;
  /** Parameters of task `index`, 0 <= index < taskCount; cheap and pure. */
  task(index: number): Parameters;
  /** Tasks of one group should run on one worker, which has their input at hand. Ascending with the index. */
  groupOf?(index: number): number;
  /** Of the group of a task, 0 to 2^32 - 1: the same for the same input, in this job or another. */
  labelOf?(index: number): number;
}
