/**
 * Carries out what the worker's core says of values: keeps their memory, fetches those of others, moves what is too much to the
 * disk, and sends what the scheduler asks for. What it tells is told as events of the core.
 */
import { Line } from "../../common/line.ts";
import { asPeError } from "../../common/errors.ts";
import type { LogLine } from "../../common/log.ts";
import { valueKey, type ServingAt, type ValueName, type ValueSource } from "../../protocol/held-values.ts";
import { FetchFailed } from "../../protocol/transfer/fetch-failed.ts";
import type { ServedValue } from "../../protocol/transfer/served-value.ts";
import type { WorkerEffect, WorkerEvent } from "../core/events.ts";
import type { ValueStore } from "./store.ts";

/** How a worker reaches the values of others, and others its own. */
export interface ValueWays {
  /** Where it serves its own; absent: nowhere. */
  readonly serving?: ServingAt | undefined;
  /** @throws {FetchFailed} naming the workers that do not have it. */
  fetch(
    name: ValueName,
    bytes: number,
    sources: readonly ValueSource[],
    signal: AbortSignal,
  ): Promise<SharedArrayBuffer>;
  /** Sends a value to the scheduler under a ticket; undefined says that it is not here. */
  upload(ticket: string, value: ServedValue | undefined): Promise<void>;
  close(): Promise<void>;
}

export type ValueEffect = Extract<
  WorkerEffect,
  { type: "fetch-value" | "spill-value" | "free-value" | "upload-value" }
>;
export type ValueEvent = Extract<
  WorkerEvent,
  { type: "value-here" | "value-missing" | "value-spilled" | "value-not-spilled" }
>;

/** Fetched at a time: more would only share the line. */
const FETCHES_MAX = 8;
/** A disk that took no value, being full, is left alone for so long, and twice as long each time after that. */
const DISK_REST_MS = 1000;
const DISK_REST_MS_MAX = 10_000;

export class WorkerValues {
  readonly #store: ValueStore;
  readonly #ways: ValueWays;
  readonly #tell: (event: ValueEvent) => void;
  readonly #log: (line: LogLine) => void;
  /** By `valueKey`. */
  readonly #fetching = new Map<string, AbortController>();
  readonly #line = new Line({ atOnceMax: FETCHES_MAX });
  #diskRestMs = DISK_REST_MS;
  #diskRestsUntilMs = -Infinity;

  constructor(
    store: ValueStore,
    ways: ValueWays,
    tell: (event: ValueEvent) => void,
    log: (line: LogLine) => void = () => undefined,
  ) {
    this.#store = store;
    this.#ways = ways;
    this.#tell = tell;
    this.#log = log;
  }

  /** A task computed it. */
  put(name: ValueName, blob: SharedArrayBuffer): void {
    this.#store.put(name, blob);
  }

  /** Of a value that the core says is in memory. */
  share(name: ValueName): SharedArrayBuffer | undefined {
    return this.#store.share(name);
  }

  carryOut(effect: ValueEffect): void {
    const { name } = effect;
    switch (effect.type) {
      case "fetch-value":
        return void this.#fetch(name, effect.bytes, effect.sources);
      case "spill-value":
        return void this.#spill(name);
      case "free-value":
        this.#fetching.get(valueKey(name))?.abort();
        this.#fetching.delete(valueKey(name));
        return this.#store.drop(name);
      case "upload-value":
        return void this.#upload(effect.ticket, name);
    }
  }

  async close(): Promise<void> {
    for (const fetching of this.#fetching.values()) fetching.abort();
    this.#fetching.clear();
    await this.#ways.close();
    await this.#store.close();
  }

  async #fetch(name: ValueName, bytes: number, sources: readonly ValueSource[]): Promise<void> {
    const key = valueKey(name);
    const fetching = new AbortController();
    this.#fetching.set(key, fetching);
    let event: ValueEvent;
    try {
      if (sources.length === 0) await this.#store.load(name);
      else {
        const { signal } = fetching;
        const blob = await this.#line.through(async () => await this.#ways.fetch(name, bytes, sources, signal), signal);
        signal.throwIfAborted();
        this.#store.put(name, blob);
      }
      event = this.#store.share(name) === undefined ? missing(name) : { type: "value-here", name };
    } catch (error) {
      event = missing(name, error instanceof FetchFailed ? error.gone : []);
      if (!fetching.signal.aborted) this.#complain(error, name, "get");
    }
    // Freed meanwhile, and perhaps wanted once more.
    if (this.#fetching.get(key) !== fetching) return;
    this.#fetching.delete(key);
    if (event.type === "value-missing") this.#store.drop(name);
    this.#tell(event);
  }

  async #spill(name: ValueName): Promise<void> {
    const isSpilled = await this.#isSpilled(name);
    this.#tell({ type: isSpilled ? "value-spilled" : "value-not-spilled", name });
  }

  async #isSpilled(name: ValueName): Promise<boolean> {
    if (this.#isDiskResting && !this.#store.isOnDisk(name)) return false;
    try {
      await this.#store.spill(name);
      this.#diskRestMs = DISK_REST_MS;
      return true;
    } catch (error) {
      // Several are written at a time: the first that fails speaks for all.
      if (this.#isDiskResting) return false;
      this.#complain(error, name, "move to the disk");
      this.#diskRestsUntilMs = performance.now() + this.#diskRestMs;
      this.#diskRestMs = Math.min(this.#diskRestMs * 2, DISK_REST_MS_MAX);
      return false;
    }
  }

  get #isDiskResting(): boolean {
    return performance.now() < this.#diskRestsUntilMs;
  }

  async #upload(ticket: string, name: ValueName): Promise<void> {
    let value: ServedValue | undefined;
    try {
      value = await this.#store.open(name);
    } catch (error) {
      this.#complain(error, name, "read");
    }
    try {
      await this.#ways.upload(ticket, value);
    } catch (error) {
      this.#complain(error, name, "send");
    }
  }

  #complain(error: unknown, { id, task }: ValueName, what: string): void {
    const intent = `Cannot ${what} the result of task ${task} of job "${id}"`;
    const { message } = asPeError(error, "PE_UNEXPECTED", intent);
    this.#log({ level: "warn", text: message.startsWith("Cannot") ? message : `${intent}: ${message}` });
  }
}

function missing(name: ValueName, gone: readonly string[] = []): ValueEvent {
  return { type: "value-missing", name, gone };
}
