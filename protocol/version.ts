/**
 * Which versions of the protocol understand each other.
 *
 * A scheduler serves workers and clients of its own version and of those before it, down to `PROTOCOL_VERSION_MIN`: it goes first
 * when a cluster is brought up to date. So a version only adds: fields at the end of a message and messages at the end of a link,
 * each marked with the version it came with (`since`), and what an older one does not know is not said to it. A version that
 * takes something away raises `PROTOCOL_VERSION_MIN` as well.
 */

/** Counts changes of what is said on the links. */
export const PROTOCOL_VERSION = 1;
/** The oldest that a scheduler of this version serves. */
export const PROTOCOL_VERSION_MIN = 1;

/** Why a scheduler does not serve this version; undefined where it does. */
export function whyNotServed(protocol: number, software: string): string | undefined {
  if (protocol >= PROTOCOL_VERSION_MIN && protocol <= PROTOCOL_VERSION) return undefined;
  const served: readonly number[] = [...new Set([PROTOCOL_VERSION_MIN, PROTOCOL_VERSION])];
  return `it speaks protocol ${protocol} (${software}), the scheduler ${served.join(" to ")}; update the older one`;
}
