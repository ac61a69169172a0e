/** Workers come, come back, and are lost; and with them what they hold. */
import { whyNotServed } from "../../protocol/version.ts";
import type { MessageOf } from "../../protocol/schema.ts";
import type { workerToScheduler, WorkerToScheduler } from "../../protocol/worker-link.ts";
import { mebibytes } from "./death-notes.ts";
import { batchOf, type Job } from "./job.ts";
import { adopt, endLease, leaseOf, reserve, tellDrop } from "./leases.ts";
import { HEARTBEAT_MS, NAME_FREE_AFTER_MS, WORKERS_MAX } from "./limits.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import { accuse, acquitAll, isSpent, judge } from "./suspects.ts";
import { TASK } from "./task-state.ts";
import { requeue } from "./transitions.ts";
import { loseHoldings } from "./values.ts";
import { leaseKey, mayHaveBegun, resourceRoom, type Lease, type WorkerRecord } from "./worker-record.ts";

type Said<Name extends WorkerToScheduler["type"]> = MessageOf<typeof workerToScheduler, Name>;

export function register(state: SchedulerState, link: number, message: Said<"register">): void {
  const refuse = (code: string, reason: string): void => {
    const why = `Cannot register worker "${message.name}": ${reason}`;
    state.out.push({ type: "to-worker", link, message: { type: "refuse", code, message: why } });
    state.out.push({ type: "close-worker", link, reason });
  };
  if (state.workers.has(link)) return refuse("PE_PROTOCOL", "this connection has registered before");
  const unserved = whyNotServed(message.protocol, message.software);
  if (unserved !== undefined) return refuse("PE_VERSION", unserved);
  acquitAll(state, message.instance);
  if (message.lastDeath !== undefined) state.deaths.tell(message.lastDeath);
  const before = workerNamed(state, message.name);
  const isAlive = before !== undefined && state.nowMs - before.heardMs < NAME_FREE_AFTER_MS;
  if (isAlive && before.instance !== message.instance) {
    state.out.push({ type: "alarm", code: "name-taken", message: `Two workers are called "${message.name}"` });
    return refuse("PE_NAME_TAKEN", "another worker has this name and is alive; give it another --name");
  }
  if (before === undefined && state.workers.size >= WORKERS_MAX)
    return refuse("PE_LIMIT", `the scheduler has ${WORKERS_MAX} workers`);
  const worker = createRecord(state, link, message);
  if (before !== undefined) replace(state, before, worker);
  state.workers.set(link, worker);
  state.story.name(link, message.name);
  state.hungry.add(worker);
  toWorker(state, link, {
    type: "welcome",
    epoch: state.epoch,
    worker: link,
    software: "pe-cluster",
    heartbeatMs: HEARTBEAT_MS,
  });
}

function workerNamed({ workers }: SchedulerState, name: string): WorkerRecord | undefined {
  for (const worker of workers.values()) if (worker.name === name) return worker;
  return undefined;
}

function createRecord(state: SchedulerState, link: number, message: Said<"register">): WorkerRecord {
  return {
    link,
    name: message.name,
    instance: message.instance,
    serving: message.serving,
    slots: message.slots,
    kinds: new Map(message.kinds.map(({ name, version }) => [name, version])),
    impure: new Set(message.kinds.filter(({ impure }) => impure).map(({ name }) => name)),
    resources: new Map(message.resources.map(({ name, amount }) => [name, amount])),
    taken: new Map(),
    state: message.holds ? "joining" : "active",
    heardMs: state.nowMs,
    paused: false,
    rssBytes: 0,
    leases: new Map(),
    outstandingUs: 0,
    fedMs: state.nowMs,
    finished: 0,
    values: new Set(),
    valueBytes: 0,
    jobs: new Set(),
    foreign: new Set(),
    alone: false,
    retracting: false,
    unconfirmed: new Set(),
    restUntilMs: 0,
    restBecause: "",
    rests: 0,
  };
}

/**
 * A worker's name comes on a new connection. The same process keeps its hand-outs, so that nobody else gets them while it says
 * which it has. Of another process the one before is dead, or as good as that.
 */
function replace(state: SchedulerState, before: WorkerRecord, worker: WorkerRecord): void {
  state.out.push({ type: "close-worker", link: before.link, reason: "it connected again" });
  if (before.instance !== worker.instance) return loseWorker(state, before, "closed");
  if (worker.state !== "joining") return loseWorker(state, before, "silent");
  for (const [key, lease] of before.leases) {
    worker.leases.set(key, lease);
    worker.unconfirmed.add(key);
    lease.job.table.setOwner(lease.task, worker.link);
    if (lease.job.table.deaths(lease.task) > 0) reserve(state, worker);
  }
  worker.outstandingUs = before.outstandingUs;
  for (const [name, amount] of before.taken) worker.taken.set(name, amount);
  before.leases.clear();
  loseWorker(state, before, "silent");
}

/** Hand-outs of an earlier connection or life of the scheduler: adopted where nobody else has the task. */
export function held(
  state: SchedulerState,
  worker: WorkerRecord,
  { job: number, id, tasks, epochs, attempts, last }: Said<"held">,
): void {
  const job = state.jobs.get(number);
  const isKnown = job?.id === id;
  const unwanted: Pick<Lease, "task" | "epoch" | "attempt">[] = [];
  for (const [place, task] of tasks.entries()) {
    const [epoch, attempt] = [epochs[place]!, attempts[place]!];
    if (!isKnown || task >= job.table.rows || !keep(state, worker, job, task, epoch, attempt))
      unwanted.push({ task, epoch, attempt });
  }
  // A worker that holds values only has no hand-outs to name.
  if (!isKnown && tasks.length > 0) {
    worker.foreign.add(number);
    worker.jobs.delete(number);
    toWorker(state, worker.link, { type: "forget", job: number });
  } else if (isKnown && !worker.foreign.has(number)) worker.jobs.add(number);
  // A result that is not durable yet may still be wanted from this worker.
  if (unwanted.length > 0) state.durability.after(() => tellDrop(state, worker.link, number, unwanted));
  if (last) endJoining(state, worker);
}

/** @returns Whether the worker may go on with a hand-out. */
function keep(
  state: SchedulerState,
  worker: WorkerRecord,
  job: Job,
  task: number,
  epoch: number,
  attempt: number,
): boolean {
  const lease = leaseOf(worker, job.job, task, epoch, attempt);
  if (lease !== undefined) {
    lease.renewedMs = state.nowMs;
    worker.unconfirmed.delete(leaseKey(job.job, task));
    return true;
  }
  // A task is a pure function: whichever hand-out of it goes on, nobody else may have it, and its failure counts once.
  if (job.table.state(task) !== TASK.queued || isSpent(state, job, task, { epoch, attempt })) return false;
  // What it runs although it was told to drop it may have given its place to another.
  if (resourceRoom(worker, batchOf(job, task)) < 1) return false;
  adopt(state, worker, job, task, epoch, attempt);
  return true;
}

/** It has named all it holds: the rest is lost. */
function endJoining(state: SchedulerState, worker: WorkerRecord): void {
  for (const key of worker.unconfirmed) {
    const lease = worker.leases.get(key);
    if (lease === undefined) continue;
    endLease(state, worker, lease);
    requeue(state, lease.job, lease.task, worker.link);
  }
  worker.unconfirmed.clear();
  if (worker.state === "joining") worker.state = "active";
  state.hungry.add(worker);
}

export type LossReason = "closed" | "silent";

/**
 * A worker is gone: all it held is queued again. When its connection closed without a farewell the process may have died
 * of a task: what it may have begun is suspected. Silence is nobody's fault.
 */
export function loseWorker(state: SchedulerState, worker: WorkerRecord, reason: LossReason): void {
  state.workers.delete(worker.link);
  state.hungry.delete(worker);
  state.reserved.delete(worker);
  state.retiring.delete(worker);
  const accused = reason === "closed" && worker.state !== "leaving" ? mayHaveBegun(worker) : [];
  const leases = [...worker.leases.values()];
  worker.leases.clear();
  loseHoldings(state, worker);
  for (const lease of accused) accuse(state, lease, worker.instance);
  for (const { job, task } of leases) requeue(state, job, task, worker.link);
  const seen = { seen: howItWent(worker), instance: worker.instance };
  for (const lease of accused) judge(state, lease, worker.name, seen);
}

function howItWent({ name, rssBytes }: WorkerRecord): string {
  const memory = rssBytes > 0 ? `, with ${mebibytes(rssBytes)} of memory when it was last heard of` : "";
  return `worker "${name}" was gone while it held the task${memory}`;
}

export function onWorkerClosed(state: SchedulerState, link: number): void {
  const worker = state.workers.get(link);
  if (worker !== undefined) loseWorker(state, worker, "closed");
}
