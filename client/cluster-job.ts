/**
 * A durable job: named by what it computes, kept by the scheduler's journal, independent of the client that opened it. Opening
 * it again, from here or elsewhere, joins it; nothing that finished runs again.
 */
import { PeError } from "../common/errors.ts";
import { storeForAll, storeForJob } from "../data/part-store.ts";
import type { SchedulerToClient } from "../protocol/client-link.ts";
import { decodeJobCommon, encodeJobCommon } from "../tasks/job-common.ts";
import { appendBatches } from "./jobs/appending.ts";
import { followEnds, ToldEnds, type TaskEnd } from "./jobs/job-ends.ts";
import { cutTasks, type TaskSource } from "./jobs/task-batches.ts";
import { checkTaskCount, COLUMN_TASKS_MAX } from "./limits.ts";
import type { SchedulerLink } from "./session/link.ts";
import type { SchedulerSession } from "./session/session.ts";
import { wireOptions, type TaskOptions } from "./task-options.ts";
import type { ValueFetcher } from "./values/value-fetcher.ts";

export interface JobDescription extends TaskSource {
  /** Derived from what is computed, at most 256 characters: who opens the same id joins the same job. */
  readonly id: string;
  readonly kind: string;
  /** Of the kind; that of this client by default. */
  readonly version?: string;
  /** What all tasks share; encoded less than 1 MiB. */
  readonly common: unknown;
  /** URL of the store that parts go to (`file:///folder`, `scheduler:`); null where no task stores any. */
  readonly parts: string | null;
  /** Up to 10,000,000. */
  readonly taskCount: number;
  /** Parameters of a task; absent: its index is all it needs, and the job stays a range. Cheap, and always the same. */
  task?(index: number): unknown;
  /** Tasks of one group, which ascends with the index, should run on one worker. */
  groupOf?(index: number): number;
  /** Of the group of a task, 0 to 2^32 - 1: the worker that had the last group of a label gets the next one, if it can. */
  labelOf?(index: number): number;
  /** After more failed tasks than this the rest is cancelled; no limit by default. */
  readonly maxFails?: number;
  readonly options?: Omit<TaskOptions, "key" | "signal" | "common" | "version">;
  /** Called once, when the scheduler knows the job and before it has its tasks: what they need is put where they find it. */
  prepare?(): Promise<void>;
  /** Ends a minute after its last watcher has gone; durable jobs go on without clients. */
  readonly transient?: boolean;
}

/** A job as the scheduler sees it now. */
export type JobStatus = Omit<NonNullable<Extract<SchedulerToClient, { type: "found" }>["job"]>, "job">;

export interface ClusterJob {
  readonly id: string;
  readonly kind: string;
  /** Whether the scheduler had it already. */
  readonly known: boolean;
  /** Of a job found before all its tasks were there: those that were. */
  readonly taskCount: number;
  readonly common: unknown;
  readonly parts: string | null;
  /**
   * Everything that has ended and that ends, in batches, until all tasks have; each task once, through lost connections
   * and restarts. What is retried through this job is told again.
   */
  ends(): AsyncIterable<readonly TaskEnd[]>;
  /**
   * The result of a task that `ends()` tells as a value: workers hold it, and it is fetched from there.
   *
   * @throws {PeError} `PE_VALUE_LOST`, `PE_VALUE_UNREACHABLE`; `PE_PARAMETER` where the result came with `ends()`.
   */
  value(index: number): Promise<unknown>;
  status(): Promise<JobStatus>;
  /** Cancels what has not ended. */
  cancel(): Promise<void>;
  /** Runs failed and cancelled tasks again, all or of those named. @returns How many there were, at most those named. */
  retryFailed(indices?: Iterable<number>): Promise<number>;
  /** Last transitions of a task, oldest first. */
  story(index: number): Promise<string[]>;
  /** The scheduler forgets the job and its results. @throws {PeError} `PE_JOB_NEEDED` */
  release(): Promise<void>;
  /** Ends every `ends()` of this object; the job goes on. */
  detach(): void;
}

const MAX_FAILS = 0xffff_ffff;

interface Attached {
  readonly number: number;
  readonly known: boolean;
}

/** To a scheduler, and to workers through it. */
export interface Ties {
  readonly session: SchedulerSession;
  readonly values: ValueFetcher;
}

interface JobFace {
  readonly id: string;
  readonly kind: string;
  readonly common: unknown;
  readonly parts: string | null;
}

/**
 * Opens or joins a job; resolves when all its tasks are durable with the scheduler.
 *
 * @param version Of the kind.
 */
export async function openJob(
  { session, values }: Ties,
  description: JobDescription,
  version: string,
): Promise<ClusterJob> {
  const { id, kind, common, parts, taskCount, maxFails = MAX_FAILS, transient = false } = description;
  checkTaskCount(id, taskCount);
  const options = wireOptions(description.options);
  const bytes = encodeJobCommon({ parts: parts && storeForJob(parts, id), common });
  let prepared: Promise<void> | undefined;
  const attach = async (link: SchedulerLink): Promise<Attached> => {
    const opened = await link.ask({ type: "open", id, kind, version, common: bytes, maxFails, transient });
    await (prepared ??= description.prepare?.());
    await appendBatches(link, opened.job, cutTasks(description, opened.tasks, options));
    await link.ask({ type: "seal", job: opened.job, tasks: taskCount });
    return { number: opened.job, known: opened.known };
  };
  return await attachJob({ session, values, attach }, { id, kind, common, parts }, taskCount);
}

/** Attaches to a job of which only the id is known. @returns Undefined where there is none. */
export async function findJob({ session, values }: Ties, id: string): Promise<ClusterJob | undefined> {
  const { job: status, common } = await session.run((link) => link.ask({ type: "find", id }));
  if (status === undefined || common === undefined) return undefined;
  const attach = async (link: SchedulerLink): Promise<Attached> => {
    const found = (await link.ask({ type: "find", id })).job;
    if (found === undefined) throw unknownJob(id);
    return { number: found.job, known: true };
  };
  const { parts, common: shared } = decodeJobCommon(common);
  const face = { id, kind: status.kind, common: shared, parts: parts && storeForAll(parts) };
  return await attachJob({ session, values, attach }, face, status.tasks);
}

function unknownJob(id: string): PeError {
  return new PeError("PE_JOB_UNKNOWN", `Cannot find job "${id}": it was released, or the scheduler lost its journal`);
}

async function attachJob(
  { session, values, attach }: Ties & { readonly attach: (link: SchedulerLink) => Promise<Attached> },
  face: JobFace,
  taskCount: number,
): Promise<ClusterJob> {
  const { id } = face;
  const attached = new WeakMap<SchedulerLink, Promise<Attached>>();
  const detaching = new AbortController();
  const followed = new Set<ToldEnds>();
  let isReleased = false;
  const attachedTo = async (link: SchedulerLink): Promise<Attached> => {
    if (isReleased) throw unknownJob(id);
    let once = attached.get(link);
    if (once === undefined) attached.set(link, (once = attach(link)));
    return await once;
  };
  const onJob = <Result>(act: (link: SchedulerLink, job: number) => Promise<Result>): Promise<Result> =>
    session.run(async (link) => await act(link, (await attachedTo(link)).number));
  const { known } = await session.run(attachedTo);

  const status = async (): Promise<JobStatus> => {
    const found = (await onJob((link) => link.ask({ type: "find", id }))).job;
    if (found === undefined) throw unknownJob(id);
    const { job: _, ...rest } = found;
    return rest;
  };
  return {
    ...face,
    known,
    taskCount,
    status,
    async *ends() {
      const told = new ToldEnds();
      followed.add(told);
      const follow = async (link: SchedulerLink): Promise<number> => (await attachedTo(link)).number;
      try {
        yield* followEnds({ session, attach: follow, told, signal: detaching.signal });
      } finally {
        followed.delete(told);
      }
    },
    cancel: async () => void (await onJob((link, job) => link.ask({ type: "cancel", job }))),
    retryFailed: async (indices) => {
      const tasks = indices === undefined ? undefined : [...indices];
      const before = unsuccessful(await status());
      // Before it is asked for: what ends after it is news.
      for (const told of followed) told.forget(tasks);
      for (const part of tasks === undefined ? [undefined] : columns(tasks))
        await onJob((link, job) => link.ask({ type: "retry", job, ...(part !== undefined && { tasks: part }) }));
      return Math.min(before, tasks?.length ?? before);
    },
    value: async (index) =>
      await values.fetch(`${id}/${index}`, async () => {
        const link = await session.link();
        return { link, job: (await attachedTo(link)).number, task: index };
      }),
    story: async (index) => [...(await onJob((link, job) => link.ask({ type: "story", job, task: index }))).lines],
    release: async () => {
      // By id: attaching would make a job anew that is gone already.
      await session.run(async (link) => {
        const { job } = await link.ask({ type: "find", id });
        if (job !== undefined) await link.ask({ type: "release", job: job.job });
      });
      isReleased = true;
      detaching.abort();
    },
    detach: () => detaching.abort(),
  };
}

function unsuccessful({ counts: { erred, cancelled } }: JobStatus): number {
  return erred + cancelled;
}

/** Ascending: what a task needs goes before it. */
function* columns(tasks: readonly number[]): Generator<Uint32Array> {
  const ascending = Uint32Array.from(tasks).toSorted();
  for (let start = 0; start < ascending.length; start += COLUMN_TASKS_MAX)
    yield ascending.slice(start, start + COLUMN_TASKS_MAX);
}
