/** What workers say. A report counts only for the present hand-out of its task; any other is dropped and counted. */
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import type { workerToScheduler, WorkerToScheduler } from "../../protocol/worker-link.ts";
import { keyOf, type Job } from "./job.ts";
import { HEARTBEAT_MS, RESULT_BYTES_MAX, WORKERS_MAX } from "./limits.ts";
import { adopt, endLease, leaseOf, tellDrop } from "./leases.ts";
import { journal, toWorker, type SchedulerState } from "./state.ts";
import { fail, finish, requeue, settle, suspect, tellEnd } from "./transitions.ts";
import { tellFinished } from "./requests.ts";
import { TASK } from "./task-state.ts";
import { leaseKey, type Lease, type WorkerRecord } from "./worker-record.ts";

type Report<Name extends WorkerToScheduler["type"]> = MessageOf<typeof workerToScheduler, Name>;
type Handlers = {
  readonly [Name in Exclude<WorkerToScheduler["type"], "register">]: (
    state: SchedulerState,
    worker: WorkerRecord,
    message: Report<Name>,
  ) => void;
};

const HANDLERS: Handlers = { held, heartbeat, done, failed, returned, leaving };

export function onWorkerSaid(state: SchedulerState, link: number, message: WorkerToScheduler): void {
  if (message.type === "register") return register(state, link, message);
  const worker = state.workers.get(link);
  if (worker === undefined)
    return void state.out.push({ type: "close-worker", link, reason: `said ${message.type} before register` });
  worker.heardMs = state.nowMs;
  if (worker.state === "suspect") {
    worker.state = "active";
    state.hungry.add(worker);
  }
  (HANDLERS[message.type] as (state: SchedulerState, worker: WorkerRecord, message: WorkerToScheduler) => void)(
    state,
    worker,
    message,
  );
}

function register(state: SchedulerState, link: number, message: Report<"register">): void {
  const refuse = (code: string, reason: string): void => {
    toWorker(state, link, { type: "refuse", code, message: `Cannot register worker "${message.name}": ${reason}` });
    state.out.push({ type: "close-worker", link, reason });
  };
  if (message.protocol !== PROTOCOL_VERSION)
    return refuse(
      "PE_VERSION",
      `it speaks protocol ${message.protocol} (${message.software}), the scheduler ${PROTOCOL_VERSION}; update the older one`,
    );
  if (state.workers.size >= WORKERS_MAX) return refuse("PE_LIMIT", `the scheduler has ${WORKERS_MAX} workers`);
  for (const other of state.workers.values())
    if (other.name === message.name && !replaces(state, other, message.name))
      return refuse("PE_NAME_TAKEN", "another worker has this name and is alive; give it another --name");
  const worker: WorkerRecord = {
    link,
    name: message.name,
    slots: message.slots,
    kinds: new Map(message.kinds.map(({ name, version }) => [name, version])),
    resources: new Map(message.resources.map(({ name, amount }) => [name, amount])),
    taken: new Map(),
    state: message.holds ? "joining" : "active",
    heardMs: state.nowMs,
    paused: false,
    rssBytes: 0,
    leases: new Map(),
    outstandingUs: 0,
    finished: 0,
    jobs: new Set(),
    alone: false,
    retracting: false,
  };
  state.workers.set(link, worker);
  state.hungry.add(worker);
  toWorker(state, link, {
    type: "welcome",
    epoch: state.epoch,
    worker: link,
    software: "pe-cluster",
    heartbeatMs: HEARTBEAT_MS,
  });
}

/** A new connection under a known name: the same worker again when the old one is silent, else a second worker. */
function replaces(state: SchedulerState, other: WorkerRecord, name: string): boolean {
  if (state.nowMs - other.heardMs < 2 * HEARTBEAT_MS) {
    state.out.push({ type: "alarm", code: "name-taken", message: `Two workers are called "${name}"` });
    return false;
  }
  state.out.push({ type: "close-worker", link: other.link, reason: "it connected again" });
  loseWorker(state, other, "silent");
  return true;
}

/** Hand-outs of an earlier connection or life of the scheduler: adopted where nobody else has the task. */
function held(
  state: SchedulerState,
  worker: WorkerRecord,
  { job: number, id, tasks, epochs, attempts, last }: Report<"held">,
): void {
  const job = state.jobs.get(number);
  const unwanted: Pick<Lease, "task" | "epoch" | "attempt">[] = [];
  for (const [place, task] of tasks.entries()) {
    const [epoch, attempt] = [epochs[place]!, attempts[place]!];
    if (job?.id === id && task < job.table.rows && isFree(state, job, task, epoch, attempt)) {
      state.suspects.delete(leaseKey(number, task));
      adopt(state, worker, job, task, epoch, attempt);
      worker.jobs.add(number);
    } else unwanted.push({ task, epoch, attempt });
  }
  if (unwanted.length > 0) tellDrop(state, worker.link, number, unwanted);
  if (last) worker.state = "active";
}

/** Whether a hand-out may go on: its task is queued, and this life has handed out nothing newer of it. */
function isFree({ epoch: now }: SchedulerState, { table }: Job, task: number, epoch: number, attempt: number): boolean {
  if (table.state(task) !== TASK.queued) return false;
  return epoch === now ? table.attempt(task) === attempt : table.attempt(task) === 0;
}

function heartbeat(
  state: SchedulerState,
  worker: WorkerRecord,
  { jobs, tasks, attempts, paused, rssBytes }: Report<"heartbeat">,
): void {
  worker.rssBytes = rssBytes;
  if (worker.paused !== paused) state.hungry.add(worker);
  worker.paused = paused;
  for (let place = 0; place < tasks.length; place++) {
    const lease = worker.leases.get(leaseKey(jobs[place]!, tasks[place]!));
    if (lease !== undefined && lease.attempt === attempts[place]) lease.renewedMs = state.nowMs;
  }
}

function done(state: SchedulerState, worker: WorkerRecord, message: Report<"done">): void {
  const { job: number, tasks, epochs, attempts, took, ends, results } = message;
  const job = state.jobs.get(number);
  const finished: number[] = [];
  let isVolatile = true;
  for (const [place, task] of tasks.entries()) {
    const result = results.subarray(place === 0 ? 0 : ends[place - 1], ends[place]);
    const lease = leaseOf(worker, number, task, epochs[place]!, attempts[place]!);
    if (lease === undefined || result.byteLength > RESULT_BYTES_MAX) {
      state.counters.droppedReports++;
      if (job !== undefined && task < job.table.rows) compareResults(state, job, task, result, worker);
      continue;
    }
    endLease(state, worker, lease);
    worker.finished++;
    lease.batch.tookUs = mean(lease.batch.tookUs, took[place]!);
    finish(state, lease.job, task, result, worker.link);
    finished.push(task);
    isVolatile &&= lease.batch.options.volatile;
  }
  if (job !== undefined && finished.length > 0 && !isVolatile) journalFinished(state, job, finished);
  const settleAll = (): void => {
    toWorker(state, worker.link, { type: "stored", job: number, tasks, epochs, attempts });
    if (job === undefined) return;
    for (const task of finished) settle(state, job, task);
    for (const [link, { results: wanted }] of job.watchers) tellFinished(state, link, job, finished, wanted);
    tellEnd(state, job);
  };
  // What is not journaled need not wait for the disk.
  if (isVolatile) settleAll();
  else state.durability.after(settleAll);
}

const MEAN_WEIGHT = 0.1;

function mean(before: number | undefined, took: number): number {
  return before === undefined ? took : before + MEAN_WEIGHT * (took - before);
}

function journalFinished(state: SchedulerState, job: Job, tasks: readonly number[]): void {
  const ends = new Uint32Array(tasks.length);
  let bytes = 0;
  for (const [place, task] of tasks.entries()) ends[place] = bytes += job.table.result(task).byteLength;
  const results = new Uint8Array(bytes);
  for (const [place, task] of tasks.entries()) results.set(job.table.result(task), place === 0 ? 0 : ends[place - 1]);
  journal(state, { type: "finished", job: job.job, tasks: Uint32Array.from(tasks), ends, results });
}

/** A second result of a finished task is ignored, but a different one is an alarm. */
function compareResults(state: SchedulerState, job: Job, task: number, result: Uint8Array, worker: WorkerRecord): void {
  if (job.table.state(task) !== TASK.finished) return;
  const known = job.table.result(task);
  if (known.byteLength === result.byteLength && known.every((byte, place) => byte === result[place])) return;
  state.out.push({
    type: "alarm",
    code: "result-differs",
    message: `Task ${keyOf(job, task)} gave another result on worker "${worker.name}" than before: version skew, bad memory, or a kind that is not pure`,
  });
}

function failed(state: SchedulerState, worker: WorkerRecord, message: Report<"failed">): void {
  const { job: number, task, epoch, attempt, code, message: text, stack, died, blameless } = message;
  const lease = leaseOf(worker, number, task, epoch, attempt);
  acknowledge(state, worker, message);
  if (lease === undefined) return void state.counters.droppedReports++;
  const { job, batch } = lease;
  endLease(state, worker, lease);
  if (blameless) return requeue(state, job, task, worker.link);
  if (died) return suspect(state, job, task, worker.link, text);
  const fails = job.table.fails(task) + 1;
  job.table.setFails(task, fails);
  if (fails > batch.options.retries)
    return fail(state, job, task, { code, message: text, stack, attempts: fails, worker: worker.name }, worker.link);
  journal(state, { type: "failed", job: number, task, fails });
  requeue(state, job, task, worker.link);
}

/** A failure is reported once; when what it led to is durable, the worker may forget it. */
function acknowledge(
  state: SchedulerState,
  worker: WorkerRecord,
  { job, task, epoch, attempt }: Report<"failed">,
): void {
  const column = (value: number): Uint32Array => Uint32Array.of(value);
  toWorker(state, worker.link, {
    type: "stored",
    job,
    tasks: column(task),
    epochs: column(epoch),
    attempts: column(attempt),
  });
}

function returned(state: SchedulerState, worker: WorkerRecord, { job, tasks, attempts }: Report<"returned">): void {
  worker.retracting = false;
  for (const [place, task] of tasks.entries()) {
    const lease = worker.leases.get(leaseKey(job, task));
    if (lease === undefined || lease.attempt !== attempts[place]) continue;
    endLease(state, worker, lease);
    requeue(state, lease.job, task, worker.link);
  }
}

function leaving(state: SchedulerState, worker: WorkerRecord): void {
  worker.state = "leaving";
  state.hungry.delete(worker);
}

export type LossReason = "closed" | "silent";

/**
 * A worker is gone: all it held is queued again. When its connection closed without a farewell the process may have died
 * of a task: whatever it held is suspected. Silence is nobody's fault.
 */
export function loseWorker(state: SchedulerState, worker: WorkerRecord, reason: LossReason): void {
  state.workers.delete(worker.link);
  state.hungry.delete(worker);
  for (const lease of worker.leases.values()) {
    const { job, task } = lease;
    if (reason === "closed" && worker.state !== "leaving")
      suspect(state, job, task, worker.link, `worker "${worker.name}" was gone while it held the task`);
    else requeue(state, job, task, worker.link);
  }
  worker.leases.clear();
}

export function onWorkerClosed(state: SchedulerState, link: number): void {
  const worker = state.workers.get(link);
  if (worker !== undefined) loseWorker(state, worker, "closed");
}

/** What a worker has not begun may go elsewhere. */
export function takeBack(state: SchedulerState, worker: WorkerRecord, lease: Lease): void {
  endLease(state, worker, lease);
  requeue(state, lease.job, lease.task, worker.link);
  tellDrop(state, worker.link, lease.job.job, [lease]);
}
