/** Reads input files that are objects of a store; each store is opened once per thread. */
import { PeError } from "../common/errors.ts";
import type { Source } from "./hdf5/model.ts";
import type { InputFile } from "./inputs.ts";
import { isS3Url } from "./objects/address.ts";
import { sharedStore } from "./objects/by-address.ts";
import type { ObjectContent, ObjectStore } from "./objects/store.ts";

/** Of one input; a larger file of a bucket cannot be computed from there. */
export const INPUT_OBJECT_BYTES_MAX = 2 ** 31 - 1;

/**
 * The whole of `file`, checked against length, version and stored checksum.
 *
 * @param file Its path is an `s3://` address that ends in its name.
 * @throws {PeError} see `ObjectStore.read`; `PE_OBJECT_CHANGED` when it is not the one that was planned.
 */
export async function readInputObject(file: InputFile): Promise<Uint8Array> {
  return (await readVerifiedObject(file)).bytes;
}

/** The same with all that is known of it. @param into Memory of at least its length; made when absent. */
export async function readVerifiedObject(
  { name, path, bytes, version }: InputFile,
  into?: (bytes: number) => Uint8Array,
): Promise<ObjectContent> {
  if (bytes > INPUT_OBJECT_BYTES_MAX)
    throw new PeError("PE_PARAMETER", `Cannot read "${path}": it has ${bytes} bytes; copy it to a disk, or split it`);
  return await storeOf(path, name).read(name, {
    objectBytes: bytes,
    ...(version !== undefined && { ifVersion: version }),
    ...(into !== undefined && { into: into(bytes).subarray(0, bytes) }),
  });
}

/** The same into a file of this machine, however long it is. @returns Its SHA-256. @throws {PeError} see `ObjectStore.fetch`. */
export async function fetchInputObject({ name, path, bytes, version }: InputFile, into: string): Promise<string> {
  const options = { objectBytes: bytes, ...(version !== undefined && { ifVersion: version }) };
  return (await storeOf(path, name).fetch(name, into, options)).sha256;
}

/** Names of inputs start from its root. */
function storeOf(path: string, name: string): ObjectStore {
  return sharedStore(path.slice(0, path.length - name.length));
}

/** What to open `file` by: its path, or its bytes where it is an object. @throws {PeError} see `readInputObject`. */
export async function sourceOf(file: InputFile): Promise<Source> {
  return isS3Url(file.path) ? { content: await readInputObject(file) } : { path: file.path };
}
