/** The pool of threads that compute; the one file with piscina. The main thread only hands over, listens and stores. */
import { setTimeout as sleep } from "node:timers/promises";
import { Piscina } from "piscina";
import { assert } from "../../common/assert.ts";
import { PeError } from "../../common/errors.ts";
import type { PartAccess, PartStore } from "../../data/part-store.ts";
import { openPartStore } from "../../data/part-store.ts";
import type { KindVersion, KnownKind } from "../../tasks/registry.ts";
import { BOARD_TASKS_MAX } from "./board.ts";
import type { FrameRun } from "./frame-run.ts";
import { joinInputs, joinPieces, type DeliveredFrame, type Frame, type ThreadData, type ThreadUp } from "./frame.ts";
import { PoolInputs, type InputOptions } from "../inputs/pool-inputs.ts";
import type { TasksToName } from "../inputs/reader-messages.ts";
import { LetGo } from "./let-go.ts";
import { Lane, type LaneListener, type LaneSurroundings } from "./lane.ts";

export interface PoolOptions extends InputOptions {
  readonly threads: number;
  /** Folders of kinds. */
  readonly kinds?: readonly string[];
  /** Of the scheduler's own store of parts. */
  readonly partAccess?: PartAccess;
  /** Memory of one thread's values; a thread that needs more ends with its task. */
  readonly heapBytesMax?: number;
  /** Folder for temporary files: what `os.tmpdir()` says in the threads; the system's by default. */
  readonly scratch?: string | undefined;
}

export interface WorkerPool {
  readonly threads: number;
  /**
   * What its threads can run. Asked once; a kind whose file changes later is refused.
   *
   * @throws {PeError} `PE_KIND` naming the file that cannot be used.
   */
  listKinds(): Promise<readonly KindVersion[]>;
  /**
   * When the kinds are known. A lane takes a thread with its first frame, and keeps it until it is closed; with more lanes than
   * threads the later ones wait for that.
   */
  openLane(listener: LaneListener): Lane;
  /** Whether it is of use to have the inputs of a kind's tasks read before they run. */
  areInputsWorthReading(kind: string): boolean;
  /** Has the inputs of tasks read that will run, as far as their kind names them. @param whom Whose they are, until `forget`. */
  prefetch(tasks: Frame, whom: object): void;
  /** Its tasks have run, or will not. */
  forget(whom: object): void;
  /**
   * So many bytes of blobs, results of tasks or inputs, are of no use any more: nobody outside the pool has a reference to them. Their
   * memory is given back when all threads that saw it have collected their garbage; that is done when enough has come together.
   */
  letGo(bytes: number): void;
  /** Has that done now, because memory is short. */
  collect(): void;
  /** Lets threads finish what they run, then ends them. */
  close(): Promise<void>;
  /** Ends the threads at once. */
  destroy(): Promise<void>;
}

export function createWorkerPool(options: PoolOptions): WorkerPool {
  const pool = new Pool(options);
  return {
    threads: options.threads,
    listKinds: async () => await pool.listKinds(),
    openLane: (listener) => pool.openLane(listener),
    areInputsWorthReading: (kind) => pool.inputs.areWorthReading(kind),
    prefetch: (tasks, whom) => pool.prefetch(tasks, whom),
    forget: (whom) => pool.inputs.forget(whom),
    letGo: (bytes) => pool.unused.add(bytes),
    collect: () => pool.unused.collect(),
    close: async () => await pool.close(),
    destroy: async () => await pool.destroy(),
  };
}

const STORES_MAX = 64;
/** Number of a thread that has ended. */
const ENDED = -1;
/** A thread that has not started by then never will. */
const START_MS_MAX = 20_000;
const LOOK_MS = 5;
/** From a thread's last module to where it waits for work. */
const SETTLE_MS = 10;

class Pool {
  readonly #piscina: Piscina;
  readonly inputs: PoolInputs;
  readonly unused = new LetGo(() => {
    for (const lane of this.#lanes) lane.collect();
    this.inputs.collect();
  });
  readonly #partAccess: PartAccess;
  #kinds: Promise<readonly KnownKind[]> | undefined;
  #versions: ReadonlyMap<string, string> | undefined;
  /** What jobs share, in memory that threads share, by the bytes as they came. */
  readonly #commons = new WeakMap<Uint8Array, DeliveredFrame["common"]>();
  #commonCount = 0;
  readonly #lanes: Lane[] = [];
  /** Numbers of the threads that have started, and when the last of them did. */
  readonly #up = new Set<number>();
  #lastUpMs = -Infinity;
  /** By URL, the oldest first; each job has its own where the scheduler keeps the parts. */
  readonly #stores = new Map<string, PartStore>();

  constructor(options: PoolOptions) {
    const { threads, kinds = [], partAccess = {}, heapBytesMax, scratch } = options;
    this.#piscina = new Piscina({
      filename: new URL("./thread.js", import.meta.url).href,
      minThreads: threads,
      maxThreads: threads,
      idleTimeout: Infinity,
      workerData: { kinds, partAccess } satisfies ThreadData,
      ...(scratch !== undefined && { env: { ...process.env, TMPDIR: scratch } }),
      ...(heapBytesMax !== undefined && {
        resourceLimits: { maxOldGenerationSizeMb: Math.max(16, Math.floor(heapBytesMax / 2 ** 20)) },
      }),
    });
    this.#piscina.on("message", ({ up }: ThreadUp) => {
      this.#up.add(up);
      this.#lastUpMs = performance.now();
    });
    this.inputs = new PoolInputs({ kinds, partAccess }, { ...options, onLetGo: (bytes) => this.unused.add(bytes) });
    this.#partAccess = partAccess;
  }

  /** Kinds are loaded in a thread: code of users does not run on the main one. */
  async listKinds(): Promise<readonly KindVersion[]> {
    this.#kinds ??= this.#piscina.run(undefined, { name: "listKinds" }).catch((error: unknown) => {
      // The class of an error is lost on its way from a thread, its text is not.
      throw new PeError("PE_KIND", error instanceof Error ? error.message : String(error), { cause: error });
    });
    const kinds = await this.#kinds;
    this.inputs.useKinds(kinds);
    this.#versions ??= new Map(kinds.map(({ name, version }) => [name, version]));
    return kinds.map(({ namesInputs: _, ...kind }) => kind);
  }

  openLane(listener: LaneListener): Lane {
    assert(this.#versions !== undefined, "kinds are asked about before a lane is opened");
    const surroundings: LaneSurroundings = {
      exchange: this.inputs.exchange,
      openStore: (url) => this.#store(url),
      deliver: (run) => this.#deliver(run),
      takeThread: async (port, signal) =>
        await this.#piscina.run(port, { name: "runFrames", transferList: [port], signal }),
    };
    const lane = new Lane(surroundings, listener);
    this.#lanes.push(lane);
    return lane;
  }

  prefetch(tasks: Frame, whom: object): void {
    this.inputs.prefetch(this.#pack(tasks), whom);
  }

  #deliver({ number, frame, board }: FrameRun): DeliveredFrame {
    const { id, tasks } = frame;
    assert(tasks.length <= BOARD_TASKS_MAX, () => `a frame of ${tasks.length} tasks`);
    const indices = new Uint32Array(tasks.length);
    for (let place = 0; place < tasks.length; place++) indices[place] = tasks[place]!.task;
    return { number, id, tasks: indices, board: board.memory, ...this.#pack(frame) };
  }

  #pack({ kind, common, tasks }: Frame): TasksToName {
    const inputs = joinInputs(tasks);
    return {
      kind,
      version: this.#versions?.get(kind),
      common: this.#common(common),
      parameters: joinPieces(tasks.map(({ parameters }) => parameters)),
      ...(inputs !== undefined && { inputs }),
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
      // A store is an address and no more: what still puts a part has it.
      if (this.#stores.size > STORES_MAX) this.#stores.delete(this.#stores.keys().next().value!);
    }
    return store;
  }

  async close(): Promise<void> {
    for (const lane of this.#lanes) lane.close();
    await this.#haveStarted();
    await this.#piscina.close();
    await this.inputs.close();
  }

  async destroy(): Promise<void> {
    await this.#haveStarted();
    await this.#piscina.destroy();
    await this.inputs.close();
  }

  /** A thread that is ended while it loads its modules may take the process with it: there Node aborts when it is interrupted. */
  async #haveStarted(): Promise<void> {
    const lastMs = performance.now() + START_MS_MAX;
    const isStarting = (): boolean =>
      this.#piscina.threads.some(({ threadId }) => threadId !== ENDED && !this.#up.has(threadId));
    while (performance.now() < lastMs && (isStarting() || performance.now() < this.#lastUpMs + SETTLE_MS))
      await sleep(LOOK_MS);
  }
}
