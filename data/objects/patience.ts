/**
 * Tries again what may pass, a bounded number of times, with waits that grow and are drawn from all of [0, longest)
 * ("full jitter": those who failed together do not come back together; Brooker, AWS Architecture Blog, 2015).
 *
 * What makes progress is not counted: a large object over a bad line is read to its end. What makes none ends within
 * `stuckMs` and one `idleMs`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { asError, StoreFault, type Deed } from "./fault.ts";

export interface Patience {
  /** Tries in a row without progress. */
  readonly triesMax: number;
  /** Tries of one deed, whatever they bring. */
  readonly triesInAllMax: number;
  readonly waitFirstMs: number;
  readonly waitMostMs: number;
  /** An answer on which nothing moves for so long is given up. */
  readonly idleMs: number;
  /** No try begins when the last progress was longer ago. */
  readonly stuckMs: number;
}

/** Nothing is stuck for more than 60 s: the last try begins before 45 s and is given up 12 s later. */
export const PATIENCE: Patience = {
  triesMax: 8,
  triesInAllMax: 64,
  waitFirstMs: 100,
  waitMostMs: 8000,
  idleMs: 12_000,
  stuckMs: 45_000,
};

/** A store that asks for more is not waited for. */
const ASKED_WAIT_MS_MAX = 20_000;
/** How often credentials that were just renewed are renewed again. */
const RENEWALS_MAX = 2;

export interface Persistence extends Deed {
  readonly patience: Patience;
  /** Gets fresh credentials. */
  readonly renew?: (() => Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a try says of itself. */
export interface Try {
  /** From 1. */
  readonly number: number;
  /** Something came that need not come again. */
  progress(): void;
}

/**
 * The result of the first try that succeeds.
 *
 * @throws {PeError} for faults that do not pass, or pass too late; whatever else `act` throws.
 */
export async function persist<Result>(task: Persistence, act: (attempt: Try) => Promise<Result>): Promise<Result> {
  const { patience, signal } = task;
  let progressMs = performance.now();
  let failures = 0;
  let renewals = 0;
  const progress = (): void => {
    progressMs = performance.now();
    failures = 0;
    renewals = 0;
  };
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    let waitMs: number;
    try {
      return await act({ number, progress });
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof StoreFault)) throw error;
      failures++;
      const renew = error.kind === "expired" && renewals < RENEWALS_MAX ? task.renew : undefined;
      if (error.kind !== "passing" && renew === undefined) throw asError(error, task, number);
      waitMs = waitBefore(failures, error, patience);
      const stuckMs = performance.now() - progressMs + waitMs;
      if (failures >= patience.triesMax || number >= patience.triesInAllMax || stuckMs > patience.stuckMs)
        throw asError(error, task, number);
      if (renew !== undefined) {
        renewals++;
        await renew();
      }
    }
    await sleep(waitMs, undefined, signal === undefined ? {} : { signal });
  }
}

function waitBefore(failures: number, fault: StoreFault, { waitFirstMs, waitMostMs }: Patience): number {
  const longest = Math.min(waitMostMs, waitFirstMs * 2 ** (failures - 1));
  return Math.max(Math.random() * longest, Math.min(fault.waitMs, ASKED_WAIT_MS_MAX));
}
