/** One object by its address: `s3://bucket/key`. */
import { PeError } from "../../common/errors.ts";
import { parseAddress } from "./address.ts";
import { openObjectStore } from "./open.ts";
import type { ObjectContent, ObjectStore, ReadOptions, WriteOptions } from "./store.ts";

/** By the address that names start from. Idle connections keep no process alive. */
const stores = new Map<string, ObjectStore>();

/** The store whose names start at `root`, opened once per thread. */
export function sharedStore(root: string): ObjectStore {
  const known = stores.get(root);
  if (known !== undefined) return known;
  const opened = openObjectStore(root);
  stores.set(root, opened);
  return opened;
}

export interface ObjectPlace {
  readonly store: ObjectStore;
  /** Within the store. */
  readonly name: string;
}

/** @throws {PeError} `PE_PARAMETER` when the address names a bucket or a prefix. */
export function placeOf(url: string): ObjectPlace {
  const address = parseAddress(url);
  const key = address.scheme === "s3" ? address.key : "";
  const slash = key.lastIndexOf("/");
  if (address.scheme !== "s3" || slash === key.length - 1)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot use "${url}" as an object: expected s3://bucket/key, no slash at its end`,
    );
  return { store: sharedStore(`s3://${address.bucket}/${key.slice(0, slash + 1)}`), name: key.slice(slash + 1) };
}

/** The whole object; undefined when there is none. @throws {PeError} See `ObjectStore.read`. */
export async function readObjectAt(url: string, options: ReadOptions = {}): Promise<ObjectContent | undefined> {
  const { store, name } = placeOf(url);
  const found = await store.stat(name);
  if (found === undefined) return undefined;
  return await store.read(name, { objectBytes: found.bytes, ifVersion: found.version, ...options });
}

/** @throws {PeError} See `ObjectStore.write`. */
export async function writeObjectAt(
  url: string,
  bytes: Uint8Array,
  options?: WriteOptions,
): Promise<{ readonly version: string }> {
  const { store, name } = placeOf(url);
  return await store.write(name, bytes, options);
}
