/**
 * The shell of the worker's core: turns the connection, the threads and the clock into events, and carries out what the
 * core answers. It knows nothing of processes: `main.ts` and a cluster within one process start it.
 */
import { randomUUID } from "node:crypto";
import { totalmem } from "node:os";
import { assert } from "../common/assert.ts";
import type { LogLine } from "../common/log.ts";
import { packageVersion } from "../common/version.ts";
import type { PartAccess } from "../data/part-store.ts";
import type { ValueName } from "../protocol/held-values.ts";
import { FetchFailed } from "../protocol/transfer/fetch-failed.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { LastDeath } from "../protocol/worker-link.ts";
import { Reconnecting, type SchedulerConnection } from "./connecting.ts";
import { createWorkerCore, type WorkerCore } from "./core/core.ts";
import type { FrameTask, TaskDone, TaskInput, WorkerEffect, WorkerEvent } from "./core/events.ts";
import { inputBounds } from "./inputs/pool-inputs.ts";
import { LineInputs } from "./inputs/line-inputs.ts";
import { watchMemory } from "./memory-watch.ts";
import type { KindVersion } from "../tasks/registry.ts";
import type { Ended } from "./threads/frame-run.ts";
import type { TaskToRun } from "./threads/frame.ts";
import type { Lane } from "./threads/lane.ts";
import { createWorkerPool, type WorkerPool } from "./threads/pool.ts";
import { ValueStore } from "./values/store.ts";
import { WorkerValues, type ValueWays } from "./values/worker-values.ts";

/** Half of the scheduler's heartbeat: a time limit is noticed within it. */
const TICK_MS = 250;
/** Running tasks may end within this time when the memory is full; then their threads are ended. */
const MEMORY_GRACE_MS = 3000;
/** Above the limit by this much there is no time for that. */
const MEMORY_EXCESS = 1.2;
/** A worker that leaves waits so long for a scheduler that takes its last reports. */
const FAREWELL_MS = 60_000;
/** Of the memory limit, what the values of all threads may take: the rest is buffers and the program. */
const HEAP_SHARE = 0.75;
/** Of the memory limit, or of the machine's memory, what results that stay here may take before they go to the disk. */
const VALUES_SHARE = 0.4;

export interface WorkerOptions {
  /** One name, one worker; the same after a restart. */
  readonly name: string;
  readonly threads: number;
  /** Called again after each loss. */
  connect(signal: AbortSignal): Promise<SchedulerConnection>;
  /** Folders of kinds. */
  readonly kinds: readonly string[];
  readonly resources?: readonly { readonly name: string; readonly amount: number }[];
  /** Of this process; a new one by default. */
  readonly instance?: string;
  /** Of the process before this one, for the errors of the tasks that it held. */
  readonly lastDeath?: LastDeath | undefined;
  /** Of the scheduler's own store of parts. */
  readonly partAccess?: PartAccess;
  /** No more work from 80 % of it on; at the limit the worker gives back what it has and ends. */
  readonly memoryLimitBytes?: number;
  readonly contentCacheBytesMax?: number;
  /** Inputs stay for jobs that come, as far as there is room; true by default. */
  readonly keepsInputs?: boolean;
  /** Folder for temporary files of tasks. */
  readonly scratch?: string;
  /** How values come from other workers, and go to them; absent: not at all. */
  readonly openWays?: (store: ValueStore) => Promise<ValueWays>;
  /** Of values in memory; a share of the memory limit, or of the machine's memory, by default. */
  readonly valueBytesMax?: number;
  readonly log?: (line: LogLine) => void;
}

/** Why a worker ended. */
export type WorkerEnd =
  /** It was asked to, and everything it had was stored or given back. */
  | { readonly type: "left" }
  /** The scheduler does not want it, or cannot be spoken to. */
  | { readonly type: "refused"; readonly code: string; readonly message: string }
  /** It took more memory than it may: another process should take its place. */
  | { readonly type: "memory"; readonly message: string }
  | { readonly type: "closed" };

/** For people and tests. */
export interface WorkerStatus {
  readonly name: string;
  readonly connected: boolean;
  readonly threads: number;
  /** Threads with a frame of tasks. */
  readonly busy: number;
  /** Tasks that wait for a thread. */
  readonly waiting: number;
  /** Tasks in threads, waiting, or with a report that is not stored. */
  readonly held: number;
  readonly paused: boolean;
  readonly leaving: boolean;
  readonly rssBytes: number;
}

export interface Worker {
  readonly ended: Promise<WorkerEnd>;
  /** Takes no more work, gives back what has not begun, and ends when the rest is stored. */
  drain(): void;
  /** Leaves with what is stored; also what runs is given back, for others to run. */
  handBack(): void;
  /** The memory of a value that it holds; undefined when it does not. */
  heldValue(name: ValueName): Promise<SharedArrayBuffer | undefined>;
  /** Ends at once; what runs is lost. */
  close(): Promise<void>;
  status(): WorkerStatus;
}

/**
 * Starts a worker. It connects by itself, as often as it takes.
 *
 * @throws {PeError} `PE_KIND` naming the file of a kind that cannot be used.
 * @example
 * const worker = await startWorker({ name: "a", threads: 2, kinds: [], connect: async () => connection });
 * await worker.ended;
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { threads, kinds, partAccess, contentCacheBytesMax, keepsInputs, memoryLimitBytes, scratch } = options;
  const pool = createWorkerPool({
    threads,
    kinds,
    ...(partAccess !== undefined && { partAccess }),
    ...(memoryLimitBytes !== undefined && {
      heapBytesMax: (memoryLimitBytes * HEAP_SHARE) / threads,
      ...inputBounds(memoryLimitBytes, threads),
    }),
    ...(contentCacheBytesMax !== undefined && { contentCacheBytesMax }),
    ...(keepsInputs !== undefined && { keepsInputs }),
    ...(scratch !== undefined && { scratch }),
  });
  const store = new ValueStore({ parent: scratch, onLetGo: (bytes) => pool.letGo(bytes) });
  let ways: ValueWays | undefined;
  try {
    const kindVersions = await pool.listKinds();
    ways = (await options.openWays?.(store)) ?? NO_WAYS;
    return new RunningWorker(options, pool, kindVersions, store, ways);
  } catch (error) {
    await pool.destroy();
    await ways?.close();
    throw error;
  }
}

/** Of a worker that has no others. */
const NO_WAYS: ValueWays = {
  fetch: async (name) => await Promise.reject(new FetchFailed(name, [], ["this worker knows no other one"])),
  upload: async () => await Promise.resolve(),
  close: async () => await Promise.resolve(),
};

class RunningWorker implements Worker {
  readonly ended: Promise<WorkerEnd>;
  #resolveEnded!: (end: WorkerEnd) => void;
  readonly #options: WorkerOptions;
  readonly #pool: WorkerPool;
  readonly #core: WorkerCore;
  readonly #store: ValueStore;
  readonly #values: WorkerValues;
  /** Results of the tasks that the core hears of now. */
  readonly #made = new Map<TaskDone, SharedArrayBuffer>();
  readonly #lineInputs: LineInputs;
  readonly #connection: Reconnecting;
  /** By slot. */
  readonly #lanes: readonly Lane[];
  readonly #ticking: NodeJS.Timeout;
  readonly #unwatch: () => void;
  #farewell: NodeJS.Timeout | undefined;
  /** Why it ends when it has given back everything. */
  #lastEnd: WorkerEnd = { type: "left" };
  #closing: Promise<void> | undefined;

  constructor(
    options: WorkerOptions,
    pool: WorkerPool,
    kinds: readonly KindVersion[],
    store: ValueStore,
    ways: ValueWays,
  ) {
    const { name, threads, resources = [], memoryLimitBytes, instance = randomUUID(), lastDeath } = options;
    this.#options = options;
    this.#pool = pool;
    this.#store = store;
    this.#values = new WorkerValues(
      store,
      ways,
      (event) => this.#step(event),
      (line) => options.log?.(line),
    );
    this.ended = new Promise((resolve) => (this.#resolveEnded = resolve));
    this.#lanes = Array.from({ length: threads }, (_, slot) =>
      pool.openLane({
        onEnded: (ended) => this.#onEnded(slot, ended),
        onUp: () => this.#step({ type: "thread-up", slot }),
        onDied: (reason) => this.#step({ type: "thread-died", slot, reason }),
      }),
    );
    this.#lineInputs = new LineInputs(pool);
    this.#core = createWorkerCore({
      protocol: PROTOCOL_VERSION,
      software: `pe-cluster ${packageVersion()}`,
      name,
      instance,
      slots: threads,
      kinds,
      resources,
      valueBytesMax: options.valueBytesMax ?? Math.floor((memoryLimitBytes ?? totalmem()) * VALUES_SHARE),
      ...(ways.serving !== undefined && { serving: ways.serving }),
      ...(lastDeath !== undefined && { lastDeath }),
    });
    this.#ticking = setInterval(() => this.#step({ type: "tick" }), TICK_MS);
    this.#connection = new Reconnecting({
      connect: async (signal) => await options.connect(signal),
      onConnected: () => this.#step({ type: "connected" }),
      onMessages: (messages, { remote }) => {
        for (const message of messages) {
          if (message.type === "welcome") this.#onWelcome(remote);
          this.#step({ type: "said", message });
        }
        this.#lineInputs.look(this.#core.state);
      },
      onDisconnected: () => this.#step({ type: "disconnected" }),
      onHopeless: ({ code, message }) => void this.#end({ type: "refused", code, message }),
      log: (line) => options.log?.(line),
    });
    this.#unwatch =
      memoryLimitBytes === undefined
        ? () => undefined
        : watchMemory({
            limitBytes: memoryLimitBytes,
            onMemory: (rssBytes, paused) => this.#onMemory(rssBytes, paused, memoryLimitBytes),
            onExceeded: (rssBytes) => this.#onMemoryExceeded(rssBytes, memoryLimitBytes),
          });
  }

  status(): WorkerStatus {
    const { connected, slots, line, hands, paused, leaving, rssBytes } = this.#core.state;
    return {
      name: this.#options.name,
      connected,
      threads: slots.length,
      busy: slots.filter(({ frame }) => frame.length > 0).length,
      waiting: line.length,
      held: hands.size,
      paused,
      leaving,
      rssBytes,
    };
  }

  async heldValue(name: ValueName): Promise<SharedArrayBuffer | undefined> {
    await this.#store.load(name);
    return this.#store.share(name);
  }

  drain(): void {
    this.#leave("drain");
  }

  handBack(): void {
    this.#leave("hand-back");
  }

  #leave(type: "drain" | "hand-back"): void {
    if (this.#closing !== undefined) return;
    this.#farewell ??= setTimeout(() => this.#leaveUnheard(), FAREWELL_MS);
    this.#step({ type });
  }

  async close(): Promise<void> {
    await this.#end({ type: "closed" });
  }

  /** A scheduler that is gone would keep a leaving worker for ever; whoever runs the tasks again loses only time. */
  #leaveUnheard(): void {
    const { connected, hands } = this.#core.state;
    const isBusy = [...hands.values()].some(({ state }) => state.name === "frame" || state.name === "storing");
    if (!connected && !isBusy) return void this.#end(this.#lastEnd);
    this.#farewell = setTimeout(() => this.#leaveUnheard(), FAREWELL_MS);
  }

  #step(event: WorkerEvent): void {
    if (this.#closing !== undefined) return;
    for (const effect of this.#core.step(event, performance.now())) this.#carryOut(effect);
  }

  #onWelcome(remote: string): void {
    this.#connection.accepted();
    this.#log("info", `connected to the scheduler at ${remote} as ${this.#options.name}`);
  }

  #carryOut(effect: WorkerEffect): void {
    switch (effect.type) {
      case "send":
        return this.#connection.send(effect.message);
      case "run": {
        const { slot, tasks, ...frame } = effect;
        return this.#lanes[slot]!.run({ ...frame, tasks: this.#withValues(tasks) });
      }
      case "hold-value":
        return this.#hold(effect.name, effect.done);
      case "fetch-value":
      case "spill-value":
      case "free-value":
      case "upload-value":
        return this.#values.carryOut(effect);
      case "kill":
        return this.#lanes[effect.slot]!.kill(effect.reason);
      case "disconnect":
        return this.#connection.drop(effect.reason);
      case "left":
        return void this.#end(this.#lastEnd);
      case "refused":
        return void this.#end({ type: "refused", code: effect.code, message: effect.message });
    }
  }

  /** Results that stay here: the core knows their size, and says which of them are wanted. */
  #onEnded(slot: number, { done, ...ended }: Ended): void {
    if (done.every(({ value }) => value === undefined)) return this.#step({ type: "ended", slot, ...ended, done });
    const told = done.map(({ value, ...one }): TaskDone => {
      if (value !== undefined) this.#made.set(one, value);
      return one;
    });
    this.#step({ type: "ended", slot, ...ended, done: told });
    for (const { byteLength } of this.#made.values()) this.#pool.letGo(byteLength);
    this.#made.clear();
  }

  #hold(name: ValueName, done: TaskDone): void {
    this.#values.put(name, this.#made.get(done)!);
    this.#made.delete(done);
  }

  /** The core lets a task begin when its values are in memory. */
  #withValues(tasks: readonly FrameTask[]): readonly TaskToRun[] {
    return tasks.map((task) =>
      task.inputs.length === 0
        ? (task as TaskToRun)
        : { ...task, inputs: task.inputs.map((input) => this.#memoryOf(input)) },
    );
  }

  #memoryOf(input: TaskInput): Uint8Array | SharedArrayBuffer {
    if (input instanceof Uint8Array) return input;
    const memory = this.#values.share(input);
    assert(memory !== undefined, () => `the value of task ${input.task} of "${input.id}" is not in memory`);
    return memory;
  }

  #onMemory(rssBytes: number, paused: boolean, limitBytes: number): void {
    if (paused !== this.#core.state.paused)
      this.#log(
        paused ? "warn" : "info",
        `${paused ? "takes no more work" : "takes work again"}: ${sizes(rssBytes, limitBytes)}`,
      );
    this.#step({ type: "memory", rssBytes, paused });
    // Values that went to the disk are given back by a collection alone.
    if (paused) this.#pool.collect();
    if (rssBytes > limitBytes * MEMORY_EXCESS) this.#endThreads(rssBytes, limitBytes);
  }

  #onMemoryExceeded(rssBytes: number, limitBytes: number): void {
    const message = `its memory is full: ${sizes(rssBytes, limitBytes)}`;
    this.#log("error", `${message}; it gives back its tasks and starts anew`);
    this.#lastEnd = { type: "memory", message };
    this.drain();
    setTimeout(() => this.#endThreads(rssBytes, limitBytes), MEMORY_GRACE_MS).unref();
  }

  /** What runs is to blame for the memory, as far as one can tell. */
  #endThreads(rssBytes: number, limitBytes: number): void {
    if (this.#closing !== undefined) return;
    for (const lane of this.#lanes)
      if (lane.isBusy) lane.kill(`the worker's memory is full: ${sizes(rssBytes, limitBytes)}`);
  }

  async #end(end: WorkerEnd): Promise<void> {
    this.#closing ??= this.#close(end);
    await this.#closing;
  }

  async #close(end: WorkerEnd): Promise<void> {
    clearInterval(this.#ticking);
    clearTimeout(this.#farewell);
    this.#unwatch();
    this.#connection.end(end.type === "refused" ? end.message : `the worker ends: ${end.type}`);
    for (const lane of this.#lanes) if (lane.isBusy) lane.kill("the worker ends");
    await this.#pool.destroy();
    await this.#values.close();
    this.#resolveEnded(end);
  }

  #log(level: LogLine["level"], text: string): void {
    this.#options.log?.({ level, text });
  }
}

function sizes(rssBytes: number, limitBytes: number): string {
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  return `${mebibytes(rssBytes)} of ${mebibytes(limitBytes)} in use`;
}
