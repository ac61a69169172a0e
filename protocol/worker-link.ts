/**
 * What a scheduler and a worker say to each other.
 *
 * A task is named on the wire by the number of its job (given by the scheduler, the same for the life of its journal)
 * and its index in the job. One hand-out of it is named by an epoch (life of the scheduler) and an attempt. Columns of
 * one message have one entry a task.
 */
import { COMMON_BYTES_MAX } from "./client-link.ts";
import { servingAt, valueWanted, WORKER_NAME_LENGTH_MAX } from "./held-values.ts";
import {
  bytes,
  flag,
  integer,
  list,
  messages,
  object,
  optional,
  text,
  uint32s,
  type Infer,
  type MessageOf,
} from "./schema.ts";

/** Tasks that one message may name. */
export const TASKS_PER_MESSAGE_MAX = 4096;
export const SLOTS_MAX = 1024;
export const CODE_LENGTH_MAX = 64;
/** Of what the last process of a worker wrote before it died: so many lines, each at most so long. */
export const LAST_LINES_MAX = 5;
export const LAST_LINE_LENGTH_MAX = 300;
/** Of the message and of the stack of an error. */
export const MESSAGE_LENGTH_MAX = 16_384;
const U32_MAX = 0xffff_ffff;

const u32 = integer(0, U32_MAX);
const tasks = uint32s(TASKS_PER_MESSAGE_MAX);
/** Blobs of a message one after the other; entry `i` ends at `ends[i]`. */
const blob = bytes(1 << 20);
/** Bytes of values, one entry a task: 0 where the result is no value. */
const sizes = tasks;
/** Values that one message names with their holders. */
export const VALUES_PER_MESSAGE_MAX = 256;
const workerNames = list(text(WORKER_NAME_LENGTH_MAX), 16);

/** Everything a worker may say to the scheduler. */
export const workerToScheduler = messages({
  /** First on a connection. A connection is a new incarnation of the worker. */
  register: {
    /** `PROTOCOL_VERSION`. */
    protocol: u32,
    /** Name and version of the program, for people. */
    software: text(64),
    /** One worker has it at a time. */
    name: text(128),
    /** Another for each process: tells one that comes back from a namesake. */
    instance: text(64),
    /** Threads of its pool. */
    slots: integer(1, SLOTS_MAX),
    /** What it can run; a job runs where its kind has its very version. */
    /** `impure`: the same parameters need not give the same result, and a second one is no alarm. */
    kinds: list(object({ name: text(64), version: text(256), impure: optional(flag()) }), 256),
    /** What tasks can ask for, such as gpu=1. */
    resources: list(object({ name: text(64), amount: integer(0, 1_000_000) }), 64),
    /** Whether `holds` and `held` messages follow: the scheduler hands out nothing before the last `held`. */
    holds: flag(),
    /** Where it serves values; absent: they are had through the scheduler alone. */
    serving: optional(servingAt),
    /** How the worker's process before this one died: for the errors of tasks that it held. Absent: none did, or it had its reasons. */
    lastDeath: optional(
      object({
        /** Of the process that died. */
        instance: text(64),
        /** Such as `signal SIGKILL` or `exit status 134`. */
        how: text(64),
        /** Its memory shortly before. */
        rssBytes: integer(0, Number.MAX_SAFE_INTEGER),
        /** The last ones that it wrote to stderr. */
        lines: list(text(LAST_LINE_LENGTH_MAX), LAST_LINES_MAX),
      }),
    ),
  },
  /** After `register`: values that this worker still has. */
  holds: { id: text(256), tasks, sizes },
  /** After `register`: hand-outs of an earlier connection that this worker still has, running, waiting or finished. */
  held: { job: u32, id: text(256), tasks, epochs: tasks, attempts: tasks, last: flag() },
  /** Every half second. Renews the leases of the hand-outs it names, and only those. */
  heartbeat: {
    jobs: tasks,
    tasks,
    attempts: tasks,
    /** Gets no more work while its memory is short. */
    paused: flag(),
    rssBytes: integer(0, Number.MAX_SAFE_INTEGER),
  },
  /** Results that are complete; sent again on the next connection until `stored` answers. */
  done: {
    job: u32,
    tasks,
    epochs: tasks,
    attempts: tasks,
    /** Microseconds of a thread for each. */
    took: tasks,
    ends: tasks,
    /** At most 64 KiB each. */
    results: blob,
    /** Of results that stay on this worker as values; absent where none does. */
    sizes: optional(sizes),
  },
  /** The task itself ended in an error, its thread died under it, or it ran out of time. */
  failed: {
    job: u32,
    task: u32,
    epoch: u32,
    attempt: u32,
    code: text(CODE_LENGTH_MAX),
    message: text(MESSAGE_LENGTH_MAX),
    stack: text(MESSAGE_LENGTH_MAX),
    /** The thread died: the task may be to blame. */
    died: flag(),
    /** Not the task's fault (store unreachable, disk full): runs again without counting. */
    blameless: flag(),
    /** No task of the job can do better here, such as an input that this host cannot reach: no retry, the rest is cancelled. */
    endsJob: flag(),
  },
  /** Hand-outs given back: answer to `retract`, or the worker leaves. Unbegun ones; where its time is up, also what runs. */
  returned: { job: u32, tasks, attempts: tasks },
  /** It has fetched these values, and others may have them from it. */
  have: { id: text(256), tasks, sizes },
  /** It has these values no more: copies that took too much memory, or a disk that failed. */
  lost: { id: text(256), tasks },
  /**
   * A hand-out is given back, because a value that it needs could not be had. `job` 0: the value was wanted for its own sake
   * (`keep`).
   */
  starved: {
    job: u32,
    task: u32,
    epoch: u32,
    attempt: u32,
    /** The value. */
    id: text(256),
    value: u32,
    /** Holders that said that they do not have it. */
    gone: workerNames,
  },
  /** Takes no more work; goes when its hand-outs are stored or returned. */
  leaving: {},
});

/** Everything the scheduler may say to a worker. */
export const schedulerToWorker = messages({
  /** Answers `register`. */
  welcome: { epoch: u32, worker: u32, software: text(64), heartbeatMs: u32 },
  /** Before the first hand-out of a job to this worker. */
  job: { job: u32, id: text(256), kind: text(64), version: text(256), common: bytes(COMMON_BYTES_MAX) },
  /** Hand-outs, in the order in which they should begin. */
  assign: { job: u32, timeoutMs: u32, tasks, attempts: tasks, ends: tasks, parameters: blob },
  /**
   * Results that tasks need, `counts[i]` of them for `tasks[i]`, in the order of its needs; before its hand-out. A task that
   * needs much is named in several messages.
   */
  inputs: { job: u32, tasks, attempts: tasks, counts: tasks, ends: tasks, values: blob },
  /**
   * Values that a task needs and who has them, before its hand-out. `places[i]` says which of its needs `values[i]` is; the
   * others come in `inputs`, in their order. A task that needs many is named in several messages.
   */
  values: { job: u32, task: u32, attempt: u32, places: tasks, values: list(valueWanted, VALUES_PER_MESSAGE_MAX) },
  /** Fetch these values and have them ready. */
  keep: { values: list(valueWanted, VALUES_PER_MESSAGE_MAX) },
  /** Nobody wants these values any more: forget them when the hand-outs that use them have ended. */
  free: { id: text(256), tasks },
  /** Send a value to the scheduler, under this name, for somebody who cannot reach this worker. */
  upload: { ticket: text(64), id: text(256), task: u32 },
  /** These reports are durable, or of no use any more: forget them. */
  stored: { job: u32, tasks, epochs: tasks, attempts: tasks },
  /** Give back up to `count` hand-outs that have not begun, the last ones first. */
  retract: { count: u32 },
  /** Drop these hand-outs, begun or not; no report is wanted. */
  drop: { job: u32, tasks, epochs: tasks, attempts: tasks },
  /** No more hand-outs of this job will come. */
  forget: { job: u32 },
  /** The connection closes: wrong version, kind or name; said so that a person reads why. */
  refuse: { code: text(64), message: text(4096) },
  /** Answers a heartbeat: a scheduler that says nothing for seconds is gone, or the network is. */
  alive: {},
});

export type WorkerToScheduler = Infer<typeof workerToScheduler>;
export type LastDeath = NonNullable<MessageOf<typeof workerToScheduler, "register">["lastDeath"]>;
export type SchedulerToWorker = Infer<typeof schedulerToWorker>;
