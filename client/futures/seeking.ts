/** Waiting until it is known where the scheduler has a task: after a connection was lost that takes some answers. */
import type { SchedulerLink } from "../session/link.ts";
import { batchOf, placeOf, type Future } from "./future.ts";
import { lostValueError } from "./result-errors.ts";
import { isUnderWay, locate } from "./whereabouts.ts";

/** A task as one connection names it. */
export interface TaskOnLink {
  readonly link: SchedulerLink;
  readonly job: number;
  readonly task: number;
}

interface Seeker {
  readonly future: Future;
  readonly found: (where: TaskOnLink) => void;
  readonly lost: (error: Error) => void;
}

export class Seeking {
  #seekers: Seeker[] = [];

  /** @throws {PeError} `PE_VALUE_LOST` when the scheduler does not have it any more. */
  async find(future: Future): Promise<TaskOnLink> {
    return await new Promise((found, lost) => this.#seekers.push({ future, found, lost }));
  }

  /** Something has changed. @param isWatched Whether the scheduler tells this connection about a job. */
  look(link: SchedulerLink, isWatched: (job: number) => boolean): void {
    if (this.#seekers.length === 0) return;
    this.#seekers = this.#seekers.filter(({ future, found, lost }) => {
      const [where, place] = [batchOf(future).where, placeOf(future)];
      const there = locate(where, place);
      if (there !== undefined && isWatched(there.job)) found({ link, ...there });
      else if (there === undefined && !isComing(future)) lost(lostValueError(future.key));
      else return true;
      return false;
    });
  }

  fail(error: Error): void {
    for (const { lost } of this.#seekers.splice(0)) lost(error);
  }
}

/** Of a job without a number that nobody is opening nothing is wanted: all of it has ended. */
function isComing(future: Future): boolean {
  const { where } = batchOf(future);
  const { hasKeys, job } = where;
  if (!isUnderWay(where, placeOf(future))) return false;
  return hasKeys || job.number !== undefined || job.isOpening || where.home?.state === "waiting";
}
