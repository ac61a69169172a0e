/** The envelope of what all tasks of a job share: the bytes that scheduler, journal and links carry unread. */
import * as v from "valibot";
import { decodeValue, encodeValue } from "../protocol/values.ts";
import { parse } from "./parse.ts";

export interface JobCommon {
  /**
   * URL of the store that the tasks' parts go to: `file:///folder`, which every worker must see, or `scheduler:`, the
   * scheduler's own; null where no task stores any.
   */
  readonly parts: string | null;
  /** What the kind shares: `TaskContext.common`. */
  readonly common: unknown;
}

const PARTS_URL_LENGTH_MAX = 4096;

const envelope = v.object({
  parts: v.nullable(v.pipe(v.string(), v.maxLength(PARTS_URL_LENGTH_MAX))),
  common: v.unknown(),
});

/** @throws {PeError} `PE_PARAMETER` naming the place of what cannot travel. */
export function encodeJobCommon({ parts, common }: JobCommon): Uint8Array {
  return encodeValue({ parts, common });
}

/**
 * No bytes at all mean that nothing is shared and no part is stored.
 *
 * @throws {PeError} `PE_PROTOCOL` when the bytes are no value, `PE_PARAMETER` when they are another one.
 */
export function decodeJobCommon(bytes: Uint8Array): JobCommon {
  if (bytes.byteLength === 0) return { parts: null, common: undefined };
  return parse(envelope, decodeValue(bytes), "common part of a job");
}
