/** What a user may name as input: a folder of shards, a pattern, one HDF5 file, one text series; on disk or on S3. */
import { open, readdir, stat } from "node:fs/promises";
import { basename, dirname, relative, resolve, sep } from "node:path";
import { PeError } from "../common/errors.ts";
import { findMatches, isPattern } from "./glob.ts";
import { byCodeUnits } from "./hdf5/model.ts";
import { openRootFile } from "./hdf5/root-file.ts";
import { listS3Input } from "./inputs-s3.ts";
import { isS3Url } from "./objects/address.ts";
import { isHdf5Name, isMapsName, isWholeSetName, shardBlock } from "./shard-names.ts";

export { shardBlock } from "./shard-names.ts";

/** An input file as planning saw it. A file that no longer fits is a named error (`PE_INPUT_CHANGED`). */
export interface InputFile {
  /** Name within the input, with `/`; unique, sortable, the same wherever the input is mounted. */
  readonly name: string;
  /** Where to read it: an absolute path or an `s3://` address, the root of the input and the name. */
  readonly path: string;
  readonly bytes: number;
  /** Whole milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Of an object, as its store names it (an ETag); absent for files. */
  readonly version?: string | undefined;
}

export interface Input {
  /** Absolute path of the folder that the names start from; of objects their address up to there, with its slash. */
  readonly root: string;
  /** `shards`: a folder or pattern; `hdf5`, `text`: a single file. */
  readonly kind: "shards" | "hdf5" | "text";
  /** Ascending by name (UTF-16 code units), never empty. */
  readonly files: readonly InputFile[];
}

const HDF5_SIGNATURE = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");

/**
 * Lists an input without reading its data.
 *
 * From a folder come its HDF5 files, but no sub-folders, no hidden files, no maps, and no `raw_all.hdf5` that lies
 * beside others. A pattern gives the HDF5 files that it matches.
 *
 * @throws {PeError} `PE_INPUT_EMPTY` when there is nothing, with what was looked for.
 */
export async function listInput(path: string): Promise<Input> {
  if (isS3Url(path)) return listS3Input(path);
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return listFolder(path);
  if (found?.isFile()) return listFile(path);
  if (isPattern(path)) return listPattern(path);
  if (found === undefined)
    throw empty(path, "there is no such file or folder; looked for a folder, a pattern, an HDF5 file or a text file");
  throw empty(path, "it is neither a file nor a folder");
}

async function listFolder(path: string): Promise<Input> {
  const root = resolve(path);
  const names = await readdir(root).catch((error: Error) => {
    throw empty(path, `the folder cannot be read (${error.message})`);
  });
  const visible = names.filter((name) => !name.startsWith(".") && isHdf5Name(name));
  const files = await shardsAmong(root, visible);
  if (files.length === 0) {
    const held = names.length === 0 ? "the folder is empty" : `none among the ${names.length} names in the folder`;
    throw empty(path, `looked for shards such as raw_shard_000_000.hdf5 or other *.hdf5 and *.h5 files: ${held}`);
  }
  return { root, kind: "shards", files };
}

async function listPattern(pattern: string): Promise<Input> {
  const { root, paths } = await findMatches(pattern);
  const names = paths.map((path) => relative(root, path).split(sep).join("/")).filter((name) => isHdf5Name(name));
  const files = await shardsAmong(root, names);
  if (files.length === 0)
    throw empty(
      pattern,
      `looked for *.hdf5 and *.h5 files that fit the pattern: none of ${paths.length} that fit is one`,
    );
  return { root, kind: "shards", files };
}

async function listFile(path: string): Promise<Input> {
  const absolute = resolve(path);
  const name = basename(absolute);
  const file = await describe(dirname(absolute), name);
  if (file === undefined || file.bytes === 0) throw empty(path, "the file is empty");
  const isHdf5 = isHdf5Name(name) || (await startsWith(absolute, HDF5_SIGNATURE));
  return { root: dirname(absolute), kind: isHdf5 ? "hdf5" : "text", files: [file] };
}

/** `names` of HDF5 files under `root`, without those that are no shards. */
async function shardsAmong(root: string, names: readonly string[]): Promise<InputFile[]> {
  const files: InputFile[] = [];
  for (const name of names.toSorted(byCodeUnits)) {
    const file = await describe(root, name);
    if (file !== undefined && (shardBlock(name) !== undefined || !(await isMaps(file)))) files.push(file);
  }
  const shards = files.filter(({ name }) => !isWholeSetName(name));
  return shards.length > 0 ? shards : files;
}

async function describe(root: string, name: string): Promise<InputFile | undefined> {
  const path = resolve(root, name);
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return undefined;
  return { name, path, bytes: found.size, modifiedMs: Math.floor(found.mtimeMs) };
}

/** Maps are told by their grid size at the root. What cannot be opened is no maps file but a shard to report. */
async function isMaps(file: InputFile): Promise<boolean> {
  if (isMapsName(file.name)) return true;
  try {
    const opened = await openRootFile({ path: file.path });
    opened.close();
    return opened.attributes.has("x_size") && opened.attributes.has("y_size");
  } catch {
    return false;
  }
}

/** Whether a file is there and begins as HDF5 does. */
export async function isHdf5File(path: string): Promise<boolean> {
  return await startsWith(path, HDF5_SIGNATURE).catch(() => false);
}

async function startsWith(path: string, signature: Buffer): Promise<boolean> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(signature.length), 0, signature.length, 0);
    return bytesRead === signature.length && buffer.equals(signature);
  } finally {
    await file.close();
  }
}

function empty(path: string, reason: string): PeError {
  return new PeError("PE_INPUT_EMPTY", `Cannot find input "${path}": ${reason}`, { details: { path } });
}
