/**
 * What a scheduler and a client say to each other.
 *
 * A client opens a job (or joins the one of the same id), appends batches of tasks to it, and watches it. Requests carry a
 * number that the answer repeats. Columns of one message have one entry a task.
 */
import { VALUE_BYTES_MAX, valueSource, SOURCES_MAX, WORKER_NAME_LENGTH_MAX } from "./held-values.ts";
import { bytes, flag, integer, list, messages, object, optional, text, uint32s, type Infer } from "./schema.ts";

/** Tasks of one batch with parameters, keys or dependencies of their own; a range has no such limit. */
export const BATCH_TASKS_MAX = 4096;
/** Tasks of a job. */
export const JOB_TASKS_MAX = 10_000_000;
export const KEY_LENGTH_MAX = 512;
/** Of one task's own parameters: alone in a message they leave room for the rest of it. */
export const PARAMETERS_BYTES_MAX = (1 << 20) - (1 << 16);
/** Of what all tasks of a job share: it travels in one message with the rest that there is to say of the job. */
export const COMMON_BYTES_MAX = (1 << 20) - (1 << 16);
/** Of a reason that is told beside the error it comes from. */
export const BECAUSE_LENGTH_MAX = 1000;
export const STORY_LINE_LENGTH_MAX = 256;
const U32_MAX = 0xffff_ffff;

const u32 = integer(0, U32_MAX);
const request = u32;
const column = uint32s(BATCH_TASKS_MAX);
const blob = bytes(1 << 20);
const common = bytes(COMMON_BYTES_MAX);
const key = text(KEY_LENGTH_MAX);
const workerNames = list(text(WORKER_NAME_LENGTH_MAX), 1024);
/** Values whose holders one message names. */
export const WHO_HAS_MAX = 256;

/** What holds for all tasks of a batch. */
const options = object({
  /** Higher goes first. */
  priority: integer(-1_000_000, 1_000_000),
  /** Times a task may fail by itself before it is erred. */
  retries: integer(0, 1000),
  /** A task that runs longer fails; 0 is no limit. */
  timeoutMs: u32,
  /** Results are not journaled: lost with the scheduler, computed again. */
  volatile: flag(),
  resources: list(object({ name: text(64), amount: integer(1, 1_000_000) }), 64),
  /** Names of workers that may run it; empty is any. */
  workers: list(text(128), 1024),
});

/** Everything a client may say to the scheduler. */
export const clientToScheduler = messages({
  /** First on a connection. */
  hello: {
    /** `PROTOCOL_VERSION`. */
    protocol: u32,
    /** Name and version of the program, for people. */
    software: text(64),
    name: text(128),
  },
  /** Opens a job or joins the one of this id. `kind`, `version` and `common` must then be the same. */
  open: {
    request,
    id: text(256),
    kind: text(64),
    version: text(256),
    common,
    /** After more failed tasks than this the rest is cancelled. */
    maxFails: u32,
    /** Ends with its last watcher, as a session's loose tasks do; else it goes on without clients. */
    transient: flag(),
  },
  /** Adds `count` tasks. The job goes on from task `from`; what it has beyond is known already and is joined. */
  append: {
    request,
    job: u32,
    from: u32,
    count: integer(1, JOB_TASKS_MAX),
    options,
    /** Absent: the task's index is all it needs. */
    parameters: optional(object({ ends: column, values: blob })),
    /** Absent: keys are derived, `job/index`. */
    keys: optional(list(key, BATCH_TASKS_MAX)),
    /** Tasks whose results a task needs: those of task `i` end at `ends[i]`; each a job and an index. */
    needs: optional(object({ ends: column, jobs: uint32s(1 << 17), tasks: uint32s(1 << 17) })),
    /** First task of each group that should run on one worker; ascending. */
    groups: optional(column),
    /** One for each group, such as a hash of its input: groups of one label like to run where the last one ran. */
    labels: optional(column),
  },
  /** No more tasks will come: the job can end. */
  seal: { request, job: u32, /** How many it must have by now. */ tasks: u32 },
  /** Asks for what has ended and for what ends from now on. */
  watch: { request, job: u32, results: flag() },
  /** Wants to be told no more. */
  unwatch: { request, job: u32 },
  /** All tasks that are not finished, or those named. */
  cancel: { request, job: u32, tasks: optional(column) },
  /** Erred tasks run again, all or those named. */
  retry: { request, job: u32, tasks: optional(column) },
  /** Forgets the job and its results. */
  release: { request, job: u32 },
  /** Finds a job by id. */
  find: { request, id: text(256) },
  /** Lists jobs and workers. */
  status: { request },
  /**
   * Where the value of a finished task is. Answered when somebody has it: one that is lost is computed again. `gone`: workers
   * that said that they do not have it.
   */
  locate: { request, job: u32, task: u32, gone: list(text(WORKER_NAME_LENGTH_MAX), 16) },
  /** Who has the values of these tasks now. */
  whoHas: { request, job: u32, tasks: uint32s(WHO_HAS_MAX) },
  /** This client wants these results no more. What nobody wants, and no unfinished task needs, is forgotten. */
  letGo: { request, job: u32, tasks: column },
  /** Has values held by `copies` workers, or by those named; answered when they are. */
  replicate: { request, job: u32, tasks: uint32s(WHO_HAS_MAX), copies: integer(1, 4096), workers: workerNames },
  /** Values that are lost are computed again at once, not only when somebody needs them. */
  persist: { request, job: u32, tasks: column },
  /** Last transitions of a task. */
  story: { request, job: u32, task: u32, /** That a user gave; then job and task say nothing. */ key: optional(key) },
});

const counts = object({ waiting: u32, queued: u32, processing: u32, finished: u32, erred: u32, cancelled: u32 });
const jobStatus = object({
  job: u32,
  id: text(256),
  kind: text(64),
  version: text(256),
  tasks: u32,
  sealed: flag(),
  counts,
  /** Why the scheduler itself cancelled tasks of it: too many failed, or one failed for all. */
  because: optional(text(BECAUSE_LENGTH_MAX)),
  /** Why nothing of what is queued can run now, such as a kind that no worker has. */
  waits: optional(text(BECAUSE_LENGTH_MAX)),
});

/** Everything the scheduler may say to a client. */
export const schedulerToClient = messages({
  /** Answers `hello`. */
  welcome: { epoch: u32, software: text(64) },
  /** The job is open, and that is durable. */
  opened: { request, job: u32, /** How many it has. */ tasks: u32, /** Joined: it was open before. */ known: flag() },
  /** The tasks are added, or were there. */
  appended: { request, job: u32, tasks: u32 },
  /** Keys that were known: task `indices[i]` of the request is task `tasks[i]` of job `jobs[i]`. Comes before `appended`. */
  joined: { request, indices: column, jobs: column, tasks: column },
  /** Answers `seal`, `watch`, `unwatch`, `cancel`, `retry`, `release`, `letGo`, `replicate` and `persist`: done, and durable. */
  ok: { request },
  /** Answers any request that cannot be; nothing changed. */
  refused: { request, code: text(64), message: text(4096) },
  /** Tasks that finished, with their results where the watcher wants them. */
  finished: {
    job: u32,
    tasks: column,
    ends: column,
    results: blob,
    /** Bytes of results that are values, held by workers; absent where none is. */
    sizes: optional(column),
  },
  /** A task failed for good. */
  erred: {
    job: u32,
    task: u32,
    code: text(64),
    message: text(16_384),
    stack: text(16_384),
    /** Times it failed by itself; of a poisoned task, hand-outs. */
    attempts: u32,
    /** The last one it was on; empty where it was on none. */
    worker: text(128),
    /** Its last transitions, oldest first. */
    story: list(text(STORY_LINE_LENGTH_MAX), 64),
  },
  /** `because`: why the scheduler itself cancelled tasks of this job; absent where only clients did. */
  cancelled: { job: u32, tasks: column, because: optional(text(BECAUSE_LENGTH_MAX)) },
  /** All tasks of a sealed job have ended. */
  ended: { job: u32, counts },
  /** `common` as the job was opened with: whoever knows the id can go on with it. Both absent where there is no such job. */
  found: { request, job: optional(jobStatus), common: optional(common) },
  /** Answers `status`: the jobs that were opened last, as many as one message takes, and the workers. */
  statusIs: {
    request,
    jobs: list(jobStatus, 1000),
    workers: list(
      object({
        name: text(128),
        slots: u32,
        state: text(16),
        processing: u32,
        finished: u32,
        rssBytes: integer(0, Number.MAX_SAFE_INTEGER),
        /** That it holds, and their bytes. */
        values: u32,
        valueBytes: integer(0, Number.MAX_SAFE_INTEGER),
      }),
      1024,
    ),
  },
  /** Answers `locate`. `token`: opens the holders' doors for values of this job. */
  located: {
    request,
    id: text(256),
    bytes: integer(1, VALUE_BYTES_MAX),
    sources: list(valueSource, SOURCES_MAX),
    token: optional(text(128)),
  },
  /** Answers `whoHas`, in its order: bytes (0 where the result is no value) and holders of each. */
  holders: { request, sizes: uint32s(WHO_HAS_MAX), workers: list(list(text(WORKER_NAME_LENGTH_MAX), 64), WHO_HAS_MAX) },
  /** Answers `story`: transitions, oldest first, then what the task waits for or why it was cancelled. */
  storyIs: { request, lines: list(text(STORY_LINE_LENGTH_MAX), 64) },
  /** The connection closes: wrong version; said so that a person reads why. */
  refuse: { code: text(64), message: text(4096) },
});

export type ClientToScheduler = Infer<typeof clientToScheduler>;
export type SchedulerToClient = Infer<typeof schedulerToClient>;
