/** Invariants of values: they have tasks that finished, holders that are there, and whoever wants them is counted. */
import type { Job } from "../../scheduler/core/job.ts";
import type { SchedulerState } from "../../scheduler/core/state.ts";
import { TASK } from "../../scheduler/core/task-state.ts";
import { leaseKey, type WorkerRecord } from "../../scheduler/core/worker-record.ts";
import { must } from "./ledger.ts";

/** Looks at all of them. */
export function checkValues(state: SchedulerState): void {
  checkClaims(state);
  checkHolders(state);
  for (const worker of state.workers.values()) checkHoldings(state, worker);
}

/** Lease keys of what a task needs. */
function needsOf({ batches }: Job, task: number): number[] {
  const { needs, start } = batches.find(({ stop }) => task < stop)!;
  if (needs === undefined) return [];
  const keys: number[] = [];
  for (let k = task === start ? 0 : needs.ends[task - start - 1]!; k < needs.ends[task - start]!; k++)
    keys.push(leaseKey(needs.jobs[k]!, needs.tasks[k]!));
  return keys;
}

const TASKS_PER_JOB = 2 ** 24;

/** Each task is claimed as often as tasks need it whose end is not durable; whoever waits is linked to what it waits for. */
function checkClaims(state: SchedulerState): void {
  const claims = new Map<number, number>();
  for (const job of state.jobs.values())
    for (let task = 0; task < job.table.rows; task++) {
      const needs = needsOf(job, task);
      if (!job.table.isSettled(task)) for (const key of needs) claims.set(key, (claims.get(key) ?? 0) + 1);
      if (job.table.state(task) === TASK.waiting) checkLinks(state, job, task, needs);
    }
  for (const job of state.jobs.values())
    for (let task = 0; task < job.table.rows; task++) {
      const [is, should] = [job.table.claims(task), claims.get(leaseKey(job.job, task)) ?? 0];
      must(is === should, `${job.id}/${task} is claimed ${is} times, not ${should}`);
    }
}

/** Of what it needs, some may be lost that it does not wait for yet. */
function checkLinks(state: SchedulerState, job: Job, task: number, needs: readonly number[]): void {
  let linked = 0;
  for (const key of new Set(needs)) {
    const need = state.jobs.get(Math.floor(key / TASKS_PER_JOB));
    if (need !== undefined) linked += state.edges.countOf(need.table.firstEdge(key % TASKS_PER_JOB), job.job, task);
  }
  const waitsFor = job.table.waitsFor(task);
  must(waitsFor === linked, `${job.id}/${task} waits for ${waitsFor}, and is linked to ${linked}`);
}

function checkHolders(state: SchedulerState): void {
  for (const [key, { job, task, bytes, holders, keeping }] of state.values) {
    const name = `the value of ${job.id}/${task}`;
    must(leaseKey(job.job, task) === key && state.jobs.get(job.job) === job, `${name} is nobody's`);
    must(job.table.state(task) === TASK.finished, `there is ${name}, which has not finished`);
    must(job.table.valueBytes(task) === bytes, `${name} has two sizes`);
    for (const worker of [...holders, ...keeping.keys(), ...keeping.values()])
      must(state.workers.get(worker.link) === worker, `${worker.name}, which holds ${name}, is gone`);
  }
}

function checkHoldings(state: SchedulerState, worker: WorkerRecord): void {
  let bytes = 0;
  for (const key of worker.values) {
    const value = state.values.get(key);
    must(
      value !== undefined && value.holders.has(worker),
      `worker ${worker.name} holds a value, and is no holder of it`,
    );
    bytes += value.bytes;
  }
  must(bytes === worker.valueBytes, `worker ${worker.name} holds ${bytes} bytes of values, not ${worker.valueBytes}`);
}
