/** How fast a job goes on, from two looks at it. */
import type { JobStatus } from "../cluster-job.ts";
import { endedOf, hasEnded } from "./job-state.ts";
import { formatCount, formatSeconds } from "./progress.ts";

/** A job when it was looked at first. */
export interface Seen {
  readonly ended: number;
  readonly ms: number;
}

export interface Pace {
  readonly perSecond: number;
  readonly secondsLeft: number;
}

export function seen({ counts }: JobStatus, ms: number): Seen {
  return { ended: endedOf(counts), ms };
}

/** Undefined while nothing moves. */
export function paceOf(job: JobStatus, { ended, ms }: Seen, nowMs: number): Pace | undefined {
  const now = endedOf(job.counts);
  const perSecond = ((now - ended) / Math.max(1, nowMs - ms)) * 1000;
  return perSecond > 0 && !hasEnded(job) ? { perSecond, secondsLeft: (job.tasks - now) / perSecond } : undefined;
}

export function rateText({ perSecond }: Pace): string {
  return `${formatCount(perSecond)} tasks/s`;
}

export function leftText({ secondsLeft }: Pace): string {
  return `${formatSeconds(secondsLeft)} left`;
}
