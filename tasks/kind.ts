/**
 * What a cluster can compute: a kind of task.
 *
 * A kind is one folder of `tasks/` with
 * 1. `schema`: what its parameters may be,
 * 2. `plan`: a request of the user becomes a job, a numbered list of tasks (runs in the client),
 * 3. `setup`: once per thread, before its first task,
 * 4. `run`: one task (runs in a pool thread),
 * 5. `reduce`: the parts become the job's result (runs in the client).
 * Nothing outside the folder knows what the kind computes; `registry.ts` is the only list of kinds.
 */
import type { GenericSchema } from "valibot";

/** An input file as planning saw it. A file that no longer fits is a named error (`PE_INPUT_CHANGED`). */
export interface InputFile {
  /** Name within the input, with `/`; unique, sortable, the same wherever the input is mounted. */
  readonly name: string;
  /** Where to read it: an absolute path. */
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** The content of an input file, read once per process and shared by the threads. */
export interface SharedContent {
  /** The whole file; absent where it is larger than the cache takes: then it is read from `path` in pieces. */
  readonly content: Uint8Array | undefined;
  /** Of the whole file, lower-case hexadecimal. */
  readonly sha256: string;
}

/** What a thread gives to a running task. */
export interface TaskContext {
  /**
   * Content and hash of an input file. `shared`: other tasks of the job need it too, so it is read once per process and
   * its memory shared; else the memory is the thread's own and is overwritten by the next call.
   *
   * @throws {PeError} `PE_INPUT_CHANGED`, `PE_SHARD_UNREADABLE`
   */
  input(file: InputFile, options: { shared: boolean }): Promise<SharedContent>;
  /** A part stored before under this name (by an interrupted or an earlier job), if it is there and whole. */
  findPart(name: string): Promise<Uint8Array | undefined>;
}

/** The result object of one task, named by what it was computed from: the same name always holds the same bytes. */
export interface Part {
  readonly name: string;
  /** Absent where `findPart` found it stored. */
  readonly bytes?: Uint8Array;
}

export interface TaskResult {
  /** Stored by the worker before the task counts as finished; absent where the task stored its output itself. */
  readonly part?: Part;
  /** Small (at most 4 kB), travels with the report: what progress and the job's report need. */
  readonly summary: Readonly<Record<string, unknown>>;
}

export interface Kind<Parameters> {
  readonly name: string;
  /** Changes whenever the same parameters would give other bytes. */
  readonly version: string;
  readonly schema: GenericSchema<unknown, Parameters>;
  setup?(): Promise<void>;
  run(parameters: Parameters, context: TaskContext): Promise<TaskResult>;
}

/** One submission: `job.id/i` names the same work for ever, whoever computes it. */
export interface Job<Parameters> {
  /** Derived from what is computed: submitting the same again resumes it. */
  readonly id: string;
  readonly kind: string;
  readonly taskCount: number;
  /** Parameters of task `index`, 0 <= index < taskCount; cheap and pure. */
  task(index: number): Parameters;
}
