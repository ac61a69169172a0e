/** The state of a job in words and numbers. */
import type { JobStatus } from "../cluster-job.ts";
import { SHORT_ID } from "./cluster.ts";

export type Counts = JobStatus["counts"];

export function endedOf({ finished, erred, cancelled }: Counts): number {
  return finished + erred + cancelled;
}

/** One word: what a person wants to know first. */
export function stateOf({ counts, sealed, tasks, waits, because }: JobStatus): string {
  if (sealed && endedOf(counts) === tasks) {
    // Cancelled by the scheduler, on account of what failed.
    if (because !== undefined && counts.erred > 0) return "failed";
    if (counts.cancelled > 0) return "cancelled";
    return counts.erred > 0 ? "failed" : "finished";
  }
  if (!sealed && tasks === 0) return "opening";
  if (counts.processing > 0) return "running";
  return waits === undefined ? "queued" : "stuck";
}

/** Whether nothing of it will happen any more by itself. */
export function hasEnded({ counts, sealed, tasks }: JobStatus): boolean {
  return sealed && endedOf(counts) === tasks;
}

export const JOB_HEAD = ["job", "kind", "state", "finished", "of", "failed", "running"] as const;

export function jobRow(job: JobStatus): (string | number)[] {
  const { id, kind, counts, tasks } = job;
  return [id.slice(0, SHORT_ID), kind, stateOf(job), counts.finished, tasks, counts.erred, counts.processing];
}

/** Why a job does not go on, a line each. */
export function jobReasons({ id, because, waits }: JobStatus): string[] {
  const name = id.slice(0, SHORT_ID);
  return [
    ...(because === undefined ? [] : [`${name}: ${because}`]),
    ...(waits === undefined ? [] : [`${name}: ${waits}`]),
  ];
}
