/** What workers say of hand-outs. A report counts only for the present one of its task; any other is dropped and counted. */
import type { MessageOf } from "../../protocol/schema.ts";
import type { workerToScheduler, WorkerToScheduler } from "../../protocol/worker-link.ts";
import { chosenOf, sizeOf, startOf, type Finished, withSizes } from "./finished.ts";
import { holds, lost, starved } from "./holding.ts";
import { fit, keyOf, type Job } from "./job.ts";
import { held, register } from "./joining.ts";
import { HELD_BYTES_MAX, REST_MS, REST_MS_MAX, RESULT_BYTES_MAX } from "./limits.ts";
import { balance } from "./balance.ts";
import { endLease, leaseOf, tellDrop } from "./leases.ts";
import { retire } from "./retiring.ts";
import { serveSeekers } from "./locating.ts";
import { journal, toWorker, type SchedulerState } from "./state.ts";
import { blame, judge, spend } from "./suspects.ts";
import { settle } from "./graph.ts";
import { fail, finish, requeue, tellEnd } from "./transitions.ts";
import { tellFinished } from "./watching.ts";
import { TASK } from "./task-state.ts";
import { isFull } from "./totals.ts";
import { addHolder, addValue, valueOf } from "./values.ts";
import { leaseKey, type Lease, type WorkerRecord } from "./worker-record.ts";

type Report<Name extends WorkerToScheduler["type"]> = MessageOf<typeof workerToScheduler, Name>;
type Handlers = {
  readonly [Name in Exclude<WorkerToScheduler["type"], "register">]: (
    state: SchedulerState,
    worker: WorkerRecord,
    message: Report<Name>,
  ) => void;
};

const HANDLERS: Handlers = { holds, held, heartbeat, done, failed, returned, have: holds, lost, starved, leaving };

export function onWorkerSaid(state: SchedulerState, link: number, message: WorkerToScheduler): void {
  if (message.type === "register") {
    register(state, link, message);
    // A late worker has work at once, if need be from the lines of others.
    return balance(state);
  }
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
  // So that the worker can tell a silent scheduler from an idle one.
  toWorker(state, worker.link, { type: "alive" });
}

function done(state: SchedulerState, worker: WorkerRecord, message: Report<"done">): void {
  const { job: number, tasks, epochs, attempts } = message;
  if (!isWhole(message)) {
    const reason = "said done with columns that do not fit each other";
    return void state.out.push({ type: "close-worker", link: worker.link, reason });
  }
  const job = state.jobs.get(number);
  const places: number[] = [];
  let isVolatile = true;
  for (let place = 0; place < tasks.length; place++) {
    const lease = leaseOf(worker, number, tasks[place]!, epochs[place]!, attempts[place]!);
    if (lease === undefined) {
      state.counters.droppedReports++;
      if (sizeOf(message, place) > 0) keepCopy(state, worker, message, place);
      else if (job !== undefined && tasks[place]! < job.table.rows) compareResults(state, job, message, place, worker);
    } else if (endWithResult(state, worker, lease, message, place)) places.push(place);
    isVolatile &&= lease?.batch.options.volatile === true && places.at(-1) === place;
  }
  worker.finished += places.length;
  if (places.length > 0) worker.rests = 0;
  const finished = places.length === tasks.length ? ownColumns(message) : chosenOf(message, places);
  if (job !== undefined && places.length > 0 && !isVolatile)
    journal(state, { type: "finished", job: number, ...finished });
  const settleAll = (): void => {
    toWorker(state, worker.link, { type: "stored", job: number, tasks, epochs, attempts });
    if (job === undefined) return;
    for (const task of finished.tasks) settle(state, job, task);
    if (state.seekers.size > 0) for (const task of finished.tasks) serveSeekers(state, leaseKey(number, task));
    for (const [link, { results: wanted }] of job.watchers) tellFinished(state, link, job, finished, wanted);
    tellEnd(state, job);
  };
  // What is not journaled need not wait for the disk. A report that came too late waits: the one that counts may be lost yet.
  if (isVolatile) settleAll();
  else state.durability.after(settleAll);
}

/** Whether each task has its entry in every column, and its result in the bytes. */
function isWhole({ tasks, epochs, attempts, took, ends, results, sizes = tasks }: Report<"done">): boolean {
  const isSquare = [epochs, attempts, took, sizes].every(({ length }) => length === tasks.length);
  return isSquare && fit(ends, tasks.length, results.byteLength);
}

/** The hand-out is over. @returns Whether the task has finished. */
function endWithResult(
  state: SchedulerState,
  worker: WorkerRecord,
  lease: Lease,
  message: Report<"done">,
  place: number,
): boolean {
  endLease(state, worker, lease);
  const bytes = message.ends[place]! - startOf(message, place);
  if (bytes > RESULT_BYTES_MAX || isFull(state, bytes)) {
    failForSize(state, lease, bytes, worker);
    return false;
  }
  lease.job.tookUs = lease.batch.tookUs = mean(lease.batch.tookUs, message.took[place]!);
  finish(state, lease.job, message, place, worker.link);
  if (message.sizes !== undefined) keepValue(state, worker, lease, message.sizes[place]!);
  return true;
}

/** A result that stays on its worker. Small ones, of which there may be millions, come with those that do. */
function keepValue(state: SchedulerState, worker: WorkerRecord, { job, task }: Lease, bytes: number): void {
  if (bytes > 0) addHolder(addValue(state, job, task, bytes), worker);
}

/** A value that came too late is a copy where the task has finished elsewhere; any other goes with its hand-out. */
function keepCopy(state: SchedulerState, worker: WorkerRecord, message: Report<"done">, place: number): void {
  const job = worker.foreign.has(message.job) ? undefined : state.jobs.get(message.job);
  const task = message.tasks[place]!;
  const value = job === undefined || task >= job.table.rows ? undefined : valueOf(state, job, task);
  if (value?.bytes === sizeOf(message, place)) addHolder(value, worker);
}

/** A report that counts as a whole is kept and told as it came. */
function ownColumns({ tasks, ends, results, sizes }: Report<"done">): Finished {
  return { tasks, ends, results, ...withSizes(sizes) };
}

function failForSize(state: SchedulerState, { job, task }: Lease, bytes: number, worker: WorkerRecord): void {
  const what = `Task ${keyOf(job, task)} gave a result of ${bytes} bytes`;
  const message =
    bytes > RESULT_BYTES_MAX
      ? `${what}, more than ${RESULT_BYTES_MAX}: store it as a part`
      : `${what}, and the scheduler holds ${state.totals.bytes} of at most ${HELD_BYTES_MAX}: release jobs that are done with`;
  const attempts = job.table.fails(task) + 1;
  fail(
    state,
    job,
    task,
    { code: "PE_LIMIT", message, stack: "", attempts, worker: worker.name },
    { worker: worker.link },
  );
}

const MEAN_WEIGHT = 0.1;

function mean(before: number | undefined, took: number): number {
  return before === undefined ? took : before + MEAN_WEIGHT * (took - before);
}

/** A second result of a finished task is ignored, but a different one is an alarm. */
function compareResults(
  state: SchedulerState,
  job: Job,
  report: Report<"done">,
  place: number,
  worker: WorkerRecord,
): void {
  const task = report.tasks[place]!;
  const result = report.results.subarray(startOf(report, place), report.ends[place]);
  if (job.table.state(task) !== TASK.finished || worker.impure.has(job.kind)) return;
  // A number that this worker has from another journal names another task.
  if (!worker.jobs.has(job.job) || worker.foreign.has(job.job)) return;
  const known = job.table.result(task);
  if (known.byteLength === result.byteLength && known.every((byte, at) => byte === result[at])) return;
  state.out.push({
    type: "alarm",
    code: "result-differs",
    message: `Task ${keyOf(job, task)} gave another result on worker "${worker.name}" than before: version skew, bad memory, or a kind that is not pure`,
  });
}

function failed(state: SchedulerState, worker: WorkerRecord, message: Report<"failed">): void {
  const { job, task, epoch, attempt } = message;
  const lease = leaseOf(worker, job, task, epoch, attempt);
  if (lease === undefined) state.counters.droppedReports++;
  else {
    endLease(state, worker, lease);
    onFailure(state, worker, lease, message);
  }
  const column = (value: number): Uint32Array => Uint32Array.of(value);
  // When what it led to is durable, the worker may forget it.
  state.durability.after(() =>
    toWorker(state, worker.link, {
      type: "stored",
      job,
      tasks: column(task),
      epochs: column(epoch),
      attempts: column(attempt),
    }),
  );
}

function onFailure(
  state: SchedulerState,
  worker: WorkerRecord,
  lease: Lease,
  { code, message, stack, died, blameless, endsJob }: Report<"failed">,
): void {
  const { job, task, batch, epoch, attempt } = lease;
  if (blameless && !endsJob) {
    rest(state, worker, message);
    return requeue(state, job, task, worker.link);
  }
  if (died && !endsJob) {
    blame(state, lease, worker.instance);
    requeue(state, job, task, worker.link);
    return judge(state, lease, worker.name, { seen: `on worker "${worker.name}" ${message}` });
  }
  const fails = job.table.fails(task) + 1;
  job.table.setFails(task, fails);
  spend(state, job, task, { epoch, attempt });
  journal(state, { type: "failed", job: job.job, task, fails, epoch, attempt });
  if (fails <= batch.options.retries && !endsJob) return requeue(state, job, task, worker.link);
  const error = { code, message, stack, attempts: fails, worker: worker.name };
  fail(state, job, task, error, { worker: worker.link, endsJob });
}

/** Its surroundings fail (store, disk, credentials): others may do better, and it may later. */
function rest(state: SchedulerState, worker: WorkerRecord, because: string): void {
  worker.restBecause = because;
  worker.restUntilMs = state.nowMs + Math.min(REST_MS * 2 ** worker.rests, REST_MS_MAX);
  worker.rests = Math.min(worker.rests + 1, 16);
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
  retire(state, worker);
}

/** What a worker has not begun may go elsewhere. */
export function takeBack(state: SchedulerState, worker: WorkerRecord, lease: Lease): void {
  endLease(state, worker, lease);
  requeue(state, lease.job, lease.task, worker.link);
  tellDrop(state, worker.link, lease.job.job, [lease]);
}
