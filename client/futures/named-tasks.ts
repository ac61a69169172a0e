/** Tasks with keys on one connection: which task of which job a key stands for, told by the scheduler's answers. */
import type { Joined, Told } from "../session/link.ts";
import { placesOf } from "./append-request.ts";
import type { Append } from "./loose-job.ts";
import type { Whereabouts } from "./whereabouts.ts";

/** A batch is not held for the sake of its names: once it has ended, only its futures hold it. */
interface Spot {
  readonly where: Whereabouts;
  readonly place: number;
}

export class NamedTasks {
  /** By number of job, then of task. Several futures may stand for one task. */
  readonly #spots = new Map<number, Map<number, Spot[]>>();

  /**
   * Takes up the answer to an append.
   *
   * @param rows Tasks of its job afterwards: those that are new are the last ones.
   * @returns Jobs whose tasks were known before.
   */
  add(append: Append, rows: number, joined: Joined | undefined): ReadonlySet<number> {
    const batch = append.batch;
    if (batch === undefined) return new Set();
    const { where } = batch;
    where.refer(batch);
    const { life } = batch.job;
    if (where.located?.life !== life)
      where.located = { life, jobs: new Uint32Array(batch.count), tasks: new Uint32Array(batch.count) };
    const known = new Map([...(joined?.indices ?? [])].map((index, place) => [index, place]));
    let fresh = rows - (append.count - known.size);
    for (const [index, place] of [...placesOf(append)].entries()) {
      const at = known.get(index);
      const job = at === undefined ? append.job.number! : joined!.jobs[at]!;
      const task = at === undefined ? fresh++ : joined!.tasks[at]!;
      if (job === append.job.number) {
        if (where.own?.losses !== batch.job.losses)
          where.own = { losses: batch.job.losses, numbers: new Uint32Array(batch.count) };
        where.own.numbers[place] = task + 1;
        // Of a need that was released only the number is asked for.
        if (!batch.isReleased(place)) batch.job.letGo.delete(task);
      }
      where.located.jobs[place] = job;
      where.located.tasks[place] = task;
      this.#put(job, task, { where, place });
    }
    return new Set(joined?.jobs);
  }

  #put(job: number, task: number, spot: Spot): void {
    let tasks = this.#spots.get(job);
    if (tasks === undefined) this.#spots.set(job, (tasks = new Map()));
    const spots = tasks.get(task);
    if (spots === undefined) tasks.set(task, [spot]);
    else spots.push(spot);
  }

  told(job: number, message: Told): void {
    const tasks = this.#spots.get(job);
    if (tasks === undefined || message.type === "ended") return;
    if (message.type === "erred")
      for (const { where, place } of tasks.get(message.task) ?? []) where.batch?.erred(place, message);
    else
      for (const [index, task] of message.tasks.entries())
        for (const { where, place } of tasks.get(task) ?? [])
          if (message.type === "finished") where.batch?.finished(place, message, index);
          else where.batch?.cancelled(place, message.because);
  }
}
