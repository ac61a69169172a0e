/** Cuts the tasks of a job into appends: ranges where the index is all a task needs, else batches of bounded size. */
import { BATCH_TASKS_MAX } from "../../protocol/client-link.ts";
import { encodeValue } from "../../protocol/values.ts";
import { refuseLarge, TASK_BYTES_MAX } from "../limits.ts";
import type { Request } from "../session/link.ts";
import type { WireOptions } from "../task-options.ts";

export interface TaskSource {
  readonly taskCount: number;
  /** Absent: the index is all that a task needs. */
  task?(index: number): unknown;
  groupOf?(index: number): number;
  /** Of the group of a task, 0 to 2^32 - 1: the same for the same input, in whatever job. */
  labelOf?(index: number): number;
}

export type AppendRequest = Extract<Request, { type: "append" }>;

/** Tasks that go together; `bytes` is about what the request takes on the wire. */
export interface TaskBatch {
  readonly request: Omit<AppendRequest, "job">;
  readonly bytes: number;
}

/** A batch is closed at this size, far below that of a frame. */
const BATCH_BYTES_GOOD = 512 << 10;

/**
 * Tasks from `from` on; the same tasks always give the same bytes.
 *
 * @throws {PeError} `PE_PARAMETER` when parameters cannot travel, `PE_LIMIT` when they are too large.
 */
export function* cutTasks(source: TaskSource, from: number, options: WireOptions): Generator<TaskBatch> {
  for (let start = from; start < source.taskCount;) {
    const batch = source.task === undefined ? cutRange(source, start, options) : cutBatch(source, start, options);
    yield batch;
    start += batch.request.count;
  }
}

/** As many tasks as there are; where they have groups, as many groups as a message names. */
function cutRange(source: TaskSource, from: number, options: WireOptions): TaskBatch {
  if (source.groupOf === undefined)
    return { request: { type: "append", from, count: source.taskCount - from, options }, bytes: 0 };
  const groups = new Groups(source, from);
  let stop = from + 1;
  while (stop < source.taskCount && groups.add(stop)) stop++;
  return { request: { type: "append", from, count: stop - from, options, ...groups.columns() }, bytes: 0 };
}

function cutBatch(source: TaskSource, from: number, options: WireOptions): TaskBatch {
  const groups = source.groupOf === undefined ? undefined : new Groups(source, from);
  const encoded: Uint8Array[] = [];
  let bytes = 0;
  for (let index = from; index < source.taskCount && encoded.length < BATCH_TASKS_MAX; index++) {
    if (index > from && groups?.add(index) === false) break;
    const one = encodeValue(source.task!(index));
    if (one.byteLength > TASK_BYTES_MAX) throw refuseLarge(`task ${index}`, one.byteLength);
    if (index > from && bytes + one.byteLength > BATCH_BYTES_GOOD) break;
    encoded.push(one);
    bytes += one.byteLength;
  }
  const count = encoded.length;
  const request = { type: "append", from, count, options, parameters: joined(encoded, bytes) } as const;
  return { request: groups === undefined ? request : { ...request, ...groups.columns(from + count) }, bytes };
}

/** Where groups begin: the scheduler keeps the tasks from one such task to the next on one worker. */
class Groups {
  readonly #source: TaskSource;
  readonly #starts: number[];
  #group: number;

  constructor(source: TaskSource, from: number) {
    this.#source = source;
    this.#starts = [from];
    this.#group = source.groupOf!(from);
  }

  /** @returns Whether there was room for another group. */
  add(index: number): boolean {
    const group = this.#source.groupOf!(index);
    if (group === this.#group) return true;
    if (this.#starts.length === BATCH_TASKS_MAX) return false;
    this.#starts.push(index);
    this.#group = group;
    return true;
  }

  columns(stop = Infinity): { groups: Uint32Array; labels?: Uint32Array } {
    const groups = Uint32Array.from(this.#starts.filter((start) => start < stop));
    if (this.#source.labelOf === undefined) return { groups };
    return { groups, labels: groups.map((start) => this.#source.labelOf!(start)) };
  }
}

function joined(encoded: readonly Uint8Array[], bytes: number): { ends: Uint32Array; values: Uint8Array } {
  const ends = new Uint32Array(encoded.length);
  const values = new Uint8Array(bytes);
  let end = 0;
  for (const [place, one] of encoded.entries()) {
    values.set(one, end);
    ends[place] = end += one.byteLength;
  }
  return { ends, values };
}
