/** What the scheduler and its workers tell of errors, as errors of this process. */
import { counted } from "../../common/counted.ts";
import { ERROR_CODES, PeError, type ErrorCode, type ErrorRecord } from "../../common/errors.ts";
import type { SchedulerToClient } from "../../protocol/client-link.ts";

export type ToldError = Extract<SchedulerToClient, { type: "erred" }>;

/** An error of the wire; a code that this version does not know is kept in `details.code`. */
export function toldError(code: string, message: string): PeError {
  return isKnown(code) ? new PeError(code, message) : new PeError("PE_TASK_FAILED", message, { details: { code } });
}

/** What is told of a task's end in an error, without classes: for reports and `--json`. */
export function taskErrorRecord({ code, message, stack }: ToldError): ErrorRecord {
  const details = { ...(stack !== "" && { stack }), ...(!isKnown(code) && { code }) };
  return { code: isKnown(code) ? code : "PE_TASK_FAILED", message, details };
}

/**
 * The error that a future is rejected with. Its `details` have the task's key and kind, how often it was tried, the worker
 * that tried it last, and its story; its `cause` is the error that the worker saw, with the stack there.
 */
export function taskError(told: ToldError, key: string, kind: string): PeError {
  const { code, message, stack, attempts, worker, story } = told;
  const { details } = taskErrorRecord(told);
  const about = [...(message.includes(key) ? [] : [`task ${key}`]), ...tried(attempts, worker)].join(", ");
  return new PeError(isKnown(code) ? code : "PE_TASK_FAILED", about === "" ? message : `${message} (${about})`, {
    ...(stack !== "" && { cause: remoteCause(code, message, stack) }),
    details: { ...details, key, kind, attempts, worker, story },
  });
}

function remoteCause(code: string, message: string, stack: string): Error {
  const cause = new Error(message);
  cause.name = code;
  cause.stack = stack;
  return cause;
}

function tried(attempts: number, worker: string): string[] {
  return [
    ...(attempts === 0 ? [] : [counted(attempts, "attempt")]),
    ...(worker === "" ? [] : [`last on worker "${worker}"`]),
  ];
}

export function cancelledError(key: string, because: string | undefined): PeError {
  const reason = because ?? "a client asked for it";
  return new PeError("PE_CANCELLED", `Task ${key} was cancelled: ${reason}`, { details: { key } });
}

function isKnown(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code);
}
