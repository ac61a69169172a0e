/** Keeps a worker connected: tries again for ever, quickly at first, never all workers at the same moment. */
import { setTimeout as sleep } from "node:timers/promises";
import { PeError, type ErrorCode } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import type { Connection, End } from "../protocol/connection.ts";
import { createOutbox, type Outbox } from "../protocol/outbox.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../protocol/worker-link.ts";

export type SchedulerConnection = Connection<WorkerToScheduler, SchedulerToWorker>;

const RETRY_FIRST_MS = 50;
const RETRY_MOST_MS = 5000;
/** Of a scheduler that answers, but refuses: what it waits for is seconds away, such as the end of a lost connection. */
const REFUSED_RETRY_MOST_MS = 1000;
/** Failures that follow each other are told so often. */
const TELL_EVERY_MS = 30_000;
/** Before the first connection these are the user's slip, and no later try would do better. */
const FINAL_AT_FIRST = new Set<ErrorCode>(["PE_ACCESS", "PE_PARAMETER"]);

export interface Connecting {
  /** Called again after each loss. */
  connect(signal: AbortSignal): Promise<SchedulerConnection>;
  onConnected(connection: SchedulerConnection): void;
  onMessages(messages: readonly SchedulerToWorker[], connection: SchedulerConnection): void;
  onDisconnected(): void;
  /** The first connection cannot be made, ever. */
  onHopeless(error: PeError): void;
  readonly log: (line: LogLine) => void;
}

/** One scheduler, one connection at a time. */
export class Reconnecting {
  readonly #with: Connecting;
  readonly #ending = new AbortController();
  #connection: SchedulerConnection | undefined;
  /** Of the connection: the reports of hours may wait to be told again, more than a connection takes at once. */
  #outbox: Outbox<WorkerToScheduler> | undefined;
  #wasConnected = false;
  /** The scheduler takes the worker on this connection. */
  #isAccepted = false;
  /** Before the next try. */
  #waitMs = RETRY_FIRST_MS;
  #toldMs = -Infinity;

  constructor(connecting: Connecting) {
    this.#with = connecting;
    void this.#keep();
  }

  send(message: WorkerToScheduler): void {
    this.#outbox?.send(message);
  }

  /** The scheduler has taken the worker: it may be told soon again of what happens, and the next try comes soon. */
  accepted(): void {
    this.#isAccepted = true;
    this.#waitMs = RETRY_FIRST_MS;
    this.#toldMs = -Infinity;
  }

  /** Gives up the present connection and makes another. */
  drop(reason: string): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#lost(connection, reason);
    connection.close(reason);
  }

  /** No more connections; what was sent still goes out. */
  end(reason: string): void {
    this.#ending.abort(new Error(reason));
    const connection = this.#connection;
    this.#forget();
    connection?.close(reason);
  }

  async #keep(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        return this.#begin(await this.#with.connect(signal));
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#wasConnected && error instanceof PeError && FINAL_AT_FIRST.has(error.code))
          return this.#with.onHopeless(error);
        this.#tell(error instanceof Error ? error.message : String(error));
      }
      await this.#wait(RETRY_MOST_MS);
    }
  }

  async #wait(mostMs: number): Promise<void> {
    const { signal } = this.#ending;
    const waitMs = this.#waitMs * (0.5 + Math.random() / 2);
    this.#waitMs = Math.min(this.#waitMs * 2, mostMs);
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }

  #begin(connection: SchedulerConnection): void {
    if (this.#ending.signal.aborted) return connection.close("the worker ends");
    this.#connection = connection;
    this.#outbox = createOutbox(connection, {
      nowMs: () => performance.now(),
      onStalled: (reason) => this.drop(reason),
      onError: (error) => this.drop(error instanceof Error ? error.message : String(error)),
    });
    this.#wasConnected = true;
    this.#isAccepted = false;
    connection.onMessages((messages) => {
      if (connection === this.#connection) this.#with.onMessages(messages, connection);
    });
    connection.onClose(({ reason }: End) => this.#lost(connection, reason));
    this.#with.onConnected(connection);
  }

  #lost(connection: SchedulerConnection, reason: string): void {
    if (connection !== this.#connection) return;
    this.#forget();
    this.#with.onDisconnected();
    const why = reason || "it went away";
    if (!this.#isAccepted) {
      this.#tell(`Cannot join the scheduler at ${connection.remote}: ${why}`);
      return void this.#wait(REFUSED_RETRY_MOST_MS).then(() => this.#keep());
    }
    this.#with.log({ level: "warn", text: `lost the scheduler at ${connection.remote}: ${why}` });
    // The first try comes soon, but those that one restart has cut off do not come at one moment.
    setTimeout(() => void this.#keep(), RETRY_FIRST_MS * Math.random());
  }

  #forget(): void {
    this.#outbox?.close();
    this.#outbox = undefined;
    this.#connection = undefined;
  }

  #tell(reason: string): void {
    if (performance.now() - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = performance.now();
    this.#with.log({ level: "warn", text: `${reason}; trying again` });
  }
}
