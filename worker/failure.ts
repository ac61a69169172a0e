/** An error of a task as it leaves its thread: text within limits, and whom it concerns. */
import { PeError, type ErrorCode } from "../common/errors.ts";
import { fitting } from "../protocol/fitting.ts";
import { CODE_LENGTH_MAX, MESSAGE_LENGTH_MAX } from "../protocol/worker-link.ts";
import type { Failure } from "./threads/frame.ts";
import { OUTAGE_MS, outages } from "./outage.ts";

/** Concern the whole job: no other task, and no other attempt, would fare better. */
const ENDS_JOB = new Set<ErrorCode>(["PE_INPUT_UNREACHABLE", "PE_PARTS_UNREACHABLE"]);

/** Of this thread. */
const known = outages();

/** An object of a store was read. */
export function noteAnswer(where: string): void {
  known.answered(where);
}

/** @param context What failed, for an error that no part of this house foresaw. */
export function failureOf(error: unknown, context: string): Failure {
  const isKnown = error instanceof PeError;
  const outage = isKnown ? known.meet(error, performance.now()) : undefined;
  const isPassing = outage !== undefined && Math.max(outage.ofStoreMs, outage.ofObjectMs) < OUTAGE_MS;
  return {
    ...told(error, context),
    blameless: isPassing || (isKnown && error.code === "PE_CONNECTION"),
    endsJob: isKnown && ENDS_JOB.has(error.code),
  };
}

/** What a store says for good; anything else (a full disk, a lost connection) passes, and nobody is to blame. */
const STORE_REFUSES = new Set<ErrorCode>(["PE_PARTS_UNREACHABLE", "PE_OUTPUT_UNWRITABLE", "PE_ACCESS", "PE_PARAMETER"]);
/** Of an object store, which nobody may ever mend: when a part cannot be stored for too long, no task of the job can. */
const STORE_IS_AWAY = new Set<ErrorCode>(["PE_STORE_UNAVAILABLE", "PE_CREDENTIALS"]);

/** A part was not stored: nothing that the task could help. */
export function storeFailureOf(error: unknown): Failure {
  const isKnown = error instanceof PeError;
  const outage = isKnown && STORE_IS_AWAY.has(error.code) ? known.meet(error, performance.now()) : undefined;
  const endsJob = isKnown && (STORE_REFUSES.has(error.code) || (outage?.ofObjectMs ?? 0) >= OUTAGE_MS);
  return { ...told(error, "Cannot store a part"), blameless: !endsJob, endsJob };
}

function told(error: unknown, context: string): Pick<Failure, "code" | "message" | "stack"> {
  const isKnown = error instanceof PeError;
  const reason = textOf(error);
  return {
    code: fitting(isKnown ? error.code : "PE_TASK_FAILED", CODE_LENGTH_MAX),
    message: fitting(isKnown ? reason : `${context}: ${reason}`, MESSAGE_LENGTH_MAX),
    stack: fitting(stackOf(error), MESSAGE_LENGTH_MAX),
  };
}

const CAUSES_MAX = 8;

function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let cause = error; cause instanceof Error && stacks.length < CAUSES_MAX; cause = cause.cause)
    stacks.push(textOf(cause, "stack"));
  return stacks.join("\ncaused by ");
}

/** Anything may be thrown, even what has no text. */
function textOf(error: unknown, field: "message" | "stack" = "message"): string {
  try {
    return String(error instanceof Error ? (error[field] as unknown) : error);
  } catch {
    return `something without a text (a ${typeof error})`;
  }
}
