/**
 * Errors a user can act on: one table of codes, one class.
 *
 * The text of an error says what was wrong, where, and what to do:
 * `Cannot read shard "a.hdf5": dataset "x_000_y_001" has no attribute x_index`.
 * A broken invariant is not one of these: it is an `AssertionError` (see `assert.ts`) and ends the process.
 */

/** Exit statuses of sysexits.h that the commands use. */
export const EXIT = {
  ok: 0,
  usage: 64,
  dataError: 65,
  noInput: 66,
  unavailable: 69,
  software: 70,
  osError: 71,
  cantCreate: 73,
  ioError: 74,
  tempFail: 75,
  noPermission: 77,
  interrupted: 130,
} as const;

/** Every code, its exit status, and what it means; docs/errors.md is printed from this table. */
export const ERROR_CODES = {
  PE_PARAMETER: { exit: EXIT.usage, about: "A parameter is missing, unknown, or out of its range." },
  PE_INPUT_EMPTY: {
    exit: EXIT.noInput,
    about: "The input holds nothing to compute: no such path, no shards, no series.",
  },
  PE_INPUT_CHANGED: {
    exit: EXIT.dataError,
    about: "An input file is not the one that was planned: its size, time or content changed.",
  },
  PE_INPUT_UNREACHABLE: {
    exit: EXIT.noInput,
    about: "A worker's host does not have the input: its folder is missing there, or cannot be opened. The job ends.",
  },
  PE_PARTS_UNREACHABLE: {
    exit: EXIT.cantCreate,
    about: "A worker's host does not have the folder that the job's parts go to. The job ends.",
  },
  PE_SHARD_UNREADABLE: {
    exit: EXIT.dataError,
    about: "A shard cannot be opened: not HDF5, truncated, corrupt, or refused for safety.",
  },
  PE_SHARD_LAYOUT: {
    exit: EXIT.dataError,
    about: "A shard opens, but a series has the wrong type or shape, or lacks attributes.",
  },
  PE_SERIES_NOT_FINITE: { exit: EXIT.dataError, about: "A series holds NaN or infinity; its cells are NaN." },
  PE_SERIES_SHORT: { exit: EXIT.dataError, about: "A series is too short for an order and delay: it has no window." },
  PE_SERIES_RAGGED: { exit: EXIT.dataError, about: "A series has another length than the rest of the input." },
  PE_CELL_CONFLICT: { exit: EXIT.dataError, about: "Two series claim one cell of the map; the cell is NaN." },
  PE_MAPS_CONFLICT: {
    exit: EXIT.dataError,
    about: "The maps file belongs to another input or grid, or does not say which; nothing was merged.",
  },
  PE_MAPS_UNREADABLE: {
    exit: EXIT.dataError,
    about: "The maps file cannot be read, or what was written does not read back.",
  },
  PE_RESULTS_UNREADABLE: { exit: EXIT.dataError, about: "A result file, part or manifest cannot be read." },
  PE_OUTPUT_BUSY: { exit: EXIT.tempFail, about: "Another run is writing the same output." },
  PE_OUTPUT_CONFLICT: { exit: EXIT.cantCreate, about: "The output folder holds something else; nothing was written." },
  PE_OUTPUT_UNWRITABLE: {
    exit: EXIT.cantCreate,
    about: "The output cannot be created: no such folder, no permission, a folder in its place.",
  },
  PE_DISK_FULL: {
    exit: EXIT.ioError,
    about: "The disk is full; what was finished is kept, run again after making room.",
  },
  PE_PICTURE_UNAVAILABLE: {
    exit: EXIT.unavailable,
    about: "PNG pictures cannot be drawn on this machine; SVG ones can.",
  },
  PE_TASK_FAILED: { exit: EXIT.software, about: "A task failed in a way its kind did not foresee; the rest went on." },
  PE_LIMIT: {
    exit: EXIT.usage,
    about: "Something is larger, or more, than this program takes; the text names the limit.",
  },
  PE_KIND: {
    exit: EXIT.usage,
    about: "A kind of task is unknown, or its file cannot be used, or changed while the worker ran.",
  },
  PE_UNEXPECTED: {
    exit: EXIT.software,
    about: "A bug of this program; set PE_TRACE=1 for a stack trace and report it.",
  },
  PE_INCOMPLETE: {
    exit: EXIT.dataError,
    about: "The job finished, but some cells have a named reason instead of a value.",
  },
  PE_CONNECTION: {
    exit: EXIT.unavailable,
    about: "The scheduler cannot be reached, or takes no more connections.",
  },
  PE_ADDRESS: {
    exit: EXIT.unavailable,
    about: "A scheduler cannot listen on its address: the port is taken, or the address is not of this machine.",
  },
  PE_ACCESS: {
    exit: EXIT.noPermission,
    about: "The scheduler refused the token, or its certificate is not the one of the access file.",
  },
  PE_CLUSTER_UNKNOWN: {
    exit: EXIT.noInput,
    about: "There is no cluster of this name, or its record cannot be read; see pe-client cluster list.",
  },
  PE_WORKERS_MISSING: {
    exit: EXIT.unavailable,
    about: "A cluster runs, but not with all the workers that it was asked for; the text says which, and how to go on.",
  },
  PE_ENGINE: {
    exit: EXIT.unavailable,
    about:
      "What a cluster is made with, such as ssh, Slurm or a host, is not there or refused; the text has its words.",
  },
  PE_PROTOCOL: {
    exit: EXIT.software,
    about: "A message that no version of this program would send, or one that is too large; the connection is closed.",
  },
  PE_JOURNAL_CORRUPT: {
    exit: EXIT.dataError,
    about: "A journal is damaged before its end: the disk lost what it had confirmed; nothing was changed in it.",
  },
  PE_JOURNAL_VERSION: {
    exit: EXIT.dataError,
    about: "A journal was written by another version of this program; nothing was changed in it.",
  },
  PE_JOURNAL_FAILED: {
    exit: EXIT.ioError,
    about:
      "The disk under a journal failed: nothing more is confirmed, and the scheduler ends. What was confirmed is kept.",
  },
  PE_VERSION: {
    exit: EXIT.unavailable,
    about: "Scheduler, worker and client speak different versions of the protocol; the text names both.",
  },
  PE_NAME_TAKEN: {
    exit: EXIT.tempFail,
    about: "Another worker has this name and is alive; give one of them another --name.",
  },
  PE_CLOSED: { exit: EXIT.software, about: "The client was closed while something still waited for the scheduler." },
  PE_CANCELLED: { exit: EXIT.interrupted, about: "A task was cancelled, by a client or because its job ended early." },
  PE_NEED_FAILED: { exit: EXIT.software, about: "A task was not run because one whose result it needs failed." },
  PE_RELEASED: { exit: EXIT.usage, about: "The result of a future is asked for that was released." },
  PE_VALUE_LOST: {
    exit: EXIT.unavailable,
    about: "A large result is gone: the workers that had it are, and it cannot be computed again.",
  },
  PE_VALUE_UNREACHABLE: {
    exit: EXIT.unavailable,
    about:
      "A large result cannot be fetched from any worker that has it, nor through the scheduler; tries are bounded.",
  },
  PE_TASK_POISON: {
    exit: EXIT.software,
    about: "A task ended each thread or worker that ran it, the last ones alone; it is not tried again.",
  },
  PE_THREAD_DIED: {
    exit: EXIT.software,
    about: "The thread that ran a task ended: out of memory, or it ended itself.",
  },
  PE_TIMEOUT: { exit: EXIT.software, about: "A task ran longer than its time limit." },
  PE_JOB_CONFLICT: {
    exit: EXIT.usage,
    about: "A job or key is known to the scheduler, but stands for something else there.",
  },
  PE_JOB_UNKNOWN: {
    exit: EXIT.noInput,
    about: "The scheduler has no such job or task: it was released, or never was.",
  },
  PE_JOB_NEEDED: {
    exit: EXIT.tempFail,
    about: "A job cannot be released: it has not ended, or unfinished tasks of others need its results.",
  },
  PE_VALUE_DAMAGED: {
    exit: EXIT.ioError,
    about: "A large result that a worker wrote to its scratch disk does not read back. It is computed again.",
  },
  PE_OBJECT_MISSING: {
    exit: EXIT.noInput,
    about: "An object store has no such object or bucket.",
  },
  PE_OBJECT_DENIED: {
    exit: EXIT.noPermission,
    about: "An object store does not allow it: the credentials lack a permission, or belong to nobody.",
  },
  PE_OBJECT_CHANGED: {
    exit: EXIT.dataError,
    about: "An object is not the version that was asked for: somebody replaced it.",
  },
  PE_OBJECT_CONFLICT: {
    exit: EXIT.tempFail,
    about: "An object was not written: somebody else wrote it first, or the store cannot write under a condition.",
  },
  PE_OBJECT_CORRUPT: {
    exit: EXIT.dataError,
    about: "The bytes of an object do not fit its stored checksum, however often they are read.",
  },
  PE_STORE_UNAVAILABLE: {
    exit: EXIT.unavailable,
    about:
      "An object store cannot be reached, answers with errors or not at all, or slows requests down; tries are bounded.",
  },
  PE_STORE_REFUSED: {
    exit: EXIT.unavailable,
    about: "An object store does not understand a request, or answers in a way that no such store would.",
  },
  PE_CREDENTIALS: {
    exit: EXIT.noPermission,
    about: "There are no credentials for an object store, or they have expired and cannot be renewed here.",
  },
  PE_INTERRUPTED: { exit: EXIT.interrupted, about: "The run was interrupted; run it again to go on." },
} as const satisfies Record<string, { exit: number; about: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** What crosses a thread or a wire in place of an error. */
export interface ErrorRecord {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export class PeError extends Error {
  override readonly name = "PeError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  /** The exit status of a command that ends with this error. */
  get exit(): number {
    return ERROR_CODES[this.code].exit;
  }

  toRecord(): ErrorRecord {
    return { code: this.code, message: this.message, details: this.details };
  }

  static fromRecord(record: ErrorRecord): PeError {
    return new PeError(record.code, record.message, { details: { ...record.details } });
  }
}

/** `error` as a `PeError`; anything unforeseen becomes `code` with `context` in front of its text. */
export function asPeError(error: unknown, code: ErrorCode, context: string): PeError {
  if (error instanceof PeError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PeError(isDiskFull(error) ? "PE_DISK_FULL" : code, `${context}: ${reason}`, { cause: error });
}

function isDiskFull(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === "ENOSPC" || code === "EDQUOT";
}
