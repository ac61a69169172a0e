/** The pool of threads that compute; the one file with piscina. The main thread only hands over, listens and stores. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { Piscina } from "piscina";
import { assert } from "../common/assert.ts";
import { PeError } from "../common/errors.ts";
import type { PartAccess, PartStore } from "../data/part-store.ts";
import { openPartStore } from "../data/part-store.ts";
import type { KindVersion } from "../tasks/registry.ts";
import { Board, BOARD_TASKS_MAX } from "./board.ts";
import { ContentExchange } from "./content-exchange.ts";
import type { TaskDone, TaskFailed } from "./core/events.ts";
import { FrameRun } from "./frame-run.ts";
import { joinPieces, type DeliveredFrame, type Frame, type ThreadData } from "./frame.ts";

/** Inputs kept for threads that share them; the least recently used go first. */
const CONTENT_CACHE_BYTES_MAX = 256 * 2 ** 20;

/** A thread that never had the port cannot end it. */
const LAST_WORDS_MS = 1000;

/** A quick task's end that no message told is seen after so long, when the thread is busy with a longer one. */
const LOOK_EVERY_MS = 20;

/** A thread that dies before it begins a task is nobody's fault, once. */
const STARTS_MAX = 2;

export interface PoolOptions {
  readonly threads: number;
  /** Folders of kinds. */
  readonly kinds?: readonly string[];
  /** Of the scheduler's own store of parts. */
  readonly partAccess?: PartAccess;
  readonly contentCacheBytesMax?: number;
  /** Memory of one thread's values; a thread that needs more ends with its task. */
  readonly heapBytesMax?: number;
  /** Folder for temporary files: what `os.tmpdir()` says in the threads. */
  readonly scratch?: string;
}

/** Tasks that ended, in the order of their frame unless a part took long to store. */
export interface Ended {
  readonly done: readonly TaskDone[];
  readonly failed: readonly TaskFailed[];
}

/** How a frame ended: each task was told, or its thread died under the first one that was not. */
export type FrameEnd = { readonly type: "ended" } | { readonly type: "died"; readonly reason: string };

export interface WorkerPool {
  readonly threads: number;
  /**
   * What its threads can run. Asked once; a kind whose file changes later is refused.
   *
   * @throws {PeError} `PE_KIND` naming the file that cannot be used.
   */
  listKinds(): Promise<readonly KindVersion[]>;
  /**
   * Runs the tasks of a frame in one thread, in order. `onEnded` is called with those that ended, each once, and never
   * before their parts are durable; all calls come before the promise resolves. No more frames at a time than threads
   * begin; more wait.
   *
   * @param signal Ends the thread at once.
   */
  run(frame: Frame, onEnded: (ended: Ended) => void, signal?: AbortSignal): Promise<FrameEnd>;
  /** Lets running frames finish, then ends the threads. */
  close(): Promise<void>;
  /** Ends the threads at once. */
  destroy(): Promise<void>;
}

export function createWorkerPool(options: PoolOptions): WorkerPool {
  const pool = new Pool(options);
  return {
    threads: options.threads,
    listKinds: async () => await pool.listKinds(),
    run: async (frame, onEnded, signal) => await pool.run(frame, onEnded, signal),
    close: async () => await pool.close(),
    destroy: async () => await pool.destroy(),
  };
}

class Pool {
  readonly #piscina: Piscina;
  readonly #exchange: ContentExchange;
  readonly #partAccess: PartAccess;
  #kinds: Promise<ReadonlyMap<string, KindVersion>> | undefined;
  /** What jobs share, in memory that threads share, by the bytes as they came. */
  readonly #commons = new WeakMap<Uint8Array, DeliveredFrame["common"]>();
  #commonCount = 0;
  /** Boards that no thread uses. */
  readonly #boards: Board[] = [];
  readonly #running = new Set<FrameRun>();
  #looking: NodeJS.Timeout | undefined;
  /** By URL. */
  readonly #stores = new Map<string, PartStore>();

  constructor({ threads, kinds = [], partAccess = {}, contentCacheBytesMax, heapBytesMax, scratch }: PoolOptions) {
    this.#piscina = new Piscina({
      filename: new URL("./thread.js", import.meta.url).href,
      name: "runFrame",
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Infinity,
      workerData: { kinds, partAccess } satisfies ThreadData,
      ...(scratch !== undefined && { env: { ...process.env, TMPDIR: scratch } }),
      ...(heapBytesMax !== undefined && {
        resourceLimits: { maxOldGenerationSizeMb: Math.max(16, Math.floor(heapBytesMax / 2 ** 20)) },
      }),
    });
    this.#exchange = new ContentExchange(contentCacheBytesMax ?? CONTENT_CACHE_BYTES_MAX);
    this.#partAccess = partAccess;
  }

  async listKinds(): Promise<readonly KindVersion[]> {
    return [...(await this.#known()).values()];
  }

  /** Kinds are loaded in a thread: code of users does not run on the main one. */
  async #known(): Promise<ReadonlyMap<string, KindVersion>> {
    this.#kinds ??= this.#piscina.run(undefined, { name: "listKinds" }).then(
      (kinds: readonly KindVersion[]) => new Map(kinds.map((kind) => [kind.name, kind])),
      (error: unknown) => {
        // The class of an error is lost on its way from a thread, its text is not.
        throw new PeError("PE_KIND", error instanceof Error ? error.message : String(error), { cause: error });
      },
    );
    return await this.#kinds;
  }

  async run(frame: Frame, onEnded: (ended: Ended) => void, signal?: AbortSignal): Promise<FrameEnd> {
    assert(frame.tasks.length <= BOARD_TASKS_MAX, () => `a frame of ${frame.tasks.length} tasks`);
    const version = (await this.#known()).get(frame.kind)?.version;
    for (let start = 1; ; start++) {
      const run = new FrameRun(
        frame,
        this.#boards.pop() ?? new Board(),
        this.#exchange,
        (url) => this.#store(url),
        onEnded,
      );
      const end = await this.#runOnce(run, version, signal);
      const isNobodysFault = end.type === "died" && run.board.begun === 0 && signal?.aborted !== true;
      if (!isNobodysFault || start === STARTS_MAX) return end;
    }
  }

  async #runOnce(run: FrameRun, version: string | undefined, signal: AbortSignal | undefined): Promise<FrameEnd> {
    const { port1: near, port2: far } = new MessageChannel();
    const ended = once(near, "close");
    run.listen(near);
    this.#watch(run);
    let end: FrameEnd = { type: "ended" };
    try {
      const delivered = this.#deliver(run, version, far);
      await this.#piscina.run(delivered, { transferList: [far], ...(signal !== undefined && { signal }) });
    } catch (error) {
      // What the thread said before it died is still in the port, and the port's end comes after it.
      await Promise.race([ended, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
      end = { type: "died", reason: reasonOf(error, signal) };
    }
    run.look();
    this.#unwatch(run);
    this.#exchange.forget(near);
    near.close();
    await run.stored();
    // On the board of a thread that died nobody writes any more, but for its last moment.
    if (end.type === "ended") this.#boards.push(run.board);
    return end;
  }

  #deliver({ frame, board }: FrameRun, version: string | undefined, port: DeliveredFrame["port"]): DeliveredFrame {
    const { id, kind, tasks } = frame;
    board.clear();
    const indices = new Uint32Array(tasks.length);
    for (let place = 0; place < tasks.length; place++) indices[place] = tasks[place]!.task;
    const hasInputs = tasks.some(({ inputs }) => inputs.length > 0);
    return {
      id,
      kind,
      version,
      common: this.#common(frame.common),
      tasks: indices,
      parameters: joinPieces(tasks.map(({ parameters }) => parameters)),
      ...(hasInputs && {
        inputs: {
          values: joinPieces(tasks.flatMap(({ inputs }) => inputs)),
          counts: Uint32Array.from(tasks, ({ inputs }) => inputs.length),
        },
      }),
      port,
      board: board.memory,
    };
  }

  #common(bytes: Uint8Array): DeliveredFrame["common"] {
    let common = this.#commons.get(bytes);
    if (common === undefined) {
      const shared = new SharedArrayBuffer(bytes.byteLength);
      new Uint8Array(shared).set(bytes);
      common = { number: this.#commonCount++, bytes: shared };
      this.#commons.set(bytes, common);
    }
    return common;
  }

  #store(url: string): PartStore {
    let store = this.#stores.get(url);
    if (store === undefined) {
      store = openPartStore(url, this.#partAccess);
      this.#stores.set(url, store);
    }
    return store;
  }

  #watch(run: FrameRun): void {
    this.#running.add(run);
    this.#looking ??= setInterval(() => {
      for (const each of this.#running) each.look();
    }, LOOK_EVERY_MS);
  }

  #unwatch(run: FrameRun): void {
    this.#running.delete(run);
    if (this.#running.size > 0) return;
    clearInterval(this.#looking);
    this.#looking = undefined;
  }

  async close(): Promise<void> {
    await this.#piscina.close();
  }

  async destroy(): Promise<void> {
    await this.#piscina.destroy();
  }
}

function reasonOf(error: unknown, signal: AbortSignal | undefined): string {
  if (signal?.aborted === true) return String(signal.reason);
  return error instanceof Error ? error.message : String(error);
}
