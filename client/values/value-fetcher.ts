/**
 * Results that workers hold: asks the scheduler where one is, as often as it takes, and fetches it from there. A few at once;
 * the rest waits in line.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { PeError } from "../../common/errors.ts";
import { Line } from "../../common/line.ts";
import type { ValueName, ValueSource } from "../../protocol/held-values.ts";
import { readValue } from "../../protocol/large-values.ts";
import { FetchFailed } from "../../protocol/transfer/fetch-failed.ts";
import { LinkLost, type SchedulerLink } from "../session/link.ts";
import type { SchedulerSession } from "../session/session.ts";

/** What is to be fetched, from whom, and with which right. */
export interface FetchRequest {
  readonly name: ValueName;
  readonly bytes: number;
  readonly sources: readonly ValueSource[];
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

/** @throws {FetchFailed} when nobody who should have it gives it. */
export type FetchValue = (request: FetchRequest) => Promise<SharedArrayBuffer>;

/** A task as one connection names it; asked anew on each. */
export type WhereIs = () => Promise<{ readonly link: SchedulerLink; readonly job: number; readonly task: number }>;

/** Memory and lines: a link is full with one or two. */
export const FETCHES_AT_ONCE = 4;
/** A worker that died without a word is noticed within 6 s: the waits between these tries are longer together. */
const TRIES_MAX = 9;
const WAIT_MS = 100;
const WAIT_MS_MAX = 5000;
/** Holders that one question names as such that have nothing. */
const GONE_MAX = 16;

export class ValueFetcher {
  readonly #session: SchedulerSession;
  readonly #fetchValue: FetchValue;
  readonly #closing = new AbortController();
  readonly #line = new Line({ atOnceMax: FETCHES_AT_ONCE });
  readonly #waitMs: number;

  /** @param waitMs Before the second try; it doubles. */
  constructor(session: SchedulerSession, fetchValue: FetchValue, waitMs = WAIT_MS) {
    this.#session = session;
    this.#fetchValue = fetchValue;
    this.#waitMs = waitMs;
    session.onEnd((error) => this.#closing.abort(error));
  }

  /**
   * The value of a task, its arrays views on one piece of memory that threads may share.
   *
   * @param key Of the task, for people.
   * @throws {PeError} `PE_VALUE_UNREACHABLE`, `PE_VALUE_LOST`; what the task fails with when it has to run again; `PE_CLOSED`.
   */
  async fetch(key: string, whereIs: WhereIs): Promise<unknown> {
    let gone: readonly string[] = [];
    for (let tries = 1; ;) {
      let link: SchedulerLink | undefined;
      try {
        const there = await whereIs();
        link = there.link;
        const { id, ...located } = await link.ask({ type: "locate", job: there.job, task: there.task, gone });
        const { bytes, sources, token } = located;
        const { signal } = this.#closing;
        const request = { name: { id, task: there.task }, bytes, sources, token, signal };
        return readValue(await this.#line.through(async () => await this.#fetchValue(request), signal));
      } catch (error) {
        if (this.#session.end !== undefined) throw this.#session.end;
        if (!(error instanceof LinkLost || error instanceof FetchFailed)) throw error;
        // Of another scheduler, or another life of it, they are no news.
        gone = error instanceof FetchFailed ? error.gone.slice(0, GONE_MAX) : [];
        if (error instanceof LinkLost || link?.isLost === true) continue;
        if (tries === TRIES_MAX) throw unreachable(key, tries, error);
        await this.#wait(tries++);
      }
    }
  }

  async #wait(tries: number): Promise<void> {
    const waitMs = Math.min(this.#waitMs * 2 ** (tries - 1), WAIT_MS_MAX);
    await sleep(waitMs * (1 - Math.random() / 2), undefined, { signal: this.#closing.signal }).catch(() => {
      throw this.#session.end ?? this.#closing.signal.reason;
    });
  }
}

function unreachable(key: string, tries: number, cause: FetchFailed): PeError {
  return new PeError(
    "PE_VALUE_UNREACHABLE",
    `Cannot fetch the result of task ${key}: tried ${tries} times, the last time ${cause.because}; look at the workers that hold it (whoHas) and at the network between them, the scheduler and here`,
    { cause, details: { key, gone: cause.gone } },
  );
}
