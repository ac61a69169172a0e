/** From an address to the store that it names. */
import { parseAddress } from "./address.ts";
import { fileStore } from "./file-store.ts";
import { s3Store } from "./s3-store.ts";
import type { S3Access } from "./s3-settings.ts";
import type { ObjectStore } from "./store.ts";

/**
 * Opens the store whose names start at `url`: what follows the bucket is put before each name, with a slash between.
 * Nothing is asked of it yet.
 *
 * @param url `s3://bucket/prefix`, `file:///folder` or a path.
 * @throws {PeError} `PE_PARAMETER`
 * @example
 * const store = openObjectStore("s3://lasers/Optically Injected");
 * for await (const { name, bytes } of store.list("raw_shard_")) console.log(name, bytes);
 */
export function openObjectStore(url: string, access: S3Access = {}): ObjectStore {
  const address = parseAddress(url);
  return address.scheme === "s3" ? s3Store(address.bucket, address.key, access) : fileStore(address.path);
}
