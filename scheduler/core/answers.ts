/** Answers to requests: each is answered once, by what it asked for when that is durable, or by a refusal. */
import type { Job } from "./job.ts";
import { toClient, type SchedulerState } from "./state.ts";

/** The job of a request, or a refusal: also when one of `tasks` is not there. */
export function findJob(
  state: SchedulerState,
  link: number,
  request: number,
  number: number,
  tasks: Iterable<number> = [],
): Job | undefined {
  const job = state.jobs.get(number);
  const reason =
    job === undefined ? `Cannot find job ${number}: it was released or never was` : missingTask(job, tasks);
  if (reason === undefined) return job;
  refuse(state, link, request, "PE_JOB_UNKNOWN", reason);
  return undefined;
}

function missingTask(job: Job, tasks: Iterable<number>): string | undefined {
  const { rows } = job.table;
  for (const task of tasks) if (task >= rows) return `Cannot find task ${task} of job "${job.id}": it has ${rows}`;
  return undefined;
}

export function answer(state: SchedulerState, link: number, request: number): void {
  state.durability.after(() => toClient(state, link, { type: "ok", request }));
}

export function refuse(state: SchedulerState, link: number, request: number, code: string, message: string): void {
  toClient(state, link, { type: "refused", request, code, message });
}
