/** What a worker is told with a hand-out: its job, the results it needs, its parameters. Some hand-outs share a message. */
import { forEachNeed } from "./graph.ts";
import { parametersOf, type Batch } from "./job.ts";
import { grant } from "./leases.ts";
import { ASSIGN_BYTES_MAX, ASSIGN_TASKS_MAX } from "./limits.ts";
import { toWorker, type SchedulerState } from "./state.ts";
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

  constructor(state: SchedulerState, worker: WorkerRecord, batch: Batch) {
    this.#state = state;
    this.#worker = worker;
    this.#batch = batch;
  }

  get tasks(): number {
    return this.#sent + this.#tasks.length;
  }

  get isFull(): boolean {
    return this.tasks >= ASSIGN_TASKS_MAX || this.#bytes >= ASSIGN_BYTES_MAX;
  }

  /** queued -> processing. What the task needs is said at once, ahead of the hand-out. */
  add(task: number): void {
    const attempt = grant(this.#state, this.#worker, this.#batch, task);
    const own = parametersOf(this.#batch, task);
    if (this.#tasks.length > 0 && this.#bytes + own.byteLength > ASSIGN_BYTES_MAX) this.send();
    this.#tasks.push(task);
    this.#attempts.push(attempt);
    this.#ends.push((this.#bytes += own.byteLength));
    if (own.byteLength > 0) this.#blobs.push(own);
    if (this.#batch.needs === undefined) return;
    tellJob(this.#state, this.#worker, this.#batch);
    sendInputs(this.#state, this.#worker, this.#batch, task, attempt);
  }

  send(): void {
    tellJob(this.#state, this.#worker, this.#batch);
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

/** Results that a task needs, in as many messages as it takes. */
function sendInputs(state: SchedulerState, worker: WorkerRecord, batch: Batch, task: number, attempt: number): void {
  let blobs: Uint8Array[] = [];
  let ends: number[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (ends.length === 0) return;
    const [column, values] = [Uint32Array.from(ends), joined(blobs, bytes)];
    toWorker(state, worker.link, { type: "inputs", job: batch.job.job, task, attempt, ends: column, values });
    [blobs, ends, bytes] = [[], [], 0];
  };
  forEachNeed(state, batch.job, task, (need, index) => {
    const value = need.table.result(index);
    if (bytes + value.byteLength > ASSIGN_BYTES_MAX || ends.length === INPUTS_PER_MESSAGE_MAX) flush();
    blobs.push(value);
    ends.push((bytes += value.byteLength));
  });
  flush();
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
