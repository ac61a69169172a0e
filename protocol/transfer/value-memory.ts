/** Memory for values that come from elsewhere. */
import { PeError } from "../../common/errors.ts";

/** @throws {PeError} `PE_LIMIT` when there is not so much. */
export function allocateValue(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (error) {
    throw new PeError("PE_LIMIT", `Cannot take a value of ${bytes} bytes: this machine has not so much memory free`, {
      cause: error,
    });
  }
}
