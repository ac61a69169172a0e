/** Why a result cannot be had although its task finished. */
import { PeError } from "../../common/errors.ts";

export function releasedError(key: string): PeError {
  return new PeError("PE_RELEASED", `Cannot use the result of task ${key}: its future was released`, {
    details: { key },
  });
}

/** Its job is gone: the scheduler was restarted without a journal, or this client was away for long. */
export function lostValueError(key: string): PeError {
  return new PeError(
    "PE_VALUE_LOST",
    `Cannot get the result of task ${key}: the scheduler has lost its job, and with it the value; submit it again`,
    { details: { key } },
  );
}
