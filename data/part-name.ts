/** What parts may be called, wherever they are kept. */
import { PeError } from "../common/errors.ts";

const PATTERN = /^[a-z0-9][a-z0-9.-]{0,127}$/;

export function isPartName(name: string): boolean {
  return typeof name === "string" && PATTERN.test(name);
}

/** @throws {PeError} `PE_PARAMETER` unless it is 1 to 128 lower-case letters, digits, dots and dashes. */
export function assertPartName(name: string): void {
  if (!isPartName(name))
    throw new PeError(
      "PE_PARAMETER",
      `Cannot use part name ${JSON.stringify(name)?.slice(0, 200)}: expected 1 to 128 of a-z, 0-9, dot and dash`,
    );
}
