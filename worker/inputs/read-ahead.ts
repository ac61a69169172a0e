/**
 * Reads the inputs of tasks that wait for a thread while it computes the one before, so that it never waits for an input
 * when the computing takes longer than the reading.
 *
 * A thread of its own, begun with the first tasks whose kind names inputs, tells which files they need and reads them.
 * What it has not begun when a task asks is read by the task's thread, so it is never what all wait for; objects of a
 * store it reads for all threads, a few at a time, over one set of connections. Nothing depends on it: when it dies, or
 * does not answer, the threads read by themselves.
 */
import { isRemote } from "../../data/uploads.ts";
import type { ContentExchange } from "./content-exchange.ts";
import { contentKey, type ContentReader, type Reading, type WantedFile } from "./content-wanted.ts";
import type { FromReader, NamedInput, TasksToName, ToReader } from "./reader-messages.ts";

/** Of a store: enough to fill a network whose answers take a while. */
const OBJECTS_AT_ONCE = 8;
/** The disk gives one after the other; the tasks' own threads read as well. */
const FILES_AT_ONCE = 1;
/** Naming is quick; a kind that does not come to an end may not keep threads waiting. */
const NAME_MS_MAX = 30_000;
const DEATHS_MAX = 3;

export interface ReaderThread {
  postMessage(message: ToReader): void;
  /** Ends it at once; nothing is heard of it any more. */
  end(): Promise<void>;
}

export interface ReaderListener {
  onMessage(message: FromReader): void;
  onDied(): void;
}

export type StartReader = (listener: ReaderListener) => ReaderThread;

interface Planned {
  readonly file: WantedFile;
  readonly whom: object;
}

/** Whose tasks' inputs the thread was asked to name. */
interface Asked {
  readonly whom: object;
  readonly job: number;
}

export class ReadAhead {
  readonly #exchange: ContentExchange;
  readonly #start: StartReader;
  #thread: ReaderThread | undefined;
  #deaths = 0;
  #isClosed = false;
  /** Whose tasks' inputs are asked about, in that order; undefined once they are forgotten. */
  #naming: (Asked | undefined)[] = [];
  #impatience: NodeJS.Timeout | undefined;
  /** What tasks asked for since the oldest question that is not answered: it need not be read for them again. */
  readonly #asked = new Set<string>();
  /** To be read, by key, the first first. */
  readonly #planned = new Map<string, Planned>();
  /** Being read: whether it is an object. */
  readonly #reading = new Map<string, boolean>();

  constructor(exchange: ContentExchange, start: StartReader) {
    this.#exchange = exchange;
    this.#start = start;
  }

  /** Has the inputs of tasks read that will run. @param whom Whose they are, until `forget`. */
  prefetch(tasks: TasksToName, whom: object): void {
    const thread = this.#running();
    if (thread === undefined) return;
    this.#naming.push({ whom, job: tasks.common.number });
    this.#impatience ??= setTimeout(() => this.#die(), NAME_MS_MAX).unref();
    thread.postMessage({ type: "name", tasks });
  }

  /** Its tasks have run, or will not. */
  forget(whom: object): void {
    this.#naming = this.#naming.map((each) => (each?.whom === whom ? undefined : each));
    for (const [key, planned] of this.#planned) if (planned.whom === whom) this.#planned.delete(key);
    this.#exchange.forgetAhead(whom);
  }

  /** Has the thread collect its garbage, when there is one. */
  collect(): void {
    this.#thread?.postMessage({ type: "collect" });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ending = this.#thread?.end();
    this.#die();
    await ending;
  }

  #running(): ReaderThread | undefined {
    if (this.#thread !== undefined || this.#isClosed || this.#deaths === DEATHS_MAX) return this.#thread;
    const thread = this.#start({
      onMessage: (message) => this.#thread === thread && this.#onMessage(message),
      onDied: () => this.#thread === thread && this.#die(),
    });
    this.#thread = thread;
    this.#exchange.useReader(this.#asReader(thread));
    return thread;
  }

  #asReader(thread: ReaderThread): ContentReader {
    return {
      takes: () => this.#count(true) < OBJECTS_AT_ONCE,
      read: (reading) => this.#read(thread, reading),
      reuse: (memory) => thread.postMessage({ type: "reuse", memory }),
      onWant: (key) => {
        this.#planned.delete(key);
        if (this.#naming.length > 0) this.#asked.add(key);
      },
      onRoom: () => this.#readPlanned(),
    };
  }

  #onMessage(message: FromReader): void {
    switch (message.type) {
      case "named":
        return this.#onNamed(message.inputs);
      case "loaded":
        this.#reading.delete(contentKey(message.file));
        this.#exchange.onLoaded(message.file, message.loaded, "reader");
        return this.#readPlanned();
      case "unloadable":
        this.#reading.delete(contentKey(message.file));
        this.#exchange.onUnloadable(message.file, message.error, "reader");
        return this.#readPlanned();
    }
  }

  #onNamed(inputs: Extract<FromReader, { type: "named" }>["inputs"]): void {
    const asked = this.#naming.shift();
    clearTimeout(this.#impatience);
    this.#impatience = this.#naming.length > 0 ? setTimeout(() => this.#die(), NAME_MS_MAX).unref() : undefined;
    if (asked !== undefined) for (const input of inputs) this.#plan(input, asked);
    if (this.#naming.length === 0) this.#asked.clear();
    this.#readPlanned();
  }

  #plan({ file, shared, store }: NamedInput, { whom, job }: Asked): void {
    const wanted: WantedFile = { ...file, once: !shared, job, ...(store !== undefined && { store }) };
    const key = contentKey(wanted);
    if (!this.#asked.has(key)) this.#planned.set(key, { file: wanted, whom });
  }

  #readPlanned(): void {
    for (const [key, { file, whom }] of this.#planned) {
      const isObject = isRemote(file.path);
      if (this.#count(isObject) >= (isObject ? OBJECTS_AT_ONCE : FILES_AT_ONCE)) return;
      if (this.#exchange.readAhead(file, whom) === "full") return;
      this.#planned.delete(key);
    }
  }

  #read(thread: ReaderThread, { file, scratch }: Reading): void {
    this.#reading.set(contentKey(file), isRemote(file.path));
    thread.postMessage({ type: "read", file, scratch });
  }

  #count(isObject: boolean): number {
    let count = 0;
    for (const each of this.#reading.values()) if (each === isObject) count++;
    return count;
  }

  #die(): void {
    clearTimeout(this.#impatience);
    this.#impatience = undefined;
    this.#deaths++;
    void this.#thread?.end();
    this.#thread = undefined;
    this.#naming = [];
    for (const known of [this.#asked, this.#planned, this.#reading]) known.clear();
    this.#exchange.forgetReader();
  }
}
