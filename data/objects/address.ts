/** How a user names what lies in an object store or a folder: `s3://bucket/key`, `file:///folder`, or a plain path. */
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { PeError } from "../../common/errors.ts";

export type Address =
  | { readonly scheme: "s3"; readonly bucket: string; /** `""` for the whole bucket. */ readonly key: string }
  | { readonly scheme: "file"; /** Absolute. */ readonly path: string };

/** Of a key in UTF-8, as every S3 server has it. */
export const KEY_BYTES_MAX = 1024;

/** 3 to 255: older buckets and other stores have longer names, and capitals, than today's rule allows. */
const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/;

/** Whether `text` names an object store, not a file. */
export function isS3Url(text: string): boolean {
  return /^s3:\/\//i.test(text);
}

/**
 * Takes an address apart. The key of an `s3://` address is taken as it stands: `%20` is three characters of it, and so
 * are two spaces two; nothing is decoded, trimmed or tidied.
 *
 * @throws {PeError} `PE_PARAMETER` for another scheme, a bucket that cannot be one, a key that is too long.
 * @example
 * parseAddress("s3://lasers/Optically  Injected/raw_shard_000_000.hdf5");
 * // { scheme: "s3", bucket: "lasers", key: "Optically  Injected/raw_shard_000_000.hdf5" }
 */
export function parseAddress(text: string): Address {
  if (isS3Url(text)) return parseS3(text);
  if (/^file:/i.test(text)) return { scheme: "file", path: parseFile(text) };
  // One letter before the colon is a drive of Windows.
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(text))
    throw unusable(text, "expected s3://bucket/key, file:///folder, or a path");
  if (text === "") throw unusable(text, "it is empty");
  if (text.includes("\0")) throw unusable(text, "it holds a zero byte");
  return { scheme: "file", path: resolve(text) };
}

/** The address as text that `parseAddress` takes. */
export function formatAddress(address: Address): string {
  return address.scheme === "s3" ? `s3://${address.bucket}/${address.key}` : pathToFileURL(address.path).href;
}

function parseS3(text: string): Address {
  const rest = text.slice("s3://".length);
  const slash = rest.indexOf("/");
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  const key = slash < 0 ? "" : rest.slice(slash + 1);
  if (!BUCKET.test(bucket) || bucket.includes(".."))
    throw unusable(text, `"${bucket}" cannot be a bucket: expected 3 to 255 letters, digits, dots and dashes`);
  if (Buffer.byteLength(key) > KEY_BYTES_MAX) throw unusable(text, `its key is longer than ${KEY_BYTES_MAX} bytes`);
  if (/\p{Cs}/u.test(key)) throw unusable(text, "its key holds half a character");
  return { scheme: "s3", bucket, key };
}

function parseFile(text: string): string {
  try {
    return fileURLToPath(text);
  } catch (error) {
    throw new PeError("PE_PARAMETER", `Cannot use "${text}": it names no folder of this system`, { cause: error });
  }
}

function unusable(text: string, reason: string): PeError {
  return new PeError("PE_PARAMETER", `Cannot use "${text.slice(0, 300)}": ${reason}`);
}
