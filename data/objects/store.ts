/**
 * Objects by name: the same few verbs on a bucket, a folder, or memory.
 *
 * An object is written whole or not at all, and read whole or as a range. A *version* is a text that changes whenever
 * the bytes of an object do; it is what listings give, and what a read or write may insist on.
 */
import { PeError } from "../../common/errors.ts";
import type { Checksum } from "./checksum.ts";
import type { Traffic } from "./traffic.ts";

/** What one call reads into memory, and what one call writes. */
export const OBJECT_BYTES_MAX = 2 ** 31 - 1;

export interface ObjectInfo {
  /** Within the store. */
  readonly name: string;
  readonly bytes: number;
  readonly version: string;
  /** When it was written, whole milliseconds since 1970, as far as the store tells. */
  readonly modifiedMs: number;
  /** What the store holds to check its bytes against, where it tells. */
  readonly checksum?: Checksum;
}

/** How the bytes of a read were found to be right. */
export type Verified =
  /** A checksum of the whole object that the store keeps. */
  | Checksum["algorithm"]
  /** The checksums of the pieces it was uploaded in. */
  | "pieces"
  /** Read twice with the same result: the store keeps nothing to check against, and the network is not encrypted. */
  | "twice"
  /** Length, version, and what carries the bytes: a file system, or TLS. */
  | "carrier"
  /** A range: length, place and version. */
  | "range";

export interface ObjectContent {
  readonly bytes: Uint8Array;
  readonly version: string;
  /** Of the whole object. */
  readonly objectBytes: number;
  readonly verified: Verified;
  /** Of the whole object, where it was computed anyway. */
  readonly sha256?: string;
}

/** An object that lies in a file now. */
export interface FetchedObject {
  readonly version: string;
  readonly objectBytes: number;
  readonly verified: Verified;
  readonly sha256: string;
}

export interface FetchOptions {
  readonly ifVersion?: string;
  /** Another length is an error. */
  readonly objectBytes?: number;
  readonly signal?: AbortSignal;
}

export interface ReadOptions {
  /** Half-open; `stop` may lie behind the end. Without it the whole object. */
  readonly range?: { readonly start: number; readonly stop: number };
  /** Another version is `PE_OBJECT_CHANGED`. */
  readonly ifVersion?: string;
  /** Of the whole object, where known: a large object is then read in several ranges at once. */
  readonly objectBytes?: number;
  /** Memory to read into, at least as long as what is read; else it is made. What it holds after an error is undefined. */
  readonly into?: Uint8Array;
  readonly signal?: AbortSignal;
}

export interface WriteOptions {
  /** Only when there is no such object. */
  readonly ifAbsent?: boolean;
  /** Only over this version. */
  readonly ifVersion?: string;
  /**
   * What to do on a store that cannot write under a condition: `refuse` (the default) is `PE_OBJECT_CONFLICT`; `check`
   * looks first and then writes, so two writers at once may both believe that they won.
   */
  readonly withoutConditions?: "refuse" | "check";
  readonly signal?: AbortSignal;
}

/** Which conditions hold inside the write, as seen by trying them. */
export interface Conditions {
  readonly ifAbsent: boolean;
  readonly ifVersion: boolean;
}

/**
 * All methods throw {PeError}: `PE_PARAMETER` for a name that cannot be one; `PE_OBJECT_DENIED`, `PE_CREDENTIALS`,
 * `PE_STORE_UNAVAILABLE` after bounded tries, `PE_STORE_REFUSED`; those of files `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`.
 * Each error names the store and the object.
 */
export interface ObjectStore {
  /** What names start from, with a slash at its end. */
  readonly url: string;
  /** Requests made so far, each try counted. */
  readonly traffic: Readonly<Traffic>;
  /**
   * Objects whose names begin with `prefix`, ascending by the bytes of their names in UTF-8. A store that does not exist
   * is `PE_OBJECT_MISSING` for a bucket, empty for a folder.
   */
  list(prefix?: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ObjectInfo>;
  /** Undefined when there is no such object. */
  stat(name: string): Promise<ObjectInfo | undefined>;
  /**
   * Never other bytes than were written: length, place, version and checksum are compared, and what breaks off is taken
   * up again where it broke off, of the same version.
   *
   * @throws {PeError} `PE_OBJECT_MISSING`, `PE_OBJECT_CHANGED`, `PE_OBJECT_CORRUPT`; `PE_PARAMETER` when `into` is too
   * short, or the object longer than `OBJECT_BYTES_MAX`.
   */
  read(name: string, options?: ReadOptions): Promise<ObjectContent>;
  /**
   * The same into a file of this machine, however long the object is: made, or written over. Not durable. What it holds
   * after an error is undefined.
   *
   * @throws {PeError} those of `read`; `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`
   */
  fetch(name: string, path: string, options?: FetchOptions): Promise<FetchedObject>;
  /**
   * Durable when it resolves; the object that was there stays whole until then.
   *
   * @returns the version written.
   * @throws {PeError} `PE_OBJECT_CONFLICT` when the condition does not hold, or the store cannot hold it.
   */
  write(name: string, bytes: Uint8Array, options?: WriteOptions): Promise<{ readonly version: string }>;
  /** Harmless when there is no such object. */
  remove(name: string): Promise<void>;
  /** Found once, by trying; later calls cost nothing. */
  conditions(): Promise<Conditions>;
  /** Removes what writers that were killed more than `olderThanMs` ago left unfinished; how many there were. */
  removeAbandoned(olderThanMs: number): Promise<number>;
  /** Ends its connections. */
  close(): void;
}

/** @throws {PeError} `PE_PARAMETER` unless `bytes` can be read into `into`, or into new memory. */
export function memoryFor(where: string, bytes: number, into: Uint8Array | undefined): Uint8Array {
  if (bytes > OBJECT_BYTES_MAX)
    throw new PeError("PE_PARAMETER", `Cannot read ${where} at once: it has ${bytes} bytes; read it in ranges`);
  if (into === undefined) return new Uint8Array(bytes);
  if (into.byteLength < bytes)
    throw new PeError("PE_PARAMETER", `Cannot read ${bytes} bytes of ${where} into ${into.byteLength}`);
  return into.subarray(0, bytes);
}
