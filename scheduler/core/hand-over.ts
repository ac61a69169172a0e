/** What a worker is told with a hand-out: its job, the results it needs, its parameters. Some hand-outs share a message. */
import type { ValueWanted } from "../../protocol/held-values.ts";
import { VALUES_PER_MESSAGE_MAX } from "../../protocol/worker-link.ts";
import { forEachNeed } from "./needs.ts";
import { parametersOf, type Batch } from "./job.ts";
import { grant } from "./leases.ts";
import { ASSIGN_BYTES_MAX, ASSIGN_TASKS_MAX } from "./limits.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import { valueOf, wantedOf } from "./values.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** Collects hand-outs of one batch to one worker; `send` says them, those before that a message cannot hold are said at once. */
export class HandOver {
  readonly #state: SchedulerState;
  readonly #worker: WorkerRecord;
  readonly #batch: Batch;
  #tasks: number[] = [];
  #attempts: number[] = [];
  #ends: number[] = [];
  #blobs: Uint8Array[] = [];
  #bytes = 0;
  #sent = 0;
  readonly #inputs: Inputs | undefined;

  constructor(state: SchedulerState, worker: WorkerRecord, batch: Batch) {
    this.#state = state;
    this.#worker = worker;
    this.#batch = batch;
    this.#inputs = batch.needs === undefined ? undefined : new Inputs(state, worker, batch);
  }

  get tasks(): number {
    return this.#sent + this.#tasks.length;
  }

  get isFull(): boolean {
    return this.tasks >= ASSIGN_TASKS_MAX || this.#bytes >= ASSIGN_BYTES_MAX;
  }

  /** queued -> processing. */
  add(task: number): void {
    const attempt = grant(this.#state, this.#worker, this.#batch, task);
    const own = parametersOf(this.#batch, task);
    if (this.#tasks.length > 0 && this.#bytes + own.byteLength > ASSIGN_BYTES_MAX) this.send();
    this.#tasks.push(task);
    this.#attempts.push(attempt);
    this.#ends.push((this.#bytes += own.byteLength));
    if (own.byteLength > 0) this.#blobs.push(own);
    this.#inputs?.add(task, attempt);
  }

  send(): void {
    this.#worker.fedMs = this.#state.nowMs;
    tellJob(this.#state, this.#worker, this.#batch);
    this.#inputs?.send();
    toWorker(this.#state, this.#worker.link, {
      type: "assign",
      job: this.#batch.job.job,
      timeoutMs: this.#batch.options.timeoutMs,
      tasks: Uint32Array.from(this.#tasks),
      attempts: Uint32Array.from(this.#attempts),
      ends: Uint32Array.from(this.#ends),
      parameters: joined(this.#blobs, this.#bytes),
    });
    this.#sent += this.#tasks.length;
    [this.#tasks, this.#attempts, this.#ends, this.#blobs, this.#bytes] = [[], [], [], [], 0];
  }
}

/** Before the first hand-out of a job to a worker. */
function tellJob(state: SchedulerState, worker: WorkerRecord, { job }: Batch): void {
  if (worker.jobs.has(job.job)) return;
  worker.jobs.add(job.job);
  const { id, kind, version, common } = job;
  toWorker(state, worker.link, { type: "job", job: job.job, id, kind, version, common });
}

const INPUTS_PER_MESSAGE_MAX = 4096;

/** Collects the results that tasks need, in as few messages as hold them; said ahead of the hand-outs. */
class Inputs {
  readonly #state: SchedulerState;
  readonly #worker: WorkerRecord;
  readonly #batch: Batch;
  #tasks: number[] = [];
  #attempts: number[] = [];
  #counts: number[] = [];
  #ends: number[] = [];
  #blobs: Uint8Array[] = [];
  #bytes = 0;

  constructor(state: SchedulerState, worker: WorkerRecord, batch: Batch) {
    this.#state = state;
    this.#worker = worker;
    this.#batch = batch;
  }

  add(task: number, attempt: number): void {
    let isNamed = false;
    let place = -1;
    const values: { place: number; wanted: ValueWanted }[] = [];
    forEachNeed(this.#state, this.#batch.job, task, (need, index) => {
      place++;
      const held = valueOf(this.#state, need, index);
      if (held !== undefined) return void values.push({ place, wanted: wantedOf(held, this.#worker, task + place) });
      const value = need.table.result(index);
      if (this.#bytes + value.byteLength > ASSIGN_BYTES_MAX || this.#ends.length === INPUTS_PER_MESSAGE_MAX) {
        this.send();
        isNamed = false;
      }
      if (!isNamed) {
        this.#tasks.push(task);
        this.#attempts.push(attempt);
        this.#counts.push(0);
        isNamed = true;
      }
      this.#counts[this.#counts.length - 1]!++;
      this.#ends.push((this.#bytes += value.byteLength));
      this.#blobs.push(value);
    });
    if (values.length > 0) this.#sendValues(task, attempt, values);
  }

  #sendValues(task: number, attempt: number, values: readonly { place: number; wanted: ValueWanted }[]): void {
    tellJob(this.#state, this.#worker, this.#batch);
    for (let start = 0; start < values.length; start += VALUES_PER_MESSAGE_MAX) {
      const some = values.slice(start, start + VALUES_PER_MESSAGE_MAX);
      toWorker(this.#state, this.#worker.link, {
        type: "values",
        job: this.#batch.job.job,
        task,
        attempt,
        places: Uint32Array.from(some, ({ place }) => place),
        values: some.map(({ wanted }) => wanted),
      });
    }
  }

  send(): void {
    if (this.#ends.length === 0) return;
    tellJob(this.#state, this.#worker, this.#batch);
    toWorker(this.#state, this.#worker.link, {
      type: "inputs",
      job: this.#batch.job.job,
      tasks: Uint32Array.from(this.#tasks),
      attempts: Uint32Array.from(this.#attempts),
      counts: Uint32Array.from(this.#counts),
      ends: Uint32Array.from(this.#ends),
      values: joined(this.#blobs, this.#bytes),
    });
    [this.#tasks, this.#attempts, this.#counts, this.#ends, this.#blobs, this.#bytes] = [[], [], [], [], [], 0];
  }
}

function joined(blobs: readonly Uint8Array[], bytes: number): Uint8Array {
  if (blobs.length === 1) return blobs[0]!;
  const whole = new Uint8Array(bytes);
  let end = 0;
  for (const blob of blobs) {
    whole.set(blob, end);
    end += blob.byteLength;
  }
  return whole;
}
