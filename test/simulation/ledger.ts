/**
 * What a list of records means, told a second time and in another way than the scheduler's core does: the judge of what may
 * be said, and of what a restart must restore.
 */
import type { JournalRecord } from "../../protocol/journal-records.ts";

export const ENDED = { no: 0, finished: 1, erred: 2, cancelled: 4 } as const;

export interface LedgerJob {
  readonly job: number;
  readonly id: string;
  rows: number;
  sealed: boolean;
  /** How each task stands: one of `ENDED`. */
  readonly now: number[];
  /** All ends it ever had, added up. */
  readonly ever: number[];
  readonly isVolatile: boolean[];
  readonly deaths: number[];
  readonly fails: number[];
  readonly results: Map<number, Uint8Array>;
  /** Bytes of results that are values. */
  readonly sizes: Map<number, number>;
  readonly codes: Map<number, string>;
}

export class Ledger {
  readonly jobs = new Map<number, LedgerJob>();
  /** Jobs that were released, too. */
  readonly everJobs = new Map<number, LedgerJob>();
  epoch = 0;

  apply(record: JournalRecord): void {
    if (record.type === "epoch") {
      must(record.epoch > this.epoch, `epoch ${record.epoch} after ${this.epoch}`);
      this.epoch = record.epoch;
      return;
    }
    if (record.type === "opened") return this.#open(record.job, record.id);
    const job = this.jobs.get(record.job);
    must(job !== undefined, `record ${record.type} of job ${record.job}, which is not open`);
    switch (record.type) {
      case "appended":
        for (let count = record.count; count > 0; count--) {
          job.now.push(ENDED.no);
          job.ever.push(0);
          job.isVolatile.push(record.options.volatile);
          job.deaths.push(0);
          job.fails.push(0);
        }
        job.rows += record.count;
        return;
      case "sealed":
        job.sealed = true;
        return;
      case "finished":
        for (const [place, task] of record.tasks.entries()) {
          this.#end(job, task, ENDED.finished);
          if ((record.sizes?.[place] ?? 0) > 0) job.sizes.set(task, record.sizes![place]!);
          job.results.set(task, record.results.subarray(place === 0 ? 0 : record.ends[place - 1], record.ends[place]));
        }
        return;
      case "lost":
        for (const task of record.tasks) {
          job.deaths[task] = 0;
          job.fails[task] = 0;
          if (job.isVolatile[task] && job.now[task] === ENDED.no) continue;
          must(job.now[task] === ENDED.finished, `${job.id}/${task} is lost, but had not finished`);
          must(job.sizes.delete(task), `${job.id}/${task} is lost, but its result was no value`);
          job.now[task] = ENDED.no;
        }
        return;
      case "erred":
        job.codes.set(record.task, record.code);
        return this.#end(job, record.task, ENDED.erred);
      case "cancelled":
        for (const task of record.tasks) this.#end(job, task, ENDED.cancelled);
        return;
      case "retried":
        for (const task of record.tasks) {
          must(job.now[task] !== ENDED.finished, `finished task ${job.id}/${task} is retried`);
          job.now[task] = ENDED.no;
          job.deaths[task] = 0;
          job.fails[task] = 0;
        }
        return;
      case "died":
        job.deaths[record.task] = record.deaths;
        return;
      case "failed":
        job.fails[record.task] = record.fails;
        return;
      case "released":
        this.jobs.delete(record.job);
    }
  }

  #open(number: number, id: string): void {
    must(!this.everJobs.has(number), `number ${number} is given to a second job`);
    const job: LedgerJob = {
      job: number,
      id,
      rows: 0,
      sealed: false,
      now: [],
      ever: [],
      isVolatile: [],
      deaths: [],
      fails: [],
      results: new Map(),
      sizes: new Map(),
      codes: new Map(),
    };
    this.jobs.set(number, job);
    this.everJobs.set(number, job);
  }

  #end(job: LedgerJob, task: number, how: number): void {
    must(task < job.rows, `${job.id}/${task} ends, but was never added`);
    must(job.now[task] === ENDED.no, `${job.id}/${task} ends a second time`);
    job.now[task] = how;
    job.ever[task] = job.ever[task]! | how;
  }
}

export function must(condition: unknown, because: string): asserts condition {
  if (!condition) throw new Violation(because);
}

/** What an invariant says when it does not hold. */
export class Violation extends Error {
  override readonly name = "Violation";
}
