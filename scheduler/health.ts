/** How the scheduler is, as plain JSON: numbers and states, no name of a job, no place, no secret. */
import type { SchedulerState } from "./core/state.ts";
import { TASK_STATES, type TaskStateName } from "./core/task-state.ts";
import type { WorkerState } from "./core/worker-record.ts";
import type { KeepingHealth } from "./keeping.ts";

export interface SchedulerHealth {
  /** `disk-full`: nothing is taken in until there is room. `stopping`: it ends by itself, or has failed. */
  readonly status: "ok" | "disk-full" | "stopping";
  readonly epoch: number;
  readonly uptimeSeconds: number;
  readonly jobs: number;
  readonly tasks: Readonly<Record<TaskStateName, number>>;
  readonly workers: Readonly<Record<WorkerState, number>> & { readonly slots: number };
  readonly connections: { readonly workers: number; readonly clients: number; readonly messagesWaiting: number };
  /** Absent: nothing is kept. */
  readonly journal?: KeepingHealth;
  readonly memory: { readonly rssBytes: number; readonly heapBytes: number };
  readonly counters: { readonly handedOut: number; readonly finished: number; readonly droppedReports: number };
}

/** What the core knows of it. */
export function healthOf({
  epoch,
  jobs,
  workers,
  counters,
}: SchedulerState): Pick<SchedulerHealth, "epoch" | "jobs" | "tasks" | "workers" | "counters"> {
  const tasks = Object.fromEntries(TASK_STATES.map((name) => [name, 0])) as Record<TaskStateName, number>;
  for (const { table } of jobs.values())
    for (const [state, name] of TASK_STATES.entries()) tasks[name] += table.counts[state]!;
  const states = { joining: 0, active: 0, suspect: 0, leaving: 0, slots: 0 };
  for (const { state, slots } of workers.values()) {
    states[state]++;
    states.slots += slots;
  }
  return { epoch, jobs: jobs.size, tasks, workers: states, counters: { ...counters } };
}
