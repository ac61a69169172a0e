/**
 * Inputs that several tasks share, read once per process: the first thread that wants one is told to load it, the
 * others wait and get the same memory. Runs on the main thread and never touches a byte.
 *
 * An entry is `loading` (one thread reads, others may wait), then `loaded` until it is evicted, oldest use first, when
 * all together exceed the bound. Evicted memory lives on in the threads that still use it.
 */
import type { ErrorRecord } from "../common/errors.ts";
import type { InputFile } from "../data/inputs.ts";
import type { LoadedContent, ToThread } from "./frame.ts";

/** The side of a port that answers a thread; also the identity of the thread's frame. */
export interface ThreadLink {
  postMessage(message: ToThread): void;
}

type Entry =
  | { readonly name: "loading"; readonly loader: ThreadLink; readonly waiting: ThreadLink[] }
  | { readonly name: "loaded"; readonly loaded: LoadedContent };

export class ContentExchange {
  readonly #bytesMax: number;
  /** Insertion order is order of last use. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  onWant(file: InputFile, link: ThreadLink): void {
    const key = keyOf(file);
    const entry = this.#entries.get(key);
    if (entry === undefined) this.#startLoading(key, link, []);
    else if (entry.name === "loading") entry.waiting.push(link);
    else {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      link.postMessage({ type: "content", loaded: entry.loaded });
    }
  }

  onLoaded(file: InputFile, loaded: LoadedContent, link: ThreadLink): void {
    const key = keyOf(file);
    const entry = this.#entries.get(key);
    if (entry?.name !== "loading" || entry.loader !== link) return;
    this.#entries.delete(key);
    this.#entries.set(key, { name: "loaded", loaded });
    this.#bytes += loaded.content?.byteLength ?? 0;
    for (const waiter of entry.waiting) waiter.postMessage({ type: "content", loaded });
    this.#evict(key);
  }

  /** Those who wait get the same error; who asks later makes a new try. */
  onUnloadable(file: InputFile, error: ErrorRecord, link: ThreadLink): void {
    const key = keyOf(file);
    const entry = this.#entries.get(key);
    if (entry?.name !== "loading" || entry.loader !== link) return;
    this.#entries.delete(key);
    for (const waiter of entry.waiting) waiter.postMessage({ type: "unloadable", error });
  }

  /** The frame behind `link` is over, or its thread died: whoever waited for its reading must not wait for ever. */
  forget(link: ThreadLink): void {
    for (const [key, entry] of this.#entries) {
      if (entry.name !== "loading") continue;
      const waiting = entry.waiting.filter((waiter) => waiter !== link);
      if (entry.loader !== link) {
        if (waiting.length !== entry.waiting.length) this.#entries.set(key, { ...entry, waiting });
        continue;
      }
      this.#entries.delete(key);
      const [next, ...rest] = waiting;
      if (next !== undefined) this.#startLoading(key, next, rest);
    }
  }

  #startLoading(key: string, loader: ThreadLink, waiting: ThreadLink[]): void {
    this.#entries.set(key, { name: "loading", loader, waiting });
    loader.postMessage({ type: "load" });
  }

  #evict(justLoaded: string): void {
    for (const [key, entry] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      if (entry.name !== "loaded" || key === justLoaded) continue;
      this.#entries.delete(key);
      this.#bytes -= entry.loaded.content?.byteLength ?? 0;
    }
  }
}

function keyOf(file: InputFile): string {
  return `${file.path}\0${file.bytes}\0${file.version ?? file.modifiedMs}`;
}
