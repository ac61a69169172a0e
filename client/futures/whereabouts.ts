/**
 * Where the scheduler has the tasks of a batch, and which of their results are values that somebody here wants. It outlives
 * the batch, so that the scheduler can be told when nobody has futures of it any more.
 */
import type { FutureBatch } from "./batch.ts";
import type { Append, LooseJob } from "./loose-job.ts";

export class Whereabouts {
  readonly job: LooseJob;
  readonly hasKeys: boolean;
  /** Its place in a job of the scheduler; absent before it is sent, and when the scheduler has lost the job. */
  home: Append | undefined;
  /** Tasks that have a place of their own, because the scheduler lost the first. */
  moved: Map<number, { readonly append: Append; readonly index: number }> | undefined;
  /** Of tasks with keys, by what the scheduler answered on one connection: job and number there. */
  located: { readonly life: number; readonly jobs: Uint32Array; readonly tasks: Uint32Array } | undefined;
  /** Of tasks with keys: numbers in their own job, counted from 1, as long as the scheduler has not lost it. */
  own: { readonly losses: number; readonly numbers: Uint32Array } | undefined;
  /** Places of tasks whose results are values, and wanted. */
  #values: Set<number> | undefined;
  /** Places of tasks that have ended and cannot be named any more, because what they need is lost. */
  #lost: Set<number> | undefined;
  #batch: WeakRef<FutureBatch> | undefined;

  constructor(job: LooseJob, hasKeys: boolean) {
    this.job = job;
    this.hasKeys = hasKeys;
  }

  /** One with keys or with values that are wanted, as long as somebody has it. */
  get batch(): FutureBatch | undefined {
    return this.#batch?.deref();
  }

  refer(batch: FutureBatch): void {
    this.#batch ??= new WeakRef(batch);
  }

  get values(): ReadonlySet<number> {
    return this.#values ?? NONE;
  }

  /** The job is watched while values of it are wanted. */
  wantValue(place: number, batch: FutureBatch): void {
    this.refer(batch);
    this.#values ??= new Set();
    this.#values.add(place);
    this.job.holders.add(this);
  }

  letGo(place: number): void {
    this.#values?.delete(place);
    if (this.values.size === 0) this.job.holders.delete(this);
  }

  isLost(place: number): boolean {
    return this.#lost?.has(place) === true;
  }

  lose(place: number): void {
    (this.#lost ??= new Set()).add(place);
    this.letGo(place);
  }
}

const NONE: ReadonlySet<number> = new Set();

/** Where the scheduler has a task, on the present connection; undefined where it has not, or that is not known yet. */
export function locate(where: Whereabouts, place: number): { job: number; task: number } | undefined {
  if (where.hasKeys) {
    const located = where.located?.life === where.job.life ? where.located : undefined;
    const number = located?.jobs[place] ?? 0;
    return number === 0 ? undefined : { job: number, task: located!.tasks[place]! };
  }
  const { number } = where.job;
  const task = number === undefined ? undefined : numberOf(where, place);
  return task === undefined ? undefined : { job: number!, task };
}

/** The number of a task in its own job, once it was sent; of one with a key, once the scheduler has said it. */
export function numberOf(where: Whereabouts, place: number): number | undefined {
  if (where.hasKeys) {
    const number = where.own?.losses === where.job.losses ? where.own.numbers[place]! : 0;
    return number === 0 ? undefined : number - 1;
  }
  const moved = where.moved?.get(place);
  const append = moved?.append ?? where.home;
  if (append === undefined || append.state === "waiting" || append.state === "lost") return undefined;
  return append.from + (moved?.index ?? place);
}

/** Whether a task has a place, or will have one without anybody asking. */
export function isUnderWay(where: Whereabouts, place: number): boolean {
  if (where.isLost(place)) return false;
  const append = where.moved?.get(place)?.append ?? where.home;
  return append !== undefined && append.state !== "lost";
}
