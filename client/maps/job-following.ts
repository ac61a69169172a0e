/** Following a PE job to its end: what became of each task, and how far it is. */
import type { ErrorRecord } from "../../common/errors.ts";
import type { PeJob } from "../../tasks/pe/plan.ts";
import type { TaskEnd as PartEnd } from "../../tasks/pe/reduce.ts";
import type { PeSummary } from "../../tasks/pe/run.ts";
import type { ClusterJob } from "../cluster-job.ts";
import type { TaskEnd } from "../jobs/job-ends.ts";

export interface JobProgress {
  readonly tasksDone: number;
  readonly tasks: number;
  /** Of `tasksDone`, those that were finished before. */
  readonly tasksBefore: number;
  /** Series whose values are computed, those of before included. */
  readonly seriesDone: number;
  readonly seriesBefore: number;
  readonly seriesEstimate: number;
  /** File of the task that ended last. */
  readonly file: string;
}

export interface Following {
  /** Tasks that were finished when the job was opened: the first that are told. */
  readonly before: number;
  /** Stops when so many have been told: what has ended by now, instead of the end of the job. */
  readonly until?: number;
  /** Stops following; the job goes on. */
  readonly signal?: AbortSignal;
  /** What to do first when `signal` aborts; what ends meanwhile is told. */
  onAbort?(): Promise<void>;
  onProgress?(progress: JobProgress): void;
  /** A part is stored. */
  onPart?(name: string): void;
}

/** What became of the tasks of a job, by index. */
export interface FollowedJob {
  /** Nothing for a task that was cancelled, or has not ended. */
  readonly ends: Map<number, PartEnd>;
  readonly summaries: Map<number, PeSummary>;
  /** Those that were finished before, or whose part was there already. */
  readonly foundBefore: Set<number>;
  readonly cancelled: Set<number>;
  /** Why the scheduler itself cancelled tasks; absent where clients did, or nobody. */
  readonly because?: string;
}

/**
 * Resolves when every task of the job has ended, or with what is known by then when `signal` aborts.
 *
 * @throws {PeError} What `ends()` throws: the job is gone, or access to it.
 */
export async function followJob(cluster: ClusterJob, job: PeJob, following: Following): Promise<FollowedJob> {
  const { signal, until = Infinity } = following;
  const tally = new Tally(job, following);
  const onAbort = (): void => {
    const ready = following.onAbort?.() ?? Promise.resolve();
    void ready.finally(() => cluster.detach());
  };
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    if (signal?.aborted === true || until === 0) return tally.result();
    for await (const batch of cluster.ends()) {
      for (const end of batch) tally.take(end);
      if (tally.told >= until) break;
    }
    return tally.result();
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Counts ends as they are told. One that was tried again is told again. */
class Tally {
  readonly #job: PeJob;
  readonly #following: Following;
  readonly #ends = new Map<number, PartEnd>();
  readonly #summaries = new Map<number, PeSummary>();
  readonly #foundBefore = new Set<number>();
  readonly #cancelled = new Set<number>();
  #because: string | undefined;
  #seriesDone = 0;
  #seriesBefore = 0;

  constructor(job: PeJob, following: Following) {
    this.#job = job;
    this.#following = following;
  }

  get told(): number {
    return this.#ends.size + this.#cancelled.size;
  }

  take(end: TaskEnd): void {
    const { index } = end;
    const file = fileOf(this.#job, index);
    this.#cancelled.delete(index);
    if (end.status === "finished") this.#finished(index, end.result as PeSummary);
    else if (end.status === "erred") this.#ends.set(index, { error: describeError(end, file) });
    else {
      this.#cancelled.add(index);
      this.#because ??= end.because;
    }
    this.#following.onProgress?.({
      tasksDone: this.told,
      tasks: this.#job.taskCount,
      tasksBefore: this.#foundBefore.size,
      seriesDone: this.#seriesDone,
      seriesBefore: this.#seriesBefore,
      seriesEstimate: this.#job.seriesEstimate,
      file,
    });
  }

  #finished(index: number, summary: PeSummary): void {
    this.#ends.set(index, { part: summary.part });
    this.#summaries.set(index, summary);
    this.#seriesDone += summary.series;
    if (this.#summaries.size <= this.#following.before || summary.reused) {
      this.#foundBefore.add(index);
      this.#seriesBefore += summary.series;
    }
    this.#following.onPart?.(summary.part);
  }

  result(): FollowedJob {
    return {
      ends: this.#ends,
      summaries: this.#summaries,
      foundBefore: this.#foundBefore,
      cancelled: this.#cancelled,
      ...(this.#because !== undefined && { because: this.#because }),
    };
  }
}

/** Name of the file that a task computes. */
export function fileOf({ manifest: { tasks, source } }: PeJob, index: number): string {
  return source.files[tasks[index]![0]]!.name;
}

/** A scheduler knows tasks by number; the user knows files. Who tried, and what happened to it, stays with the error. */
function describeError(end: TaskEnd & { status: "erred" }, file: string): ErrorRecord {
  const { error, attempts, worker, story } = end;
  const message = error.message.includes(file) ? error.message : `Cannot compute "${file}": ${error.message}`;
  return { ...error, message, details: { file, ...error.details, attempts, worker, story } };
}
