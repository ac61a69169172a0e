/**
 * Inputs of tasks, read once per process: the first thread that wants one is told to load it, the others wait and get the
 * same. A reader thread may have begun before anybody asked. Runs on the main thread and never touches a byte.
 *
 * An entry is `loading` (one thread reads, others may wait), then `loaded` until it is evicted, oldest use first, when
 * all together exceed their bound: one for memory, one for files of objects that are too large for it. Evicted memory
 * lives on in the threads that still use it; a file stays while a task uses it. What only one task needs (`once`) goes
 * with its answer, and its memory is used again after that task.
 */
import { asPeError, type ErrorRecord } from "../../common/errors.ts";
import type { InputFile } from "../../data/inputs.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { ContentLoans } from "./content-loans.ts";
import { contentKey, type ContentFiles, type ContentReader, type WantedFile } from "./content-wanted.ts";
import type { ContentAnswer, LoadedContent } from "../threads/frame.ts";

/** The side of a port that answers a thread; also the identity of the thread's frames. */
export interface ThreadLink {
  postMessage(message: ContentAnswer): void;
}

interface Taker {
  readonly link: ThreadLink;
  readonly task: number | undefined;
}

interface EntryBase {
  readonly file: WantedFile;
  /** Where its file is, or is made. */
  readonly scratch: string | undefined;
  readonly loader: ThreadLink | "reader";
  /** It was begun before anybody asked. */
  readonly isAhead: boolean;
  /** For whom, until the first asks. */
  readonly aheadFor: Set<object>;
}

interface Loading extends EntryBase {
  readonly name: "loading";
  waiting: Taker[];
}

interface Loaded extends EntryBase {
  readonly name: "loaded";
  readonly loaded: LoadedContent;
  /** Tasks that use its file. */
  users: number;
}

type Entry = Loading | Loaded;

export class ContentExchange {
  readonly #bytesMax: number;
  readonly #files: ContentFiles | undefined;
  #reader: ContentReader | undefined;
  /** Insertion order is order of last use. */
  readonly #entries = new Map<string, Entry>();
  readonly #loans = new ContentLoans<ThreadLink>();
  /** Of what is loaded, and of files from their beginning. */
  readonly #bytes = { memory: 0, files: 0 };

  /** @param bytesMax Of memory. */
  #knowsObjects = false;

  constructor(bytesMax: number, files?: ContentFiles) {
    this.#bytesMax = bytesMax;
    this.#files = files;
  }

  /** Has `reader` read objects that tasks ask for; undefined: the threads do. */
  useReader(reader: ContentReader | undefined): void {
    this.#reader = reader;
  }

  /** Whether a task has asked for an object of a store. */
  get knowsObjects(): boolean {
    return this.#knowsObjects;
  }

  onWant(file: WantedFile, link: ThreadLink): void {
    this.#knowsObjects ||= isS3Url(file.path);
    const taker = { link, task: file.task };
    this.#loans.onTask(link, file.task);
    const key = contentKey(file);
    this.#reader?.onWant(key);
    const entry = this.#entries.get(key);
    entry?.aheadFor.clear();
    if (entry === undefined) this.#loadFor(key, file, taker);
    else if (entry.name === "loading") entry.waiting.push(taker);
    else {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      this.#give(key, entry, [taker]);
    }
    this.#reader?.onRoom();
  }

  /**
   * Has the reader read what a task will want.
   *
   * @param whom Whose tasks it is for, until `forget`.
   * @returns `full` when there is no room for more that nobody has asked for yet; `known` when it is there or on its way.
   */
  readAhead(file: WantedFile, whom: object): "begun" | "known" | "full" {
    const key = contentKey(file);
    const entry = this.#entries.get(key);
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

  onLoaded(file: InputFile, loaded: LoadedContent, loader: ThreadLink | "reader"): void {
    const key = contentKey(file);
    const entry = this.#entries.get(key);
    if (entry?.name !== "loading" || entry.loader !== loader) return;
    const { waiting } = entry;
    const now: Loaded = { ...entry, name: "loaded", loaded, users: 0 };
    this.#entries.delete(key);
    this.#entries.set(key, now);
    this.#bytes.memory += loaded.content?.byteLength ?? 0;
    if (loader !== "reader") this.#lendFile(key, now, { link: loader, task: entry.file.task });
    if (waiting.length > 0) this.#give(key, now, waiting);
    else this.#dropUnwanted(key, now);
    this.#evict(key);
    this.#reader?.onRoom();
  }

  /**
   * Those who wait get the same error; who asks later makes a new try. Reading ahead fails for nobody: who waits for it
   * tries again, unless the store was tried for as long as a task waits for one.
   */
  onUnloadable(file: InputFile, error: ErrorRecord, loader: ThreadLink | "reader"): void {
    const key = contentKey(file);
    const entry = this.#entries.get(key);
    if (entry?.name !== "loading" || entry.loader !== loader) return;
    this.#remove(key, entry);
    if (entry.isAhead && error.code !== "PE_STORE_UNAVAILABLE") this.#loadAgain(key, entry);
    else for (const { link } of entry.waiting) link.postMessage({ type: "unloadable", error });
  }

  /** The frames behind `link` are over, or its thread died: whoever waited for its reading must not wait for ever. */
  forget(link: ThreadLink): void {
    this.#loans.end(link);
    for (const [key, entry] of this.#entries) {
      if (entry.name !== "loading") continue;
      entry.waiting = entry.waiting.filter((waiter) => waiter.link !== link);
      if (entry.loader === link) this.#passOn(key, entry);
    }
    this.#reader?.onRoom();
  }

  /** Nothing is read ahead for `whom` any more. */
  forgetAhead(whom: object): void {
    for (const [key, entry] of this.#entries)
      if (entry.aheadFor.delete(whom) && entry.name === "loaded") this.#dropUnwanted(key, entry);
    this.#reader?.onRoom();
  }

  /** The reader died: who waits for it reads by itself. */
  forgetReader(): void {
    this.#reader = undefined;
    for (const [key, entry] of this.#entries)
      if (entry.name === "loading" && entry.loader === "reader") this.#passOn(key, entry);
  }

  #loadFor(key: string, file: WantedFile, taker: Taker): void {
    const isFile = this.#files?.takes(file) === true;
    const reader = isS3Url(file.path) && this.#reader?.takes(file) === true ? this.#reader : undefined;
    if (reader === undefined && file.once === true && !isFile)
      return taker.link.postMessage({ type: "load", alone: true });
    const loading = this.#begin(key, file, reader === undefined ? taker.link : "reader");
    if (loading instanceof Error) {
      const error = asPeError(loading, "PE_OUTPUT_UNWRITABLE", `Cannot make room for "${file.name}"`).toRecord();
      return taker.link.postMessage({ type: "unloadable", error });
    }
    if (reader === undefined) return tellToLoad(taker.link, loading);
    loading.waiting.push(taker);
    reader.read(loading);
  }

  #begin(
    key: string,
    file: WantedFile,
    loader: ThreadLink | "reader",
    aheadFor: readonly object[] = [],
  ): Loading | Error {
    let scratch: string | undefined;
    if (this.#files?.takes(file) === true)
      try {
        scratch = this.#files.newPath(file);
        this.#bytes.files += file.bytes;
      } catch (error) {
        return error as Error;
      }
    const isAhead = aheadFor.length > 0;
    const loading: Loading = {
      name: "loading",
      file,
      scratch,
      loader,
      isAhead,
      aheadFor: new Set(aheadFor),
      waiting: [],
    };
    this.#entries.set(key, loading);
    // Old files make room before the new one is written.
    if (scratch !== undefined) this.#evict(key);
    return loading;
  }

  /** The first who waits reads now. */
  #passOn(key: string, entry: Loading): void {
    this.#remove(key, entry);
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
    tellToLoad(next.link, again);
  }

  #give(key: string, entry: Loaded, takers: readonly Taker[]): void {
    entry.aheadFor.clear();
    const isGone = entry.file.once === true && entry.scratch === undefined;
    if (isGone) this.#remove(key, entry);
    for (const taker of takers) {
      if (isGone && takers.length === 1) this.#loans.lend(taker.link, taker.task, () => this.#reuse(entry));
      this.#lendFile(key, entry, taker);
      taker.link.postMessage({ type: "content", loaded: entry.loaded });
    }
  }

  #lendFile(key: string, entry: Loaded, { link, task }: Taker): void {
    if (entry.scratch === undefined) return;
    entry.users++;
    this.#loans.lend(link, task, () => {
      entry.users--;
      if (entry.users === 0 && entry.file.once === true) this.#remove(key, entry);
      this.#evict(undefined);
    });
  }

  /** Memory that the reader made for one task. */
  #reuse({ loader, file, loaded: { content } }: Loaded): void {
    if (loader === "reader" && file.once === true && content !== undefined) this.#reader?.reuse(content.buffer);
  }

  /** What was read for one task whose frame is over goes at once. */
  #dropUnwanted(key: string, entry: Loaded): void {
    if (entry.file.once !== true || entry.aheadFor.size > 0 || entry.users > 0) return;
    this.#remove(key, entry);
    this.#reuse(entry);
  }

  /** Half of the room, or one file, for what nobody has asked for. */
  #hasRoom(file: WantedFile): boolean {
    const isFile = this.#files?.takes(file) === true;
    const bytesMax = isFile ? this.#files.bytesMax : this.#bytesMax;
    let ahead = 0;
    for (const { aheadFor, scratch, file: other } of this.#entries.values())
      if (aheadFor.size > 0 && isFile === (scratch !== undefined)) ahead += other.bytes;
    return ahead + file.bytes <= (ahead === 0 ? bytesMax : bytesMax / 2);
  }

  #evict(keep: string | undefined): void {
    for (const [key, entry] of this.#entries) {
      const isFile = entry.scratch !== undefined;
      const isOver = isFile ? this.#bytes.files > this.#files!.bytesMax : this.#bytes.memory > this.#bytesMax;
      if (!isOver || entry.name !== "loaded" || key === keep || entry.users > 0) continue;
      this.#remove(key, entry);
      this.#reuse(entry);
    }
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    if (entry.scratch !== undefined) {
      this.#bytes.files -= entry.file.bytes;
      this.#files!.remove(entry.scratch);
    } else if (entry.name === "loaded") this.#bytes.memory -= entry.loaded.content?.byteLength ?? 0;
  }
}

function tellToLoad(link: ThreadLink, { scratch }: Loading): void {
  link.postMessage({ type: "load", ...(scratch !== undefined && { scratch }) });
}
