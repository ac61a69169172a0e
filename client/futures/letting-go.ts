/**
 * Results that nobody here wants any more: said to the scheduler once all is sent that was submitted before, because a task
 * among it may need them. Watching a job anew means to want all of it: then it is said again.
 */
import { COLUMN_TASKS_MAX } from "../limits.ts";
import type { SchedulerLink } from "../session/link.ts";
import type { LooseJob } from "./loose-job.ts";
import { isUnderWay, locate, numberOf, type Whereabouts } from "./whereabouts.ts";

interface Unsaid {
  /** What was submitted before has a lower one. */
  readonly order: number;
  readonly where: Whereabouts;
  readonly places: readonly number[];
}

export class LettingGo {
  #unsaid: Unsaid[] = [];
  /** Numbers of the jobs that the scheduler tells this connection about. */
  readonly #watched = new Set<number>();
  /** Own jobs that are watched anew. */
  readonly #again = new Set<LooseJob>();

  add(order: number, where: Whereabouts, places: readonly number[]): void {
    this.#unsaid.push({ order, where, places });
  }

  /** The scheduler has confirmed that it watches a job: ours, or one of another client in which a key of ours was known. */
  watched(number: number, job: LooseJob | undefined): void {
    this.#watched.add(number);
    if (job !== undefined && job.letGo.size > 0) this.#again.add(job);
  }

  isWatched(number: number): boolean {
    return this.#watched.has(number);
  }

  disconnected(): void {
    this.#watched.clear();
    this.#again.clear();
  }

  /** @param order Of the first that is not sent yet; infinite when all is. */
  say(link: SchedulerLink, order: number): void {
    if (this.#unsaid.length > 0) this.#sayNew(link, order);
    if (order < Infinity) return;
    for (const job of this.#again) ask(link, job.number!, job.letGo);
    this.#again.clear();
  }

  #sayNew(link: SchedulerLink, order: number): void {
    const later: Unsaid[] = [];
    const said = new Map<number, number[]>();
    for (const one of this.#unsaid) {
      const { where, places } = one;
      const waiting = one.order >= order ? places : places.filter((place) => !this.#note(where, place, said));
      if (waiting.length > 0) later.push({ ...one, places: waiting });
    }
    this.#unsaid = later;
    for (const [job, tasks] of said) ask(link, job, tasks);
  }

  /** @returns False for one that has no place yet, but will have. */
  #note(where: Whereabouts, place: number, said: Map<number, number[]>): boolean {
    const { job } = where;
    const there = locate(where, place);
    const own = numberOf(where, place);
    if (own === undefined && there === undefined) return !isUnderWay(where, place);
    if (own !== undefined) job.letGo.add(own);
    // Of what is not watched nothing is wanted; when it will be, it is said then.
    if (there !== undefined && this.#watched.has(there.job)) {
      const tasks = said.get(there.job);
      if (tasks === undefined) said.set(there.job, [there.task]);
      else tasks.push(there.task);
    }
    return true;
  }
}

/** What becomes of it matters to nobody: a job that is gone has no values. */
function ask(link: SchedulerLink, job: number, all: Iterable<number>): void {
  const tasks = Uint32Array.from(all);
  for (let start = 0; start < tasks.length; start += COLUMN_TASKS_MAX)
    link.ask({ type: "letGo", job, tasks: tasks.slice(start, start + COLUMN_TASKS_MAX) }).catch(() => undefined);
}
