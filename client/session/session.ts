/**
 * A client's tie to a scheduler through any number of connections: when one is lost the next is made, for ever, until the
 * client is closed or the scheduler refuses it. What was not answered is asked again by who asked it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { asPeError, PeError } from "../../common/errors.ts";
import { LinkLost, SchedulerLink, type ClientConnection } from "./link.ts";

export interface SessionOptions {
  /** Makes a connection; called again after each loss. */
  connect(signal: AbortSignal): Promise<ClientConnection>;
  /** Of the client, for status pages. */
  readonly name: string;
}

/** Wait before the next try: doubles from the first to the second, and is drawn from its upper half. */
const BACKOFF_MS = 50;
const BACKOFF_MS_MAX = 5000;
/** A lost connection that comes back hits all clients at once: they wait differently long. */
const JITTER = 0.5;
/** Trying again does not help: somebody has to do something. */
const FINAL_CODES: ReadonlySet<string> = new Set(["PE_ACCESS", "PE_VERSION", "PE_PARAMETER"]);

export class SchedulerSession {
  readonly #options: SessionOptions;
  readonly #closing = new AbortController();
  readonly #onLink: ((link: SchedulerLink) => void)[] = [];
  readonly #onEnd: ((error: PeError) => void)[] = [];
  #link: SchedulerLink | undefined;
  #waiting: { done: (link: SchedulerLink) => void; fail: (error: Error) => void }[] = [];
  #end: PeError | undefined;

  private constructor(options: SessionOptions) {
    this.#options = options;
  }

  /**
   * Makes the first connection, which has to succeed.
   *
   * @throws {PeError} `PE_CONNECTION`, `PE_ACCESS`, `PE_VERSION`; the reason of `signal` when it aborts.
   */
  static async open(options: SessionOptions, signal?: AbortSignal): Promise<SchedulerSession> {
    const session = new SchedulerSession(options);
    session.#adopt(await session.#connect(signal ?? session.#closing.signal));
    return session;
  }

  /** Why there will be no further connection; undefined while there may be one. */
  get end(): PeError | undefined {
    return this.#end;
  }

  /** Calls back with each new connection. */
  onLink(callback: (link: SchedulerLink) => void): void {
    this.#onLink.push(callback);
    if (this.#link !== undefined) callback(this.#link);
  }

  /** Calls back once, when there will be no further connection. */
  onEnd(callback: (error: PeError) => void): void {
    this.#onEnd.push(callback);
  }

  /**
   * Does something on a connection, and again from the beginning on the next one each time it is lost.
   *
   * @throws {PeError} What `act` throws, or why there is no connection any more.
   */
  async run<Result>(act: (link: SchedulerLink) => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await act(await this.link());
      } catch (error) {
        if (!(error instanceof LinkLost)) throw error;
      }
    }
  }

  /** The present connection, or the next one. @throws {PeError} when there will be none. */
  async link(): Promise<SchedulerLink> {
    if (this.#end !== undefined) throw this.#end;
    if (this.#link !== undefined) return this.#link;
    return await new Promise((done, fail) => this.#waiting.push({ done, fail }));
  }

  /** Ends the present connection; there is no other. What still waits for an answer is rejected with `PE_CLOSED`. */
  async close(): Promise<void> {
    const link = this.#link;
    this.#finish(new PeError("PE_CLOSED", "Cannot go on: the client was closed"));
    if (link === undefined || link.isLost) return;
    const lost = new Promise<void>((done) => link.onLost(done));
    link.close("the client was closed");
    await lost;
  }

  /** There is nothing to connect to any more: what waits is rejected with the reason. */
  fail(reason: PeError): void {
    const link = this.#link;
    this.#finish(reason);
    link?.close(reason.message);
  }

  async #connect(signal: AbortSignal): Promise<SchedulerLink> {
    const connection = await this.#options.connect(signal);
    return await SchedulerLink.greet(connection, this.#options.name);
  }

  #adopt(link: SchedulerLink): void {
    if (this.#end !== undefined) return link.close("the client was closed");
    this.#link = link;
    link.onLost(() => {
      this.#link = undefined;
      if (link.refusal !== undefined) this.#finish(link.refusal);
      if (this.#end === undefined) void this.#reconnect();
    });
    for (const callback of this.#onLink) callback(link);
    for (const { done } of this.#waiting.splice(0)) done(link);
  }

  async #reconnect(): Promise<void> {
    for (let waitMs = BACKOFF_MS; ; waitMs = Math.min(waitMs * 2, BACKOFF_MS_MAX)) {
      try {
        await sleep(waitMs * (1 - JITTER * Math.random()), undefined, { signal: this.#closing.signal });
        return this.#adopt(await this.#connect(this.#closing.signal));
      } catch (error) {
        if (this.#end !== undefined) return;
        const reason = asPeError(error, "PE_UNEXPECTED", "Cannot connect to the scheduler");
        if (FINAL_CODES.has(reason.code) || reason.code === "PE_UNEXPECTED") return this.#finish(reason);
      }
    }
  }

  #finish(end: PeError): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#closing.abort(end);
    for (const { fail } of this.#waiting.splice(0)) fail(end);
    for (const callback of this.#onEnd) callback(end);
  }
}
