/**
 * Whether an error is the fault of a task's surroundings, and may pass: a store that is away, credentials that have run out,
 * a disk that is full. The task then runs again, here or elsewhere, and counts nothing; the worker rests.
 *
 * An outage of minutes fails no task; one that does not end, of a store or of one object of it, fails the tasks that meet
 * it, each with the name of what it missed.
 */
import type { ErrorCode, PeError } from "../common/errors.ts";

/** So long errors of one store, or of one object, are an outage; what comes later is the task's own. */
export const OUTAGE_MS = 600_000;
/** Errors of a store that are farther apart are of two outages: during one, a thread meets the next after a minute or two. */
const STORE_QUIET_MS = 300_000;
/** Of an object: with many workers, one thread meets the same object again after a long time only. */
const OBJECT_QUIET_MS = 86_400_000;
/** The longest silent are forgotten first. */
const KNOWN_MAX = 10_000;

const PASSING = new Set<ErrorCode>(["PE_STORE_UNAVAILABLE", "PE_CREDENTIALS", "PE_DISK_FULL"]);

interface Spell {
  readonly sinceMs: number;
  readonly lastMs: number;
}

/** How long errors of this sort have been met, in milliseconds. */
export interface Outage {
  readonly ofStoreMs: number;
  readonly ofObjectMs: number;
}

export interface Outages {
  /** Notes an error; undefined when it is the task's own. @param nowMs Monotonic. */
  meet(error: PeError, nowMs: number): Outage | undefined;
  /** The object was read: its store is not away. */
  answered(where: string): void;
}

/** What one thread has met. */
export function outages(): Outages {
  const stores = new Map<string, Spell>();
  const objects = new Map<string, Spell>();
  return {
    meet({ code, details }, nowMs) {
      if (!PASSING.has(code)) return undefined;
      const where = typeof details.where === "string" ? details.where : "";
      return {
        ofStoreMs: lasting(stores, `${code} ${storeOf(where)}`, nowMs, STORE_QUIET_MS),
        ofObjectMs: lasting(objects, `${code} ${where}`, nowMs, OBJECT_QUIET_MS),
      };
    },
    answered(where) {
      if (stores.size === 0) return;
      for (const code of PASSING) {
        stores.delete(`${code} ${storeOf(where)}`);
        objects.delete(`${code} ${where}`);
      }
    },
  };
}

/** How long it has been so. */
function lasting(spells: Map<string, Spell>, key: string, nowMs: number, quietMs: number): number {
  const known = spells.get(key);
  const sinceMs = known === undefined || nowMs - known.lastMs > quietMs ? nowMs : known.sinceMs;
  // Insertion order is order of last use.
  spells.delete(key);
  spells.set(key, { sinceMs, lastMs: nowMs });
  if (spells.size > KNOWN_MAX) spells.delete(spells.keys().next().value!);
  return nowMs - sinceMs;
}

/** `s3://bucket` of `s3://bucket/key`. */
function storeOf(where: string): string {
  return /^[a-z0-9]+:\/\/[^/]*/i.exec(where)?.[0] ?? "";
}
