/** Inputs as threads ask for them, and as they are known among all that is read. */
import type { InputFile } from "../../data/inputs.ts";
import { isUploaded } from "../../data/uploads.ts";

/** An input that a task asks for. */
export interface WantedFile extends InputFile {
  /** No other task of the job needs it. */
  readonly once?: boolean;
  /** Counts the tasks of a thread: what an earlier one was given is not used any more. */
  readonly task?: number;
  /** The task's job: another number for another one. */
  readonly job?: number;
  /** URL of the store of parts that uploaded inputs are in. */
  readonly store?: string;
}

/** Memory for what tasks make of an input that they were given. */
export interface DerivedMemory {
  readonly file: WantedFile;
  /** Of what is made, with all that decides what it is. */
  readonly name: string;
  readonly bytes: number;
  /** At the beginning, that are 0. */
  readonly headBytes: number;
}

/** The same for the same content, as far as planning can tell: whichever job wants it. */
export function contentKey({ path, bytes, version, modifiedMs, store }: InputFile & { store?: string }): string {
  const key = `${path}\0${bytes}\0${version ?? modifiedMs}`;
  return store === undefined || !isUploaded(path) ? key : `${key}\0${store}`;
}

/** What is read and where to. */
export interface Reading {
  readonly file: WantedFile;
  /** A file to be made, for an object that is too large for memory. */
  readonly scratch: string | undefined;
}

/** The thread that reads ahead, as the exchange sees it. */
export interface ContentReader {
  /** Whether it takes one more now that a task waits for. */
  takes(file: InputFile): boolean;
  read(reading: Reading): void;
  /** Nobody uses this memory any more. */
  reuse(memory: SharedArrayBuffer): void;
  /** A task asks for it: too late to read it ahead. */
  onWant(key: string): void;
  /** There may be room for more. */
  onRoom(): void;
}

/** Files of this machine for objects that are too large for memory. */
export interface ContentFiles {
  /** All together; those in use may be more. */
  readonly bytesMax: number;
  /** Whether an object goes there. */
  takes(file: InputFile): boolean;
  /** One that nobody has. @throws {PeError} `PE_OUTPUT_UNWRITABLE` when there can be none */
  newPath(file: InputFile): string;
  /** Harmless when it was never made. */
  remove(path: string): void;
}
