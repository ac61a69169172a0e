/** What an object may be called within its store. */
import { PeError } from "../../common/errors.ts";
import { KEY_BYTES_MAX } from "./address.ts";

/** Control characters end lines of reports, and no XML can carry them. */
// oxlint-disable-next-line no-control-regex -- these are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * Names have segments between single slashes. Spaces, double spaces and any letter of Unicode are allowed; what would
 * leave a folder, or differ between a bucket and a folder, is not: `.`, `..`, empty segments, control characters.
 */
export function isObjectName(name: string): boolean {
  return reasonAgainst(name) === undefined;
}

/** @throws {PeError} `PE_PARAMETER` with the reason why it cannot be a name. */
export function assertObjectName(name: string): void {
  const reason = reasonAgainst(name);
  if (reason !== undefined)
    throw new PeError("PE_PARAMETER", `Cannot use the object name ${JSON.stringify(name.slice(0, 200))}: ${reason}`);
}

function reasonAgainst(name: string): string | undefined {
  if (Buffer.byteLength(name) > KEY_BYTES_MAX) return `it is longer than ${KEY_BYTES_MAX} bytes`;
  if (/\p{Cs}/u.test(name)) return "it holds half a character";
  if (CONTROL.test(name)) return "it holds a control character";
  for (const segment of name.split("/")) {
    if (segment === "") return "it is empty, or begins or ends with a slash, or has two in a row";
    if (segment === "." || segment === "..") return `"${segment}" cannot be a part of it`;
  }
  return undefined;
}
