/** A job: a table of tasks that grows by batches, and who watches it. */
import { TaskTable } from "./task-table.ts";

/** What holds for all tasks of a batch; as the client said it. */
export interface BatchOptions {
  readonly priority: number;
  readonly retries: number;
  readonly timeoutMs: number;
  readonly volatile: boolean;
  readonly resources: readonly { readonly name: string; readonly amount: number }[];
  readonly workers: readonly string[];
}

/** Blobs one after the other: entry `i` ends at `ends[i]`. */
export interface Blobs {
  readonly ends: Uint32Array;
  readonly values: Uint8Array;
}

/** Whether `ends` ascends over `count` entries up to `total`. */
export function fit(ends: Uint32Array, count: number, total: number): boolean {
  return (
    ends.length === count &&
    ends.every((end, place) => end >= (place === 0 ? 0 : ends[place - 1]!)) &&
    ends[count - 1] === total
  );
}

/** For each task of a batch the tasks whose results it needs: `jobs[k]`, `tasks[k]` for k up to `ends[i]`. */
export interface Needs {
  readonly ends: Uint32Array;
  readonly jobs: Uint32Array;
  readonly tasks: Uint32Array;
}

export interface JobHead {
  readonly job: number;
  readonly id: string;
  readonly kind: string;
  readonly version: string;
  readonly common: Uint8Array;
  readonly maxFails: number;
  readonly transient: boolean;
}

/** Tasks that were added together: one set of options, parameters side by side, a queue of their own. */
export interface Batch {
  readonly job: Job;
  readonly start: number;
  readonly stop: number;
  readonly options: BatchOptions;
  readonly parameters: Blobs | undefined;
  readonly needs: Needs | undefined;
  /** First tasks of groups that like to stay on one worker, ascending. */
  readonly groups: Uint32Array | undefined;
  /** One for each group: groups of one label like to run where the last one did. Absent in a batch of an earlier life. */
  readonly labels: Uint32Array | undefined;
  /** Counts batches. */
  readonly sequence: number;
  /**
   * Older batches go first among equal priorities. A batch is as old as the oldest that it needs: so what was begun is ended,
   * and its values released, before more is begun.
   */
  readonly age: number;
  /** Of batches of one age the deepest goes first: 0 without needs, else one more than what it needs. */
  readonly depth: number;
  /** Requirements as a text: batches of one shape can run on the same workers. */
  readonly shape: string;
  /** Never handed out: half-open, disjoint, ascending. */
  fresh: { start: number; stop: number; owner: number | undefined }[];
  /** Queued for another reason: came back, or their needs finished. */
  readonly ready: number[];
  /** Running mean of what a task takes, microseconds of a thread; undefined before the first report. */
  tookUs: number | undefined;
  /** Whether the queue has it. */
  isQueued: boolean;
}

/** A client that is told how the tasks of a job end. */
export interface Watcher {
  readonly results: boolean;
  /** Tasks whose results it wants no more. */
  letGo?: Set<number>;
  /** Tasks whose values it wants to be there at all times. */
  persisted?: Set<number>;
}

export interface Job extends JobHead {
  readonly table: TaskTable;
  /** Ascending by `start`, without gaps. */
  readonly batches: Batch[];
  /** Whether a batch of it has needs. */
  hasNeeds: boolean;
  /** Keys of tasks, where the user gave them; by index. */
  readonly keys: (string | undefined)[];
  /** Errors of erred tasks by index. */
  readonly errors: Map<number, TaskError>;
  readonly watchers: Map<number, Watcher>;
  /** What the last task that was reported took on average in its batch: the estimate for batches without a report. */
  tookUs: number | undefined;
  sealed: boolean;
  /** When the last watcher left; only for transient jobs. */
  abandonedMs: number | undefined;
  /** Why the scheduler itself cancelled tasks of it; none where only clients did. */
  because: string | undefined;
  /** Whether watchers were told that it ended. */
  toldEnd: boolean;
}

export interface TaskError {
  readonly code: string;
  readonly message: string;
  readonly stack: string;
  readonly attempts: number;
  readonly worker: string;
}

export function createJob(head: JobHead, nowMs: number): Job {
  return {
    ...head,
    table: new TaskTable(),
    batches: [],
    hasNeeds: false,
    keys: [],
    errors: new Map(),
    watchers: new Map(),
    tookUs: undefined,
    sealed: false,
    abandonedMs: head.transient ? nowMs : undefined,
    because: undefined,
    toldEnd: false,
  };
}

/** The batch a task came with. */
export function batchOf({ batches }: Job, task: number): Batch {
  let [low, high] = [0, batches.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (batches[middle]!.start <= task) low = middle;
    else high = middle - 1;
  }
  return batches[low]!;
}

/** What a task of a batch will take, microseconds of a thread; undefined where nothing of its job was reported. */
export function estimateOf({ tookUs, job }: Batch): number | undefined {
  return tookUs ?? job.tookUs;
}

/** Name of a task as people read it. */
export function keyOf(job: Job, task: number): string {
  return job.keys[task] ?? `${job.id}/${task}`;
}

/** Own parameters of a task; empty where its index is all it needs. */
export function parametersOf({ parameters, start }: Batch, task: number): Uint8Array {
  if (parameters === undefined) return NONE;
  const place = task - start;
  return parameters.values.subarray(place === 0 ? 0 : parameters.ends[place - 1], parameters.ends[place]);
}

const NONE = new Uint8Array(0);

/** Whether every task of a sealed job has come to a durable end. */
export function hasEnded({ sealed, table }: Job): boolean {
  return sealed && table.settledRows === table.rows;
}

/** Number of tasks that may be handed out in a batch. */
export function queuedIn(batch: Batch): number {
  return batch.fresh.reduce((sum, { start, stop }) => sum + stop - start, batch.ready.length);
}
