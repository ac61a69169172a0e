/** Inputs in an object store: listed with their lengths and versions, none of them read. */
import { PeError } from "../common/errors.ts";
import { byCodeUnits } from "./hdf5/model.ts";
import type { Input, InputFile } from "./inputs.ts";
import { parseAddress } from "./objects/address.ts";
import { openObjectStore } from "./objects/open.ts";
import type { ObjectInfo } from "./objects/store.ts";
import type { S3Access } from "./objects/s3-settings.ts";
import { isHdf5Name, isMapsName, isWholeSetName, shardBlock } from "./shard-names.ts";

/**
 * Lists `s3://bucket/prefix`: the HDF5 files right under the prefix, as of a folder: none deeper, none hidden, no maps, and
 * no `raw_all.hdf5` beside others. A key that ends in .hdf5 or .h5, or is an object itself, is one file.
 *
 * @throws {PeError} `PE_INPUT_EMPTY` when there is nothing, with what was looked for; those of `ObjectStore.list`.
 */
export async function listS3Input(url: string, access: S3Access = {}): Promise<Input> {
  const address = parseAddress(url);
  if (address.scheme !== "s3") throw new PeError("PE_PARAMETER", `Cannot list "${url}": it is no s3:// address`);
  const { bucket, key } = address;
  const slash = key.lastIndexOf("/");
  const name = key.slice(slash + 1);
  if (name !== "") {
    const file = await findFile(`s3://${bucket}/${key.slice(0, slash + 1)}`, name, access);
    if (file !== undefined) return file;
  }
  return await listPrefix(url, `s3://${bucket}/${key === "" || key.endsWith("/") ? key : `${key}/`}`, access);
}

/** Undefined when the key is no object: then it is a prefix. */
async function findFile(root: string, name: string, access: S3Access): Promise<Input | undefined> {
  const store = openObjectStore(root, access);
  try {
    const found = await store.stat(name);
    if (found === undefined) return undefined;
    if (found.bytes === 0) throw empty(root + name, "the object is empty");
    return { root, kind: isHdf5Name(name) ? "hdf5" : "text", files: [fileOf(root, found)] };
  } finally {
    store.close();
  }
}

async function listPrefix(url: string, root: string, access: S3Access): Promise<Input> {
  const store = openObjectStore(root, access);
  const files: InputFile[] = [];
  let seen = 0;
  try {
    for await (const found of store.list()) {
      seen++;
      if (isInput(found.name)) files.push(fileOf(root, found));
    }
  } finally {
    store.close();
  }
  const shards = files.filter(({ name }) => !isWholeSetName(name)).sort((a, b) => byCodeUnits(a.name, b.name));
  const chosen = shards.length > 0 ? shards : files;
  if (chosen.length > 0) return { root, kind: "shards", files: chosen };
  const held = seen === 0 ? "no object's key begins with it" : `none of the ${seen} objects under it is one`;
  throw empty(url, `looked for shards such as raw_shard_000_000.hdf5 or other *.hdf5 and *.h5 right under it: ${held}`);
}

function isInput(name: string): boolean {
  if (name.includes("/") || name.startsWith(".") || !isHdf5Name(name)) return false;
  return shardBlock(name) !== undefined || !isMapsName(name);
}

function fileOf(root: string, { name, bytes, version, modifiedMs }: ObjectInfo): InputFile {
  return { name, path: root + name, bytes, modifiedMs, version };
}

function empty(url: string, reason: string): PeError {
  return new PeError("PE_INPUT_EMPTY", `Cannot find input "${url}": ${reason}`, { details: { path: url } });
}
