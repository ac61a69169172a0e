/** What a client sends at most, and how it refuses more. */
import { PeError } from "../common/errors.ts";
import { BATCH_TASKS_MAX, JOB_TASKS_MAX } from "../protocol/client-link.ts";

/** Of one task: its encoded parameters, and 8 bytes for each result that it needs. A frame of the wire takes 1 MiB. */
export const TASK_BYTES_MAX = 960 << 10;
/** Sent and not yet confirmed; what is more waits here. Bounds what any buffer on the way holds. */
export const UNCONFIRMED_BYTES_MAX = 8 << 20;
/** Tasks that one message names. */
export const COLUMN_TASKS_MAX = BATCH_TASKS_MAX;
/** Requests sent and not yet confirmed. */
export const UNCONFIRMED_APPENDS_MAX = 16;

export function refuseLarge(what: string, bytes: number): PeError {
  return new PeError(
    "PE_LIMIT",
    `Cannot send ${what}: its parameters take ${bytes} bytes, more than ${TASK_BYTES_MAX}; put what is large into a file, or what tasks share into common`,
    { details: { bytes, bytesMax: TASK_BYTES_MAX } },
  );
}

/** @throws {PeError} `PE_PARAMETER`, or `PE_LIMIT` for more than a job can have. */
export function checkTaskCount(id: string, taskCount: number): void {
  if (!Number.isSafeInteger(taskCount) || taskCount < 0)
    throw new PeError("PE_PARAMETER", `Cannot open job "${id}": taskCount is ${taskCount}, not a number of tasks`);
  if (taskCount > JOB_TASKS_MAX)
    throw new PeError(
      "PE_LIMIT",
      `Cannot open job "${id}": ${taskCount} tasks are more than ${JOB_TASKS_MAX}; cut it into several jobs`,
      { details: { tasks: taskCount, tasksMax: JOB_TASKS_MAX } },
    );
}
