/** Which worker holds which value: results that are too large for a report stay where they were computed. */
import { SOURCES_MAX, type ValueName, type ValueSource, type ValueWanted } from "../../protocol/held-values.ts";
import type { Job } from "./job.ts";
import { toWorker, type SchedulerState } from "./state.ts";
import { leaseKey, type WorkerRecord } from "./worker-record.ts";

/** The value of a finished task. Without a holder it is lost, and computed again when somebody needs it. */
export interface Value {
  readonly job: Job;
  readonly task: number;
  readonly bytes: number;
  readonly holders: Set<WorkerRecord>;
  /** Workers that were told to fetch it, and from whom. */
  readonly keeping: Map<WorkerRecord, WorkerRecord>;
}

/** A task finished with a value: nobody is known to hold it yet. */
export function addValue(state: SchedulerState, job: Job, task: number, bytes: number): Value {
  const value: Value = { job, task, bytes, holders: new Set(), keeping: new Map() };
  state.values.set(leaseKey(job.job, task), value);
  state.hadValues = true;
  state.queue.endWhatWasBegun();
  job.table.setValueBytes(task, bytes);
  return value;
}

export function valueOf({ values }: SchedulerState, { job, table }: Job, task: number): Value | undefined {
  return table.valueBytes(task) === 0 ? undefined : values.get(leaseKey(job, task));
}

/** The value of this name; undefined where there is none now. */
export function valueNamed(state: SchedulerState, { id, task }: ValueName): Value | undefined {
  const job = state.jobsById.get(id);
  return job === undefined || task >= job.table.rows ? undefined : valueOf(state, job, task);
}

export function addHolder({ job, task, bytes, holders }: Value, worker: WorkerRecord): void {
  if (holders.has(worker)) return;
  holders.add(worker);
  worker.values.add(leaseKey(job.job, task));
  worker.valueBytes += bytes;
}

export function removeHolder({ job, task, bytes, holders }: Value, worker: WorkerRecord): void {
  if (!holders.delete(worker)) return;
  worker.values.delete(leaseKey(job.job, task));
  worker.valueBytes -= bytes;
}

/** A worker is gone, and what it held with it. */
export function loseHoldings(state: SchedulerState, worker: WorkerRecord): void {
  for (const key of worker.values) removeHolder(state.values.get(key)!, worker);
  for (const value of state.values.values()) {
    value.keeping.delete(worker);
    for (const [keeper, source] of value.keeping) if (source === worker) value.keeping.delete(keeper);
  }
}

/** Nobody wants it any more: its holders may forget it. */
export function dropValue(state: SchedulerState, value: Value): void {
  const { job, task, holders, keeping } = value;
  for (const worker of new Set([...holders, ...keeping.keys()])) {
    tellFree(state, worker, job.id, [task]);
    removeHolder(value, worker);
  }
  state.values.delete(leaseKey(job.job, task));
}

export function tellFree(state: SchedulerState, worker: WorkerRecord, id: string, tasks: readonly number[]): void {
  toWorker(state, worker.link, { type: "free", id, tasks: Uint32Array.from(tasks) });
}

/** A worker says that it has a value. What nobody wants it may forget. @returns The value, unless it is of no use. */
export function onHolds(
  state: SchedulerState,
  worker: WorkerRecord,
  id: string,
  task: number,
  bytes: number,
): Value | undefined {
  const value = valueNamed(state, { id, task });
  if (value?.bytes !== bytes) {
    tellFree(state, worker, id, [task]);
    return undefined;
  }
  value.keeping.delete(worker);
  addHolder(value, worker);
  return value;
}

/** A value as a worker that needs it is told of it; `turn` spreads the load over the holders. */
export function wantedOf(value: Value, worker: WorkerRecord, turn: number): ValueWanted {
  const { job, task, bytes, holders } = value;
  return { id: job.id, task, bytes, sources: holders.has(worker) ? [] : sourcesOf(value, turn) };
}

export function sourcesOf({ holders }: Value, turn: number): ValueSource[] {
  const all = [...holders];
  return Array.from({ length: Math.min(all.length, SOURCES_MAX) }, (_, place) =>
    sourceOf(all[(turn + place) % all.length]!),
  );
}

function sourceOf({ name, serving }: WorkerRecord): ValueSource {
  return { worker: name, ...(serving !== undefined && { at: serving }) };
}
