/**
 * The scheduler's real core with memory for a journal, connections in memory, and a worker that runs plain functions and
 * holds what is large: for tests of clients. It can lose connections, die with what was not durable, and forget its journal.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from "../../protocol/client-link.ts";
import type { Connection } from "../../protocol/connection.ts";
import { INLINE_BYTES_MAX, valueKey, type ValueName } from "../../protocol/held-values.ts";
import type { JournalRecord } from "../../protocol/journal-records.ts";
import { packOrLayOut, readValue } from "../../protocol/large-values.ts";
import { pair } from "../../protocol/memory.ts";
import { FetchFailed } from "../../protocol/transfer/fetch-failed.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { decodeValue } from "../../protocol/values.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";
import { createSchedulerCore, type SchedulerCore } from "../../scheduler/core/core.ts";
import type { SchedulerEffect, SchedulerEvent } from "../../scheduler/core/events.ts";
import { PeError } from "../../common/errors.ts";
import { decodeJobCommon } from "../../tasks/job-common.ts";
import type { FetchRequest } from "../../client/values/value-fetcher.ts";

export interface SmallContext {
  readonly common: unknown;
  readonly index: number;
  /** Counts from 1. */
  readonly attempt: number;
}
export type SmallKind = (parameters: unknown, context: SmallContext) => unknown;

export interface SmallOptions {
  readonly kinds: Readonly<Record<string, SmallKind>>;
  /** Messages pass through bytes. */
  readonly codec?: boolean;
  readonly slots?: number;
}

const TICK_MS = 100;
const NONE = new Uint8Array(0);

/** Of a task: a value has a place among its needs, the others come in the places that are left. */
interface Input {
  readonly place: number | undefined;
  readonly value?: unknown;
  /** The worker does not have it. */
  readonly missing?: ValueName;
}

function inOrder(inputs: readonly Input[]): unknown[] {
  const placed: unknown[] = Array.from({ length: inputs.length });
  const taken = new Set<number>();
  for (const { place, value } of inputs)
    if (place !== undefined) {
      placed[place] = value;
      taken.add(place);
    }
  let next = 0;
  for (const { place, value } of inputs) {
    if (place !== undefined) continue;
    while (taken.has(next)) next++;
    placed[next++] = value;
  }
  return placed;
}

export class SmallScheduler {
  readonly #options: SmallOptions;
  readonly #ticker: NodeJS.Timeout;
  readonly #clients = new Map<number, Connection<SchedulerToClient, ClientToScheduler>>();
  /** Tasks that ran, by kind and JSON of the parameters. */
  readonly runs: string[] = [];
  records: JournalRecord[] = [];
  #core: SchedulerCore | undefined;
  #link = 0;
  #workerLink = 0;
  #life = 0;
  #durable = 0;
  #isHeld = false;
  #nowMs = 0;
  readonly #jobs = new Map<number, Extract<SchedulerToWorker, { type: "job" }>>();
  readonly #inputs = new Map<string, Input[]>();
  /** Large results that the worker holds. */
  readonly values = new Map<string, SharedArrayBuffer>();
  /** Of those the report is not durable. */
  readonly #unstored = new Set<string>();
  /** Names of values that clients fetched. */
  readonly fetched: string[] = [];
  /** Of values whose fetching waits. */
  gate: Promise<void> | undefined;

  constructor(options: SmallOptions) {
    this.#options = options;
    this.start();
    this.#ticker = setInterval(() => this.pass(TICK_MS), TICK_MS);
  }

  get core(): SchedulerCore {
    return this.#core!;
  }

  /** What a client calls to connect. */
  readonly connect = async (): Promise<Connection<ClientToScheduler, SchedulerToClient>> => {
    await sleep(0);
    if (this.#core === undefined) throw new PeError("PE_CONNECTION", "Cannot connect: the scheduler is away");
    const [client, scheduler] = pair({
      link: { out: clientToScheduler, in: schedulerToClient },
      codec: this.#options.codec ?? true,
    });
    const link = ++this.#link;
    this.#clients.set(link, scheduler);
    scheduler.onMessages((messages) => {
      for (const message of messages) this.#step({ type: "client-said", link, message });
    });
    scheduler.onClose(() => {
      if (this.#clients.delete(link)) this.#step({ type: "client-closed", link });
    });
    return client;
  };

  /** What a client calls to fetch a value. */
  readonly fetchValue = async ({ name, bytes, sources, signal }: FetchRequest): Promise<SharedArrayBuffer> => {
    await this.gate;
    signal.throwIfAborted();
    this.fetched.push(`${name.id}/${name.task}`);
    const blob = this.values.get(valueKey(name));
    if (blob?.byteLength === bytes) return blob;
    throw new FetchFailed(
      name,
      sources.map(({ worker }) => worker),
      ["it has nothing"],
    );
  };

  get connections(): number {
    return this.#clients.size;
  }

  /** From now on tasks wait. */
  holdWork(): void {
    this.#isHeld = true;
    this.#loseWorker();
  }

  releaseWork(): void {
    this.#isHeld = false;
    this.#register();
  }

  breakConnections(): void {
    for (const connection of this.#clients.values()) connection.close("the network broke");
  }

  /** The worker dies, and what it held with it; another takes its place. */
  replaceWorker(): void {
    this.values.clear();
    this.#loseWorker();
    if (!this.#isHeld) this.#register();
  }

  /** Dies with what is not durable yet. */
  kill(): void {
    this.records.length = this.#durable;
    this.#core = undefined;
    this.#life++;
    this.#workerLink = ++this.#link;
    for (const key of this.#unstored) this.values.delete(key);
    this.#unstored.clear();
    for (const connection of this.#clients.values()) connection.close("killed");
    this.#clients.clear();
  }

  forgetJournal(): void {
    this.records = [];
    this.#durable = 0;
  }

  start(): void {
    if (this.#core !== undefined) return;
    const recovered = { records: this.records, sequence: this.records.length };
    const { core, effects } = createSchedulerCore(recovered, this.#nowMs);
    this.#core = core;
    this.#carryOut(effects);
    if (!this.#isHeld) this.#register();
  }

  /** Time passes in the core. */
  pass(ms: number): void {
    this.#nowMs += ms;
    if (this.#isHeld) return this.#step({ type: "tick" });
    const none = new Uint32Array(0);
    this.#say({ type: "heartbeat", jobs: none, tasks: none, attempts: none, paused: false, rssBytes: 0 });
    this.#step({ type: "tick" });
  }

  close(): void {
    clearInterval(this.#ticker);
    this.kill();
  }

  /** What it has begun is told by nobody. */
  #loseWorker(): void {
    const link = this.#workerLink;
    this.#workerLink = ++this.#link;
    this.#step({ type: "worker-closed", link });
  }

  /** A worker that comes back says what it holds. */
  #register(): void {
    this.#jobs.clear();
    this.#workerLink = ++this.#link;
    this.#say({
      type: "register",
      protocol: PROTOCOL_VERSION,
      software: "small",
      name: "small",
      instance: `${this.#life}-${Math.random()}`,
      slots: this.#options.slots ?? 64,
      kinds: Object.keys(this.#options.kinds).map((name) => ({ name, version: "1" })),
      resources: [],
      holds: this.values.size > 0,
    });
    if (this.values.size === 0) return;
    for (const [key, blob] of this.values) {
      const [task, id] = [Number.parseInt(key, 10), key.slice(key.indexOf("/") + 1)];
      this.#say({ type: "holds", id, tasks: Uint32Array.of(task), sizes: Uint32Array.of(blob.byteLength) });
    }
    const none = new Uint32Array(0);
    this.#say({ type: "held", job: 0, id: "", tasks: none, epochs: none, attempts: none, last: true });
  }

  #say(message: WorkerToScheduler): void {
    this.#step({ type: "worker-said", link: this.#workerLink, message });
  }

  #step(event: SchedulerEvent): void {
    if (this.#core === undefined) return;
    this.#carryOut(this.#core.step(event, this.#nowMs));
  }

  #carryOut(effects: readonly SchedulerEffect[]): void {
    for (const effect of effects)
      if (effect.type === "journal") this.#journal(effect.record);
      else if (effect.type === "to-client") this.#clients.get(effect.link)?.send(effect.message);
      else if (effect.type === "close-client") this.#clients.get(effect.link)?.close(effect.reason);
      else if (effect.type === "to-worker") this.#workerHears(effect.message);
  }

  #journal(record: JournalRecord): void {
    this.records.push(record);
    const life = this.#life;
    const sequence = this.records.length;
    setImmediate(() => {
      if (life !== this.#life || sequence <= this.#durable) return;
      this.#durable = this.records.length;
      this.#step({ type: "durable", sequence: this.#durable });
    });
  }

  #workerHears(message: SchedulerToWorker): void {
    if (message.type === "job") this.#jobs.set(message.job, message);
    if (message.type === "inputs") this.#keepInputs(message);
    if (message.type === "values") this.#keepValues(message);
    if (message.type === "stored")
      for (const task of message.tasks)
        this.#unstored.delete(valueKey({ id: this.#jobs.get(message.job)?.id ?? "", task }));
    if (message.type === "free")
      for (const task of message.tasks) this.values.delete(valueKey({ id: message.id, task }));
    if (message.type !== "assign") return;
    const { job, tasks, attempts, ends, parameters } = message;
    for (const [place, task] of tasks.entries()) {
      const own = parameters.slice(place === 0 ? 0 : ends[place - 1], ends[place]);
      void this.#runTask(this.#jobs.get(job)!, task, attempts[place]!, own);
    }
  }

  #keepInputs(message: Extract<SchedulerToWorker, { type: "inputs" }>): void {
    const { job, tasks, attempts, counts, ends, values } = message;
    let first = 0;
    for (const [place, task] of tasks.entries()) {
      const name = `${this.#workerLink}/${job}/${task}/${attempts[place]}`;
      const inputs = this.#inputs.get(name) ?? [];
      for (const stop = first + counts[place]!; first < stop; first++)
        inputs.push({
          place: undefined,
          value: decodeValue(values.slice(first === 0 ? 0 : ends[first - 1], ends[first])),
        });
      this.#inputs.set(name, inputs);
    }
  }

  #keepValues({ job, task, attempt, places, values }: Extract<SchedulerToWorker, { type: "values" }>): void {
    const name = `${this.#workerLink}/${job}/${task}/${attempt}`;
    const inputs = this.#inputs.get(name) ?? [];
    for (const [at, value] of values.entries()) {
      const blob = this.values.get(valueKey(value));
      inputs.push(
        blob === undefined ? { place: places[at]!, missing: value } : { place: places[at]!, value: readValue(blob) },
      );
    }
    this.#inputs.set(name, inputs);
  }

  async #runTask(
    { job, id, kind, common }: Extract<SchedulerToWorker, { type: "job" }>,
    task: number,
    attempt: number,
    bytes: Uint8Array,
  ): Promise<void> {
    const worker = this.#workerLink;
    const name = `${worker}/${job}/${task}/${attempt}`;
    const { epoch } = this.core.state;
    const hand = { job, tasks: Uint32Array.of(task), epochs: Uint32Array.of(epoch), attempts: Uint32Array.of(attempt) };
    const report = (message: WorkerToScheduler): void => {
      if (worker === this.#workerLink) this.#say(message);
    };
    await new Promise(setImmediate);
    const missing = this.#inputs.get(name)?.find((input) => "missing" in input);
    if (missing?.missing !== undefined) {
      const { id: of, task: value } = missing.missing;
      this.#inputs.delete(name);
      return report({ type: "starved", job, task, epoch, attempt, id: of, value, gone: ["small"] });
    }
    try {
      const parameters = bytes.byteLength === 0 ? undefined : decodeValue(bytes, inOrder(this.#inputs.get(name) ?? []));
      const shown = JSON.stringify(parameters, (_, item: unknown) => (ArrayBuffer.isView(item) ? "array" : item));
      this.runs.push(`${kind} ${shown}`);
      const context = { common: decodeJobCommon(common).common, index: task, attempt };
      const packed = packOrLayOut(await this.#options.kinds[kind]!(parameters, context), INLINE_BYTES_MAX);
      const results = packed instanceof Uint8Array ? packed.slice() : NONE;
      const sizes = packed instanceof Uint8Array ? {} : { sizes: Uint32Array.of(packed.bytes) };
      if (!(packed instanceof Uint8Array) && worker === this.#workerLink) {
        const blob = new SharedArrayBuffer(packed.bytes);
        packed.writeInto(new Uint8Array(blob));
        this.values.set(valueKey({ id, task }), blob);
        this.#unstored.add(valueKey({ id, task }));
      }
      const ends = Uint32Array.of(results.byteLength);
      report({ type: "done", ...hand, took: Uint32Array.of(100), ends, results, ...sizes });
    } catch (error) {
      const { message, stack = "" } = error as Error;
      const code = error instanceof PeError ? error.code : "PE_TASK_FAILED";
      const flags = { died: code === "PE_THREAD_DIED", blameless: false, endsJob: false };
      report({ type: "failed", job, task, epoch, attempt, code, message, stack, ...flags });
    } finally {
      this.#inputs.delete(name);
    }
  }
}
