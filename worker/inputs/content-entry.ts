/** What a process knows of an input: that somebody reads it, or its content and what tasks have made of it. */
import type { WantedFile } from "./content-wanted.ts";
import type { ContentAnswer, LoadedContent } from "../threads/frame.ts";

/** The side of a port that answers a thread; also the identity of the thread's frames. */
export interface ThreadLink {
  postMessage(message: ContentAnswer): void;
}

/** A task that wants an input. */
export interface Taker {
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
  /** It stays for jobs that come; else it goes with the task that it was read for. */
  readonly isKept: boolean;
  /** That used it last. */
  job: number | undefined;
  /** When it was used last, and when by the job before that: counted, and infinity before any has. */
  usedAt: number;
  usedBefore: number;
  /** Every task that wanted it was the only one of its job: its memory may be used again after them. */
  isOnce: boolean;
  /** What it counts for in its room. */
  bytes: number;
}

export interface Loading extends EntryBase {
  readonly name: "loading";
  waiting: Taker[];
}

export interface Loaded extends EntryBase {
  readonly name: "loaded";
  readonly loaded: LoadedContent;
  /** Memory of what tasks made of it, by the name they gave it. */
  readonly derived: Map<string, SharedArrayBuffer>;
  /** Tasks that use it. */
  users: number;
  /** A task was given it. */
  isTold: boolean;
}

export type Entry = Loading | Loaded;
