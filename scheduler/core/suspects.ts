/**
 * Poison isolation. A task under which a thread or a worker died is suspected: from then on it runs alone, so that the next
 * death is its own and takes nobody with it, and the third is the last. For that a worker is kept free as soon as it has
 * ended what it holds, until no suspect is left.
 */
import type { DeathNote } from "./death-notes.ts";
import { batchOf, keyOf, type Batch, type Job } from "./job.ts";
import { HandOver } from "./hand-over.ts";
import { provide } from "./lineage.ts";
import { reserve } from "./leases.ts";
import { DEATHS_MAX } from "./limits.ts";
import { journal, leaveSuspects, makeReady, type Accusation, type HandOutName, type SchedulerState } from "./state.ts";
import { TASK } from "./task-state.ts";
import { fail } from "./transitions.ts";
import { fits, leaseKey, mayGet, splitKey, type Lease, type WorkerRecord } from "./worker-record.ts";

/** A worker tells of a death under a task, which the caller queues again and then may condemn. */
export function blame(state: SchedulerState, { job, task, epoch, attempt }: Lease, instance: string): void {
  spend(state, job, task, { epoch, attempt });
  setDeaths(state, job, task, job.table.deaths(task) + 1, { epoch, attempt, instance }, "reported");
}

/** Only a closed connection tells of a death: taken back when the worker returns. */
export function accuse(state: SchedulerState, { job, task, epoch, attempt }: Lease, instance: string): void {
  const accusation = { epoch, attempt, instance };
  addAccusation(state, job, task, accusation);
  setDeaths(state, job, task, job.table.deaths(task) + 1, accusation, "closed");
}

/** A worker came back: whatever closed its connection, no task killed it. */
export function acquitAll(state: SchedulerState, instance: string): void {
  for (const [key, accusations] of state.accused)
    for (const accusation of accusations.filter((one) => one.instance === instance)) {
      const { job, task } = splitKey(key);
      acquit(state, state.jobs.get(job)!, task, accusation);
    }
}

function acquit(state: SchedulerState, job: Job, task: number, accusation: Accusation): void {
  removeAccusation(state, job, task, accusation);
  state.deaths.remove(leaseKey(job.job, task), accusation.instance);
  const isQueued = job.table.state(task) === TASK.queued;
  if (isQueued) leaveSuspects(state, job, task);
  setDeaths(state, job, task, job.table.deaths(task) - 1, accusation, "acquitted");
  if (isQueued) makeReady(state, batchOf(job, task), task);
}

export function addAccusation({ accused }: SchedulerState, job: Job, task: number, accusation: Accusation): void {
  const key = leaseKey(job.job, task);
  const known = accused.get(key);
  if (known === undefined) accused.set(key, [accusation]);
  else known.push(accusation);
}

export function removeAccusation(
  { accused }: SchedulerState,
  job: Job,
  task: number,
  { epoch, attempt }: HandOutName,
): void {
  const key = leaseKey(job.job, task);
  const left = accused.get(key)?.filter((one) => one.epoch !== epoch || one.attempt !== attempt) ?? [];
  if (left.length === 0) accused.delete(key);
  else accused.set(key, left);
}

/** The failure of a hand-out is counted: its worker may tell it again, and will until that is durable. */
export function spend({ spent }: SchedulerState, job: Job, task: number, name: HandOutName): void {
  spent.set(leaseKey(job.job, task), name);
}

export function isSpent({ spent }: SchedulerState, job: Job, task: number, { epoch, attempt }: HandOutName): boolean {
  const last = spent.get(leaseKey(job.job, task));
  return last !== undefined && (epoch < last.epoch || (epoch === last.epoch && attempt <= last.attempt));
}

function setDeaths(
  state: SchedulerState,
  job: Job,
  task: number,
  deaths: number,
  { epoch, attempt, instance }: Accusation,
  how: "reported" | "closed" | "acquitted",
): void {
  job.table.setDeaths(task, deaths);
  journal(state, { type: "died", job: job.job, task, deaths, epoch, attempt, instance, how });
}

/**
 * What the last death was, for the verdict. It is passed at once where every death was told by a worker; of one that only a
 * closed connection tells of, a worker may come back and clear the task, or its next process tell what it died of.
 */
export function judge(state: SchedulerState, { job, task, attempt }: Lease, worker: string, seen: Seen): void {
  const key = leaseKey(job.job, task);
  state.deaths.add(key, { attempt, ...seen });
  const verdict = state.condemned.get(key);
  if (verdict === undefined) return;
  verdict.worker = worker;
  if (!state.accused.has(key)) condemn(state, job, task, worker);
}

type Seen = Omit<DeathNote, "attempt">;

/** A task that has ended too many threads or workers is erred. */
function condemn(state: SchedulerState, job: Job, task: number, worker: string): void {
  const deaths = job.table.deaths(task);
  if (deaths < DEATHS_MAX || job.table.state(task) !== TASK.queued) return;
  const known = state.deaths.of(leaseKey(job.job, task), deaths).join("; ") || "its worker was gone";
  const message = `Task ${keyOf(job, task)} ended ${deaths} workers or threads, alone in the last ${deaths - 1}: ${known}`;
  const attempts = job.table.attempt(task);
  fail(state, job, task, { code: "PE_TASK_POISON", message, stack: "", attempts, worker });
}

/** Workers that may still come back have had their time. */
export function passVerdicts(state: SchedulerState): void {
  for (const [key, { atMs, worker }] of state.condemned) {
    if (state.nowMs < atMs) continue;
    const { job, task } = splitKey(key);
    condemn(state, state.jobs.get(job)!, task, worker);
  }
}

/** Hands out suspects to workers that have nothing else. */
export function placeSuspects(state: SchedulerState): void {
  const wanted = new Set<WorkerRecord>();
  for (const key of state.suspects.firsts()) {
    const { job: number, task } = splitKey(key);
    const batch = batchOf(state.jobs.get(number)!, task);
    const worker = quarantine(state, batch);
    if (worker === undefined) continue;
    wanted.add(worker);
    reserve(state, worker);
    if (worker.leases.size > 0) continue;
    if (!provide(state, batch.job, task)) continue;
    const hand = new HandOver(state, worker, batch);
    hand.add(task);
    hand.send();
  }
  for (const worker of state.reserved)
    if (!wanted.has(worker) && !hasSuspect(worker)) {
      worker.alone = false;
      state.reserved.delete(worker);
      state.hungry.add(worker);
    }
}

/** The worker that is kept free already, else the one that is free soonest. */
function quarantine({ workers, reserved }: SchedulerState, batch: Batch): WorkerRecord | undefined {
  for (const worker of reserved) if (mayGet(worker) && fits(worker, batch)) return worker;
  let best: WorkerRecord | undefined;
  for (const worker of workers.values())
    if (mayGet(worker) && fits(worker, batch) && (best === undefined || worker.leases.size < best.leases.size))
      best = worker;
  return best;
}

function hasSuspect({ leases }: WorkerRecord): boolean {
  for (const { job, task } of leases.values()) if (job.table.deaths(task) > 0) return true;
  return false;
}
