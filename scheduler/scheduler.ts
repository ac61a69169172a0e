/**
 * The shell of the scheduler's core: turns connections, the disk and the clock into events, and carries out what the core
 * answers. It knows no sockets: the server and a cluster within one process give it connections.
 */
import { AssertionError } from "../common/assert.ts";
import { asPeError, PeError } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import type { ClientToScheduler, SchedulerToClient } from "../protocol/client-link.ts";
import { isProtocolError } from "../protocol/codec.ts";
import type { JournalRecord } from "../protocol/journal-records.ts";
import type { Connection } from "../protocol/connection.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../protocol/worker-link.ts";
import { createSchedulerCore, type SchedulerCore } from "./core/core.ts";
import type { SchedulerEffect, SchedulerEvent } from "./core/events.ts";
import { HEARTBEAT_MS } from "./core/limits.ts";
import { valueNamed } from "./core/values.ts";
import { healthOf, type SchedulerHealth } from "./health.ts";
import { keepInJournal, keepNothing, type Keeping, type KeepingEvents, type KeepingOptions } from "./keeping.ts";
import { Peers } from "./peers.ts";
import type { RelayWorkers } from "./relay.ts";
import { SnapshotTurn } from "./snapshot-turn.ts";

export interface SchedulerOptions {
  /** Folder, made when it is not there. Absent: nothing is kept, and everything counts as durable at once. */
  readonly journal?: string;
  readonly log?: (line: LogLine) => void;
  /**
   * The disk failed or an invariant broke: nothing is done any more, and the process should end after `close()`. Called at
   * most once.
   */
  readonly onFatal: (error: PeError) => void;
  /** A job is gone for good, with all that belongs to it. Called before anybody is told; at the start again, for a crash in between. */
  readonly onReleased?: (job: string) => void;
  /** The connection of a worker has ended. */
  readonly onWorkerGone?: (link: number) => void;
  /** Where no worker outlives the scheduler: 0 hands out at once after a restart what was handed out before. */
  readonly graceMs?: number;
  /** What opens the values of a job at its holders, for clients; undefined where nobody serves any. */
  readonly valueToken?: (job: string) => string | undefined;
  /** For tests. */
  readonly keeping?: Partial<Pick<KeepingOptions, "files" | "retryMs" | "snapshotAfterBytes">>;
}

export interface Scheduler {
  /** Number of this life: higher than that of each life before on the same journal. */
  readonly epoch: number;
  acceptWorker(connection: Connection<SchedulerToWorker, WorkerToScheduler>): void;
  acceptClient(connection: Connection<SchedulerToClient, ClientToScheduler>): void;
  health(): SchedulerHealth;
  /** Who holds values, for those who cannot reach them. */
  readonly holders: RelayWorkers;
  /**
   * Makes durable what was begun, says so to whom it concerns, ends the connections, and gives the journal back. Harmless
   * when called again.
   *
   * @throws {PeError} `PE_DISK_FULL` when something was not durable: nobody was told that it was.
   */
  close(): Promise<void>;
}

/** Bytes that wait for a full disk before workers are not listened to either: they keep their reports. */
const WAITING_BYTES_GOOD = 128 << 20;

/**
 * Starts a scheduler; with a journal, in the state that its last life made durable.
 *
 * @throws {PeError} `PE_OUTPUT_BUSY` when another process has the journal, `PE_JOURNAL_CORRUPT`, `PE_JOURNAL_VERSION`,
 * `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`
 */
export async function startScheduler(options: SchedulerOptions): Promise<Scheduler> {
  const { journal, keeping = {} } = options;
  let running: RunningScheduler | undefined;
  const events: KeepingEvents = {
    onDurable: (sequence) => running?.durable(sequence),
    onStatus: (status) => running?.statusChanged(status),
    onFatal: (error) => running?.fail(error),
  };
  const kept = journal === undefined ? keepNothing(events) : await keepInJournal(journal, { ...keeping, ...events });
  try {
    running = new RunningScheduler(options, kept);
    return running;
  } catch (error) {
    await kept.close();
    // The checksums of the journal are right, and what it says cannot be: nobody should go on from there.
    if (!(error instanceof AssertionError)) throw error;
    throw new PeError(
      "PE_JOURNAL_CORRUPT",
      `Cannot go on from the journal "${journal}": ${error.message}. Keep a copy of the folder and report it, then begin with an empty one`,
      { cause: error },
    );
  }
}

class RunningScheduler implements Scheduler {
  readonly #core: SchedulerCore;
  readonly #keeping: Keeping;
  readonly #peers: Peers;
  readonly #snapshots: SnapshotTurn;
  readonly #log: (line: LogLine) => void;
  readonly #onFatal: (error: PeError) => void;
  readonly #onReleased: (job: string) => void;
  readonly #onWorkerGone: (link: number) => void;
  readonly #valueToken: (job: string) => string | undefined;
  readonly #startMs = performance.now();
  readonly #ticking: NodeJS.Timeout;
  #isDiskFull = false;
  #isTickingSoon = false;
  #isStopping = false;
  #hasFailed = false;
  #closed: Promise<void> | undefined;
  #whenSettled: (() => void) | undefined;

  constructor(options: SchedulerOptions, keeping: Keeping) {
    const {
      log = () => undefined,
      onFatal,
      onReleased = () => undefined,
      onWorkerGone = () => undefined,
      journal,
      graceMs,
    } = options;
    this.#log = log;
    this.#onFatal = onFatal;
    this.#onReleased = onReleased;
    this.#onWorkerGone = onWorkerGone;
    this.#valueToken = options.valueToken ?? (() => undefined);
    this.#keeping = keeping;
    this.#peers = new Peers((event) => this.#enter(event), log);
    const released = new Set<string>();
    const { core, effects } = createSchedulerCore(
      {
        records: notingReleased(keeping.recover(), released),
        sequence: keeping.sequence,
        epochMin: Math.floor(Date.now() / 1000),
        ...(graceMs !== undefined && { graceMs }),
      },
      this.#startMs,
    );
    this.#core = core;
    for (const job of released) onReleased(job);
    this.#snapshots = new SnapshotTurn(core, keeping, log);
    this.#carryOut(effects);
    this.#ticking = setInterval(() => this.#tick(), HEARTBEAT_MS / 2);
    const jobs = core.state.jobs.size;
    const kept =
      journal === undefined ? "keeps nothing" : `journal "${journal}", ${jobs} ${jobs === 1 ? "job" : "jobs"}`;
    log({ level: "info", text: `scheduler started: epoch ${this.epoch}, ${kept}` });
  }

  get epoch(): number {
    return this.#core.state.epoch;
  }

  acceptWorker(connection: Connection<SchedulerToWorker, WorkerToScheduler>): void {
    this.#peers.accept("worker", connection);
  }

  acceptClient(connection: Connection<SchedulerToClient, ClientToScheduler>): void {
    this.#peers.accept("client", connection);
  }

  readonly holders: RelayWorkers = {
    holdersOf: (name) => {
      const value = valueNamed(this.#core.state, name);
      return Array.from(value?.holders ?? [], ({ link, name: worker }) => ({ link, worker }));
    },
    askForUpload: (link, ticket, { id, task }) => {
      if (!this.#core.state.workers.has(link) || !this.#peers.has(link)) return false;
      this.#say({ type: "to-worker", link, message: { type: "upload", ticket, id, task } });
      return true;
    },
  };

  health(): SchedulerHealth {
    const { rss, heapUsed } = process.memoryUsage();
    const journal = this.#keeping.health;
    return {
      status: this.#isStopping ? "stopping" : this.#isDiskFull ? "disk-full" : "ok",
      ...healthOf(this.#core.state),
      uptimeSeconds: Math.round(performance.now() - this.#startMs) / 1000,
      connections: this.#peers.counts(),
      ...(journal !== undefined && { journal }),
      memory: { rssBytes: rss, heapBytes: heapUsed },
    };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close());
  }

  async #close(): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#ticking);
    this.#snapshots.giveUp();
    this.#peers.stopListening();
    await this.#settled();
    if (!this.#hasFailed) await this.#snapshots.takeLast();
    await this.#peers.close("the scheduler stops");
    await this.#keeping.close();
  }

  /** When all that was written is durable and told, or never will be. */
  async #settled(): Promise<void> {
    const { durability } = this.#core.state;
    const isOver = (): boolean => this.#hasFailed || this.#isDiskFull || durability.durable === durability.written;
    while (!isOver()) await new Promise<void>((done) => (this.#whenSettled = done));
  }

  /** Records up to this one are on the disk. */
  durable(sequence: number): void {
    this.#step({ type: "durable", sequence });
    this.#listenAsRoomAllows();
    this.#takeSnapshot();
    this.#whenSettled?.();
  }

  statusChanged(status: string): void {
    this.#isDiskFull = status === "disk-full";
    if (this.#isDiskFull)
      this.#log({
        level: "error",
        text: "the disk of the journal is full: clients wait until there is room, nothing is lost",
      });
    else if (status === "open") this.#log({ level: "info", text: "the disk of the journal has room again" });
    if (this.#isDiskFull) this.#release(this.#snapshots.giveUp());
    this.#listenAsRoomAllows();
    this.#whenSettled?.();
  }

  /** Whoever is not listened to waits: clients at once when the disk is full, workers when too much waits for it. */
  #listenAsRoomAllows(): void {
    if (this.#isStopping) return;
    this.#peers.listen("client", !this.#isDiskFull);
    this.#peers.listen("worker", !this.#isDiskFull || this.#keeping.waitingBytes < WAITING_BYTES_GOOD);
  }

  #tick(): void {
    this.#peers.closeSilent(performance.now());
    if (this.#isDiskFull) this.#listenAsRoomAllows();
    if (this.#snapshots.isPreparing) this.#takeSnapshot();
    else this.#step({ type: "tick" });
  }

  /** Who comes to a large job is told piece by piece, as fast as other things leave time for it. */
  #tickSoon(): void {
    if (this.#core.state.telling.size === 0 || this.#isTickingSoon || this.#isStopping) return;
    this.#isTickingSoon = true;
    setImmediate(() => {
      this.#isTickingSoon = false;
      if (!this.#isStopping) this.#tick();
    });
  }

  /** An event of a connection. While a snapshot is prepared nothing new is written, so events wait. */
  #enter(event: SchedulerEvent): void {
    if (this.#isStopping || this.#snapshots.hold(event)) return;
    this.#step(event);
    if (this.#keeping.isSnapshotDue && this.#snapshots.prepare()) this.#takeSnapshot();
  }

  #takeSnapshot(): void {
    if (!this.#snapshots.isPreparing || this.#hasFailed) return;
    this.#release(this.#snapshots.tryToTake());
  }

  #release(held: readonly SchedulerEvent[]): void {
    for (const event of held) this.#step(event);
  }

  #step(event: SchedulerEvent): void {
    // Of a connection that the core has ended it hears nothing but that it is gone.
    if (this.#hasFailed || ("message" in event && !this.#peers.has(event.link))) return;
    if (event.type === "worker-closed" || event.type === "client-closed") this.#peers.forget(event.link);
    if (event.type === "worker-closed") this.#onWorkerGone(event.link);
    try {
      this.#carryOut(this.#core.step(event, performance.now()));
      this.#tickSoon();
    } catch (error) {
      this.fail(
        error instanceof PeError
          ? error
          : new PeError(
              "PE_UNEXPECTED",
              `Cannot go on after ${event.type}: ${asPeError(error, "PE_UNEXPECTED", "a bug").message}`,
              { cause: error },
            ),
      );
    }
  }

  #carryOut(effects: readonly SchedulerEffect[]): void {
    for (const effect of effects)
      switch (effect.type) {
        case "journal":
          this.#keeping.append(effect.record);
          break;
        case "to-worker":
        case "to-client":
          this.#say(effect);
          break;
        case "close-worker":
        case "close-client":
          this.#peers.end(effect.link, effect.reason);
          break;
        case "released":
          this.#onReleased(effect.id);
          break;
        case "alarm":
          this.#log({ level: "warn", text: `${effect.message} (${effect.code})` });
          break;
      }
  }

  #say(effect: Extract<SchedulerEffect, { readonly type: "to-worker" | "to-client" }>): void {
    try {
      this.#peers.say(effect.link, this.#withToken(effect.message));
    } catch (error) {
      if (!isProtocolError(error)) throw error;
      // A bug, of which this one connection should suffer.
      this.#log({ level: "error", text: error.message });
      this.#peers.end(effect.link, error.message);
    }
  }

  /** Whoever is told where a value is gets in there. */
  #withToken<Message extends SchedulerToWorker | SchedulerToClient>(message: Message): Message {
    if (message.type !== "located") return message;
    const token = this.#valueToken(message.id);
    return token === undefined ? message : { ...message, token };
  }

  /** Ends all that this scheduler does. What is durable stays so. */
  fail(error: PeError): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#isStopping = true;
    clearInterval(this.#ticking);
    this.#snapshots.giveUp();
    this.#peers.stopListening();
    this.#whenSettled?.();
    this.#onFatal(error);
  }
}

/** Notes the ids of jobs that were released since the last snapshot: perhaps nobody was told. */
function* notingReleased(records: Iterable<JournalRecord>, released: Set<string>): Iterable<JournalRecord> {
  const ids = new Map<number, string>();
  for (const record of records) {
    if (record.type === "opened") {
      ids.set(record.job, record.id);
      released.delete(record.id);
    } else if (record.type === "released") {
      const id = ids.get(record.job);
      ids.delete(record.job);
      if (id !== undefined) released.add(id);
    }
    yield record;
  }
}
