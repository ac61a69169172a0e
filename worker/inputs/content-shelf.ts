/**
 * The inputs of a process in the order of their last use, within two bounds: one for memory, one for files of objects that
 * are too large for it.
 *
 * What comes makes room for itself: first goes what tasks have made of other inputs, then inputs themselves, those used
 * longest ago first. A job that goes through more than fits would so lose what it read first, read all of it again the next
 * time, and never find anything. So what a job has used itself makes no room for what it wants only once: that is read for
 * its task alone, and the next job finds as much as fits.
 */
import type { Entry, Loaded } from "./content-entry.ts";

type Room = "memory" | "files";

export interface ShelfOptions {
  /** Of contents, and of what was made of them. */
  readonly memoryBytesMax: number;
  readonly filesBytesMax: number;
  /** It is not on the shelf any more. Tasks may still use it. */
  onRemoved(entry: Entry): void;
  /** Nobody uses this memory any more. */
  onFree(memory: SharedArrayBuffer): void;
  /** It goes with the tasks that still use it. */
  onLetGo(bytes: number): void;
}

/** What stays when room is made. */
interface Sparing {
  /** Its own inputs, and what was used since. */
  readonly job?: number | undefined;
  /** What was used since then. */
  readonly usedBefore?: number;
  readonly keep?: string | undefined;
  /** Else all that tasks use; then their files only: memory lives on in them. */
  readonly isForced?: boolean;
}

export class ContentShelf {
  readonly #options: ShelfOptions;
  /** Insertion order is order of last use. */
  readonly #entries = new Map<string, Entry>();
  /** Those with something that was made of them, in the same order. */
  readonly #sources = new Map<string, Loaded>();
  readonly #bytes = { memory: 0, files: 0 };

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  entries(): Iterable<[string, Entry]> {
    return this.#entries;
  }

  get bytes(): Readonly<{ memory: number; files: number }> {
    return this.#bytes;
  }

  /** Puts an entry behind all others: it was used. In place of the one that was there, if there was one. */
  put(key: string, entry: Entry): void {
    const before = this.#entries.get(key);
    if (before !== undefined) this.#bytes[roomOf(before)] -= before.bytes;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#bytes[roomOf(entry)] += entry.bytes;
    if (!this.#sources.delete(key) || entry.name !== "loaded") return;
    this.#sources.set(key, entry);
  }

  remove(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return;
    if (entry.name === "loaded") this.#dropDerived(key, entry);
    this.#entries.delete(key);
    this.#bytes[roomOf(entry)] -= entry.bytes;
    this.#options.onRemoved(entry);
  }

  /** Memory of what a task makes of an input. */
  putDerived(key: string, entry: Loaded, name: string, memory: SharedArrayBuffer): void {
    entry.derived.set(name, memory);
    entry.bytes += memory.byteLength;
    this.#bytes.memory += memory.byteLength;
    this.#sources.set(key, entry);
  }

  /** Makes room for an input that `job` wants only once. @returns Whether there is any. */
  makeRoom(room: Room, bytes: number, job: number | undefined): boolean {
    const target = this.#max(room) - bytes;
    if (target < 0) return false;
    if (room === "memory") this.#evictDerived(target, {});
    this.#evict(room, target, { job });
    return this.#bytes[room] <= target;
  }

  /**
   * Makes room for what a task makes of an input. What was used since an earlier job used that input stays as well: a job that
   * goes through the same inputs in the same order will come to it.
   *
   * @returns Whether there is any.
   */
  makeRoomForDerived(bytes: number, { job, usedBefore }: Loaded): boolean {
    const target = this.#options.memoryBytesMax - bytes;
    if (target < 0) return false;
    this.#evictDerived(target, { job, usedBefore });
    this.#evict("memory", target, { job, usedBefore });
    return this.#bytes.memory <= target;
  }

  /** Keeps within the bounds, whoever used what goes. @param keep Stays. */
  shrink(room: Room, keep?: string): void {
    if (room === "memory") this.#evictDerived(this.#options.memoryBytesMax, {});
    this.#evict(room, this.#max(room), { keep, isForced: true });
  }

  #max(room: Room): number {
    return room === "memory" ? this.#options.memoryBytesMax : this.#options.filesBytesMax;
  }

  #evict(room: Room, target: number, { keep, isForced = false, ...sparing }: Sparing): void {
    for (const [key, entry] of this.#entries) {
      if (this.#bytes[room] <= target) return;
      if (roomOf(entry) !== room || entry.name !== "loaded" || key === keep) continue;
      if (isSpared(entry, sparing)) return;
      if (entry.users === 0 || (isForced && room === "memory")) this.remove(key, entry);
    }
  }

  #evictDerived(target: number, sparing: Sparing): void {
    for (const [key, entry] of this.#sources) {
      if (this.#bytes.memory <= target || isSpared(entry, sparing)) return;
      if (entry.users === 0) this.#dropDerived(key, entry);
    }
  }

  #dropDerived(key: string, entry: Loaded): void {
    for (const memory of entry.derived.values()) {
      entry.bytes -= memory.byteLength;
      this.#bytes.memory -= memory.byteLength;
      if (entry.users === 0) this.#options.onFree(memory);
      else this.#options.onLetGo(memory.byteLength);
    }
    entry.derived.clear();
    this.#sources.delete(key);
  }
}

/** Then all that was used since is spared as well. */
function isSpared(entry: Entry, { job, usedBefore = Infinity }: Sparing): boolean {
  return (job !== undefined && entry.job === job) || entry.usedAt > usedBefore;
}

export function roomOf({ scratch }: Entry): Room {
  return scratch === undefined ? "memory" : "files";
}
