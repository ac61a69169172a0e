/** Where the parts of a job are kept: a folder that every machine sees, an S3 bucket, or the scheduler's own store. */
import { fileURLToPath } from "node:url";
import { PeError } from "../common/errors.ts";
import { isS3Url } from "./objects/address.ts";
import { openObjectStore } from "./objects/open.ts";
import { objectPartStore } from "./objects/part-objects.ts";
import type { Change } from "./part-change.ts";
import { folderPartStore } from "./part-folder.ts";
import { httpPartStore } from "./part-http.ts";

export interface PartStore {
  readonly url: string;
  /**
   * Durable when it resolves. Storing the same again is harmless.
   *
   * @param sha256 Of `bytes`, 32 bytes, where the caller has it.
   * @throws {PeError} `PE_PARTS_UNREACHABLE` when this host has no such store, `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`,
   * `PE_CONNECTION`, `PE_ACCESS`; on S3 `PE_STORE_UNAVAILABLE`, `PE_CREDENTIALS`
   */
  put(name: string, bytes: Uint8Array, sha256?: Uint8Array): Promise<void>;
  /** The bytes of a part, or undefined when it is not there or not whole. */
  get(name: string): Promise<Uint8Array | undefined>;
  /**
   * Fills `into` with the bytes of a part from `offset` on. The caller has checked it whole before.
   *
   * @throws {PeError} `PE_RESULTS_UNREADABLE` when it has no such bytes.
   */
  getSlice(name: string, offset: number, into: Uint8Array): Promise<void>;
  /** Whether it is there; it may not be whole. */
  has(name: string): Promise<boolean>;
  /**
   * Writes what may change, as parts do not. Where the store writes under conditions, nothing is lost that somebody else
   * writes meanwhile: `change` is then asked again.
   *
   * @throws {PeError} those of `get` and `put`
   */
  change(name: string, change: Change): Promise<void>;
  /** Room on its disk; undefined where it does not tell. Absent where there is no disk. */
  readonly freeBytes?: () => Promise<number | undefined>;
}

/** What it takes to speak with the scheduler's own store. */
export interface PartAccess {
  readonly token?: string;
  /** Certificate of the scheduler's authority, PEM. */
  readonly ca?: string;
  /** What `scheduler:` means: `ws://host:port` or `wss://host:port`. */
  readonly schedulerUrl?: string;
}

/** URL of the scheduler's own store. */
export const SCHEDULERS_OWN = "scheduler:";

/**
 * A store for the parts of one job. The scheduler's own then knows that the job needs them, and frees them when it is
 * released; other stores keep all parts.
 */
export function storeForJob(url: string, job: string): string {
  return url === SCHEDULERS_OWN ? `${SCHEDULERS_OWN}?job=${encodeURIComponent(job)}` : url;
}

/** The store that `storeForJob` was given. */
export function storeForAll(url: string): string {
  return url.startsWith(`${SCHEDULERS_OWN}?`) ? SCHEDULERS_OWN : url;
}

/**
 * @param url `file:///folder`, `s3://bucket/prefix` or `scheduler:`, as it is or as `storeForJob` makes it.
 * @throws {PeError} `PE_PARAMETER` for any other.
 * @example
 * const store = openPartStore("scheduler:", { schedulerUrl: "ws://127.0.0.1:8786", token });
 */
export function openPartStore(url: string, access: PartAccess = {}): PartStore {
  const own = /^scheduler:(?:\?job=(.*))?$/.exec(url);
  if (own !== null) return httpPartStore(access, undefined, own[1]);
  if (isS3Url(url)) return objectPartStore(openObjectStore(url));
  if (URL.canParse(url) && new URL(url).protocol === "file:") return folderPartStore(pathOf(url));
  throw new PeError(
    "PE_PARAMETER",
    `Cannot keep parts in "${url}": expected a folder such as file:///data/parts, s3://bucket/prefix, or ` +
      `scheduler: for the scheduler's own`,
  );
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new PeError("PE_PARAMETER", `Cannot keep parts in "${url}": it names no folder of this system`, {
      cause: error,
    });
  }
}
