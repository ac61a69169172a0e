/**
 * Inputs of tasks, read once per process: the first thread that wants one is told to load it, the others wait and get the
 * same. A reader thread may have begun before anybody asked. Runs on the main thread and never touches a byte.
 *
 * An entry is `loading` (one thread reads, others may wait), then `loaded` until it is evicted, so that the next job over
 * the same inputs reads nothing: `content-shelf.ts` says what goes when there is no room. What finds no room goes with its
 * task. Evicted memory lives on in the threads that still use it; a file stays while a task uses it. Memory that only one
 * task at a time has wanted is used again.
 */
import { asPeError, type ErrorRecord } from "../../common/errors.ts";
import { isRemote } from "../../data/uploads.ts";
import type { Entry, Loaded, Loading, Taker, ThreadLink } from "./content-entry.ts";
import { ContentLoans } from "./content-loans.ts";
import { ContentMemory } from "./content-memory.ts";
import { CONTENT_BYTES_MAX } from "./content-reader.ts";
import { ContentShelf, roomOf } from "./content-shelf.ts";
import {
  contentKey,
  type ContentFiles,
  type ContentReader,
  type DerivedMemory,
  type WantedFile,
} from "./content-wanted.ts";
import type { LoadedContent } from "../threads/frame.ts";

export type { ThreadLink } from "./content-entry.ts";

export interface ExchangeOptions {
  readonly files?: ContentFiles | undefined;
  /** Inputs stay for jobs that come; true by default. */
  readonly keeps?: boolean | undefined;
  /** Memory is of no use any more: its bytes come back when the threads collect their garbage. */
  readonly onLetGo?: ((bytes: number) => void) | undefined;
}

export class ContentExchange {
  readonly #bytesMax: number;
  readonly #files: ContentFiles | undefined;
  readonly #keeps: boolean;
  #reader: ContentReader | undefined;
  readonly #shelf: ContentShelf;
  readonly #memory: ContentMemory;
  readonly #onLetGo: (bytes: number) => void;
  readonly #loans = new ContentLoans<ThreadLink>();
  #knowsRemote = false;
  /** Counts uses. */
  #uses = 0;

  /** @param bytesMax Of memory. */
  constructor(bytesMax: number, { files, keeps = true, onLetGo = () => undefined }: ExchangeOptions = {}) {
    this.#bytesMax = bytesMax;
    this.#files = files;
    this.#keeps = keeps;
    this.#onLetGo = onLetGo;
    this.#memory = new ContentMemory(onLetGo);
    this.#shelf = new ContentShelf({
      memoryBytesMax: bytesMax,
      filesBytesMax: files?.bytesMax ?? 0,
      onRemoved: (entry) => this.#onRemoved(entry),
      onFree: (memory) => this.#memory.giveBack(memory),
      onLetGo,
    });
  }

  /** Has `reader` read objects that tasks ask for; undefined: the threads do. */
  useReader(reader: ContentReader | undefined): void {
    this.#reader = reader;
  }

  /** Whether a task has asked for an input that comes over a network. */
  get knowsRemote(): boolean {
    return this.#knowsRemote;
  }

  onWant(file: WantedFile, link: ThreadLink): void {
    this.#knowsRemote ||= isRemote(file.path);
    const taker = { link, task: file.task };
    this.#loans.onTask(link, file.task);
    const key = contentKey(file);
    this.#reader?.onWant(key);
    const entry = this.#known(key, file);
    entry?.aheadFor.clear();
    if (entry === undefined) this.#loadFor(key, file, taker);
    else if (entry.name === "loading") entry.waiting.push(taker);
    else this.#give(key, entry, [taker]);
    this.#reader?.onRoom();
  }

  /**
   * Gives memory for what a task makes of an input that it was given: to all tasks the same, as long as the input is kept.
   * Its first bytes are 0 in the beginning, the rest is anything.
   */
  onDerive({ file, name, bytes, headBytes }: DerivedMemory, link: ThreadLink): void {
    const key = contentKey(file);
    const entry = this.#shelf.get(key);
    let memory = entry?.name === "loaded" ? entry.derived.get(name) : undefined;
    if (memory === undefined && entry?.name === "loaded" && this.#keeps && entry.isKept && entry.scratch === undefined)
      if (this.#shelf.makeRoomForDerived(ContentMemory.sizeOf(bytes), entry) && this.#shelf.get(key) === entry) {
        memory = this.#memory.take(bytes).buffer;
        new Uint8Array(memory, 0, headBytes).fill(0);
        this.#shelf.putDerived(key, entry, name, memory);
      }
    if (memory !== undefined) this.#lend(key, entry as Loaded, { link, task: file.task });
    link.postMessage({ type: "derived", memory });
  }

  /**
   * Has the reader read what a task will want.
   *
   * @param whom Whose tasks it is for, until `forget`.
   * @returns `full` when there is no room for more that nobody has asked for yet; `known` when it is there or on its way.
   */
  readAhead(file: WantedFile, whom: object): "begun" | "known" | "full" {
    const key = contentKey(file);
    const entry = this.#shelf.get(key);
    if (entry !== undefined) {
      if (entry.aheadFor.size > 0) entry.aheadFor.add(whom);
      return "known";
    }
    if (this.#reader === undefined || !this.#hasRoom(file)) return "full";
    const loading = this.#begin(key, file, "reader", [whom]);
    if (loading instanceof Error) return "known";
    this.#reader.read(loading);
    return "begun";
  }

  onLoaded(file: WantedFile, loaded: LoadedContent, loader: ThreadLink | "reader"): void {
    const key = contentKey(file);
    const entry = this.#shelf.get(key);
    if (entry?.name !== "loading" || entry.loader !== loader) return;
    const { waiting } = entry;
    const isInMemory = entry.scratch === undefined;
    const now: Loaded = {
      ...entry,
      name: "loaded",
      loaded,
      derived: new Map(),
      users: 0,
      isTold: false,
      bytes: isInMemory ? (loaded.content?.byteLength ?? 0) : entry.bytes,
    };
    this.#shelf.put(key, now);
    if (loader !== "reader") this.#lend(key, now, { link: loader, task: entry.file.task });
    if (waiting.length > 0) this.#give(key, now, waiting);
    else this.#dropUnwanted(key, now);
    this.#shelf.shrink(roomOf(now), key);
    this.#reader?.onRoom();
  }

  /**
   * Those who wait get the same error; who asks later makes a new try. Reading ahead fails for nobody: who waits for it
   * tries again, unless the store was tried for as long as a task waits for one.
   */
  onUnloadable(file: WantedFile, error: ErrorRecord, loader: ThreadLink | "reader"): void {
    const key = contentKey(file);
    const entry = this.#shelf.get(key);
    if (entry?.name !== "loading" || entry.loader !== loader) return;
    this.#shelf.remove(key, entry);
    if (entry.isAhead && error.code !== "PE_STORE_UNAVAILABLE") this.#loadAgain(key, entry);
    else for (const { link } of entry.waiting) link.postMessage({ type: "unloadable", error });
  }

  /** The frames behind `link` are over, or its thread died: whoever waited for its reading must not wait for ever. */
  forget(link: ThreadLink): void {
    this.#loans.end(link);
    for (const [key, entry] of this.#shelf.entries()) {
      if (entry.name !== "loading") continue;
      entry.waiting = entry.waiting.filter((waiter) => waiter.link !== link);
      if (entry.loader === link) this.#passOn(key, entry);
    }
    this.#reader?.onRoom();
  }

  /** Nothing is read ahead for `whom` any more. */
  forgetAhead(whom: object): void {
    for (const [key, entry] of this.#shelf.entries())
      if (entry.aheadFor.delete(whom) && entry.name === "loaded") this.#dropUnwanted(key, entry);
    this.#reader?.onRoom();
  }

  /** The reader died: who waits for it reads by itself. */
  forgetReader(): void {
    this.#reader = undefined;
    for (const [key, entry] of this.#shelf.entries())
      if (entry.name === "loading" && entry.loader === "reader") this.#passOn(key, entry);
  }

  /** What is there of a file, used now. */
  #known(key: string, { job, once }: WantedFile): Entry | undefined {
    const entry = this.#shelf.get(key);
    if (entry === undefined) return undefined;
    // Bytes that lie in the file itself may be others by now: only its own job takes them for those that were hashed.
    const isInPlace = entry.name === "loaded" && entry.loaded.content === undefined && entry.scratch === undefined;
    if (isInPlace && entry.job !== job) {
      this.#shelf.remove(key, entry);
      return undefined;
    }
    if (entry.job !== job) entry.usedBefore = entry.usedAt;
    entry.job = job;
    entry.usedAt = this.#uses++;
    entry.isOnce &&= once === true;
    this.#shelf.put(key, entry);
    return entry;
  }

  #loadFor(key: string, file: WantedFile, taker: Taker): void {
    const isFile = this.#files?.takes(file) === true;
    const reader = isRemote(file.path) && this.#reader?.takes(file) === true ? this.#reader : undefined;
    const isKept = this.#isKept(file);
    if (reader === undefined && !isKept && !isFile) return taker.link.postMessage({ type: "load", alone: true });
    const loading = this.#begin(key, file, reader === undefined ? taker.link : "reader");
    if (loading instanceof Error) {
      const error = asPeError(loading, "PE_OUTPUT_UNWRITABLE", `Cannot make room for "${file.name}"`).toRecord();
      return taker.link.postMessage({ type: "unloadable", error });
    }
    if (reader === undefined) return this.#tellToLoad(taker.link, loading);
    loading.waiting.push(taker);
    reader.read(loading);
  }

  /** Whether it stays for others: those of its job, or those of jobs to come. */
  #isKept(file: WantedFile): boolean {
    if (file.once !== true) return true;
    if (!this.#keeps) return false;
    const isFile = this.#files?.takes(file) === true;
    if (!isFile && file.bytes > CONTENT_BYTES_MAX) return false;
    return this.#shelf.makeRoom(isFile ? "files" : "memory", file.bytes, file.job);
  }

  #begin(
    key: string,
    file: WantedFile,
    loader: ThreadLink | "reader",
    aheadFor: readonly object[] = [],
  ): Loading | Error {
    let scratch: string | undefined;
    const isFile = this.#files?.takes(file) === true;
    const isKept = this.#isKept(file);
    if (isFile)
      try {
        scratch = this.#files.newPath(file);
      } catch (error) {
        return error as Error;
      }
    const loading: Loading = {
      name: "loading",
      file,
      scratch,
      loader,
      isAhead: aheadFor.length > 0,
      aheadFor: new Set(aheadFor),
      isKept,
      job: file.job,
      usedAt: this.#uses++,
      usedBefore: Infinity,
      isOnce: file.once === true,
      bytes: isFile || (isKept && file.bytes <= CONTENT_BYTES_MAX) ? file.bytes : 0,
      waiting: [],
    };
    this.#shelf.put(key, loading);
    // Old files make room before the new one is written.
    if (isFile) this.#shelf.shrink("files");
    return loading;
  }

  /** The first who waits reads now. */
  #passOn(key: string, entry: Loading): void {
    this.#shelf.remove(key, entry);
    this.#loadAgain(key, entry);
  }

  /** By the first of those who wait. */
  #loadAgain(key: string, { file, waiting: [next, ...rest] }: Loading): void {
    if (next === undefined) return;
    const again = this.#begin(key, { ...file, ...(next.task !== undefined && { task: next.task }) }, next.link);
    if (again instanceof Error) {
      const error = asPeError(again, "PE_OUTPUT_UNWRITABLE", `Cannot make room for "${file.name}"`).toRecord();
      for (const { link } of [next, ...rest]) link.postMessage({ type: "unloadable", error });
      return;
    }
    again.waiting = rest;
    this.#tellToLoad(next.link, again);
  }

  #tellToLoad(link: ThreadLink, { scratch, file, isOnce }: Loading): void {
    if (scratch !== undefined) return link.postMessage({ type: "load", scratch });
    // That of others is never used again: they may read it for longer than one task.
    const memory = isOnce && file.bytes <= CONTENT_BYTES_MAX ? this.#memory.take(file.bytes) : undefined;
    link.postMessage({ type: "load", ...(memory !== undefined && { memory: memory.buffer }) });
  }

  #give(key: string, entry: Loaded, takers: readonly Taker[]): void {
    entry.aheadFor.clear();
    for (const taker of takers) {
      this.#lend(key, entry, taker);
      taker.link.postMessage({
        type: "content",
        loaded: entry.loaded,
        isNew: !entry.isTold && entry.loader === "reader",
      });
      entry.isTold = true;
    }
    if (!entry.isKept && entry.scratch === undefined) this.#shelf.remove(key, entry);
  }

  #lend(key: string, entry: Loaded, { link, task }: Taker): void {
    entry.users++;
    this.#loans.lend(link, task, () => {
      entry.users--;
      if (entry.users > 0) return;
      if (this.#shelf.get(key) !== entry) this.#reuse(entry);
      else if (!entry.isKept && entry.aheadFor.size === 0) this.#shelf.remove(key, entry);
      if (entry.scratch !== undefined) this.#shelf.shrink("files");
    });
  }

  #onRemoved(entry: Entry): void {
    if (entry.scratch !== undefined) this.#files!.remove(entry.scratch);
    if (entry.name === "loaded" && entry.users === 0) this.#reuse(entry);
  }

  /** Nobody has its memory any more. */
  #reuse({ loader, isOnce, loaded: { content } }: Loaded): void {
    if (content === undefined) return;
    if (!isOnce) return this.#onLetGo(content.buffer.byteLength);
    if (loader === "reader") this.#reader?.reuse(content.buffer);
    else this.#memory.giveBack(content.buffer);
  }

  /** What was read for one task whose frame is over goes at once, unless it is kept. */
  #dropUnwanted(key: string, entry: Loaded): void {
    if (entry.isKept || entry.aheadFor.size > 0 || entry.users > 0) return;
    this.#shelf.remove(key, entry);
  }

  /** Half of the room, or one file, for what nobody has asked for. */
  #hasRoom(file: WantedFile): boolean {
    const isFile = this.#files?.takes(file) === true;
    const bytesMax = isFile ? this.#files.bytesMax : this.#bytesMax;
    let ahead = 0;
    for (const [, { aheadFor, scratch, file: other }] of this.#shelf.entries())
      if (aheadFor.size > 0 && isFile === (scratch !== undefined)) ahead += other.bytes;
    return ahead + file.bytes <= (ahead === 0 ? bytesMax : bytesMax / 2);
  }
}
