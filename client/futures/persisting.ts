/** Values that this client wants to be there always: each connection is told of them, once it watches their jobs. */
import { COLUMN_TASKS_MAX } from "../limits.ts";
import type { SchedulerLink } from "../session/link.ts";
import { locate, type Whereabouts } from "./whereabouts.ts";

export class Persisting {
  readonly #places = new Map<Whereabouts, Set<number>>();

  add(where: Whereabouts, place: number): void {
    const places = this.#places.get(where) ?? new Set();
    this.#places.set(where, places.add(place));
  }

  forget(where: Whereabouts, released: readonly number[]): void {
    const places = this.#places.get(where);
    for (const place of released) places?.delete(place);
    if (places?.size === 0) this.#places.delete(where);
  }

  /** The job of this number is watched, from the beginning. */
  say(link: SchedulerLink, job: number): void {
    const tasks: number[] = [];
    for (const [where, places] of this.#places)
      for (const place of places) {
        const there = locate(where, place);
        if (there?.job === job) tasks.push(there.task);
      }
    for (let start = 0; start < tasks.length; start += COLUMN_TASKS_MAX) {
      const column = Uint32Array.from(tasks.slice(start, start + COLUMN_TASKS_MAX));
      // It is said on the next connection; and a job that is gone has no values.
      link.ask({ type: "persist", job, tasks: column }).catch(() => undefined);
    }
  }
}
