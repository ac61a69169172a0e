/**
 * What the scheduler writes down before it tells anyone: replayed in order, the records restore its state.
 * A snapshot is a shorter list of the same records.
 */
import { bytes, flag, integer, list, messages, object, oneOf, optional, text, uint32s, type Infer } from "./schema.ts";

const U32_MAX = 0xffff_ffff;
const u32 = integer(0, U32_MAX);
/** Snapshots hold whole columns in one record. */
const column = uint32s(1 << 24);
const blob = bytes(1 << 30);

const options = object({
  priority: integer(-1_000_000, 1_000_000),
  retries: integer(0, 1000),
  timeoutMs: u32,
  volatile: flag(),
  resources: list(object({ name: text(64), amount: integer(1, 1_000_000) }), 64),
  workers: list(text(128), 1024),
});

export const journalRecords = messages({
  /** A life of the scheduler begins; numbers ascend. */
  epoch: { epoch: u32 },
  /** Numbers of jobs ascend and are given once. */
  opened: {
    job: u32,
    id: text(256),
    kind: text(64),
    version: text(256),
    common: blob,
    maxFails: u32,
    transient: flag(),
  },
  /** A job has more tasks: as the client said it. */
  appended: {
    job: u32,
    count: u32,
    options,
    parameters: optional(object({ ends: column, values: blob })),
    keys: optional(list(text(512), 1 << 24)),
    needs: optional(object({ ends: column, jobs: column, tasks: column })),
    groups: optional(column),
  },
  sealed: { job: u32 },
  /** Not of volatile tasks. */
  finished: {
    job: u32,
    tasks: column,
    ends: column,
    results: blob,
    /** Of results that are values: their bytes; absent where none is. */
    sizes: optional(column),
  },
  /** Finished tasks whose values nobody has any more, and somebody needs: they run again. */
  lost: { job: u32, tasks: column },
  erred: {
    job: u32,
    task: u32,
    code: text(64),
    message: text(16_384),
    stack: text(16_384),
    attempts: u32,
    worker: text(128),
  },
  /** `because`: the scheduler's own reason, where no client asked. */
  cancelled: { job: u32, tasks: column, because: optional(text(1000)) },
  /** Back from erred or cancelled; their errors and deaths are forgotten. */
  retried: { job: u32, tasks: column },
  /**
   * Deaths of threads and workers under a task, and what changed their number: a worker told of it, a connection closed, or
   * a worker came back with the hand-out that it was thought to have died of.
   */
  died: {
    job: u32,
    task: u32,
    deaths: u32,
    epoch: u32,
    attempt: u32,
    /** Process of the worker. */
    instance: text(64),
    how: oneOf("reported", "closed", "acquitted"),
  },
  /** Errors of the task itself, and the hand-out of the last one. */
  failed: { job: u32, task: u32, fails: u32, epoch: u32, attempt: u32 },
  /** A job is forgotten with all that belongs to it. */
  released: { job: u32 },
});

export type JournalRecord = Infer<typeof journalRecords>;
