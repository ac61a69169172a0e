/**
 * Values: results too large to travel in a report. They stay on the workers that computed them, go straight from holder to
 * needer, and are computed again when their last holder is gone.
 */
import { list, object, optional, text, integer, type Field } from "./schema.ts";

/** A larger result of a task is a value, a smaller one rides in its report. */
export const INLINE_BYTES_MAX = 64 * 1024;
/** Of one value. */
export const VALUE_BYTES_MAX = 2 ** 31 - 1;
/** Holders that are named to whoever needs a value. */
export const SOURCES_MAX = 8;
export const WORKER_NAME_LENGTH_MAX = 128;
const U32_MAX = 0xffff_ffff;

/** The same through all lives of scheduler and workers: the job's id, not its number. */
export interface ValueName {
  readonly id: string;
  readonly task: number;
}

/** One text for a value's name, for maps. */
export function valueKey({ id, task }: ValueName): string {
  return `${task}/${id}`;
}

/** Where a worker serves values. */
export const servingAt = object({
  /** `host:port`. */
  address: text(256),
  /** SHA-256 of its certificate, hexadecimal, where it serves over TLS. */
  certificate: optional(text(64)),
});
export type ServingAt = Field<typeof servingAt>;

/** A holder of a value. One that serves nowhere is reached through the scheduler alone. */
export const valueSource = object({ worker: text(WORKER_NAME_LENGTH_MAX), at: optional(servingAt) });
export type ValueSource = Field<typeof valueSource>;

/** A value that somebody needs, and who has it. */
export const valueWanted = object({
  id: text(256),
  task: integer(0, U32_MAX),
  bytes: integer(1, VALUE_BYTES_MAX),
  sources: list(valueSource, SOURCES_MAX),
});
export type ValueWanted = Field<typeof valueWanted>;
