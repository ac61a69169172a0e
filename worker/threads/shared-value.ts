/** Large results in memory that all threads of the process, and its main thread, read. */
import { PeError } from "../../common/errors.ts";
import type { LaidOut } from "../../protocol/large-values.ts";

/**
 * @returns Its blob: the one copy that is made of its arrays.
 * @throws {PeError} `PE_LIMIT` when there is no memory for it.
 */
export function shareLaidOut(value: LaidOut): SharedArrayBuffer {
  const blob = allocate(value.bytes);
  value.writeInto(new Uint8Array(blob));
  return blob;
}

function allocate(bytes: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(bytes);
  } catch (error) {
    throw new PeError(
      "PE_LIMIT",
      `Cannot keep a result of ${bytes} bytes: this machine has not the memory for it; divide it into several tasks`,
      { cause: error },
    );
  }
}
