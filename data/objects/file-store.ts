/**
 * Objects as files of a folder. Every write is durable, and whole or not there; the condition of a write holds within it:
 * `ifAbsent` by a hard link, which the system refuses where the name is taken, `ifVersion` under a lock that all writers
 * of this host heed.
 */
import { createHash } from "node:crypto";
import { constants, type BigIntStats } from "node:fs";
import { link, open, readdir, realpath, rm, stat, type FileHandle } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { PeError } from "../../common/errors.ts";
import { asWriteError, syncFolder, temporaryName, writeDurably } from "../durable.ts";
import { errnoOf } from "../errno.ts";
import { makeFolders } from "../folders.ts";
import { acquireLock } from "../lock.ts";
import { asError, StoreFault, type Deed, type FaultKind } from "./fault.ts";
import { byBytes } from "./memory-store.ts";
import { assertObjectName, isObjectName } from "./names.ts";
import { assertRange } from "./reading.ts";
import { memoryFor, type ObjectContent, type ObjectInfo, type ObjectStore } from "./store.ts";
import type { FetchedObject, FetchOptions, ReadOptions, WriteOptions } from "./store.ts";
import { noTraffic } from "./traffic.ts";

/** What writers leave beside the objects for a while: hidden, and gone or abandoned afterwards. */
const TEMPORARY = /^\..+\.(tmp|lock)$/;
const COPY_BYTES = 4 * 2 ** 20;
const LOCK_TRIES_MAX = 50;
const LOCK_WAIT_MS = 20;

/** @param folder Absolute; made by the first write. */
export function fileStore(folder: string): ObjectStore {
  const traffic = noTraffic();
  const files = new Files(folder);
  return {
    url: files.url,
    traffic,
    async *list(prefix = "") {
      traffic.lists++;
      yield* files.list(prefix);
    },
    async stat(name) {
      traffic.stats++;
      return await files.stat(name);
    },
    async read(name, options = {}) {
      traffic.reads++;
      const content = await files.read(name, options);
      traffic.bytesRead += content.bytes.byteLength;
      return content;
    },
    async fetch(name, path, options = {}) {
      traffic.reads++;
      const fetched = await files.fetch(name, path, options);
      traffic.bytesRead += fetched.objectBytes;
      return fetched;
    },
    async write(name, bytes, options = {}) {
      traffic.writes++;
      const written = await files.write(name, bytes, options);
      traffic.bytesWritten += bytes.byteLength;
      return written;
    },
    async remove(name) {
      traffic.removals++;
      await files.remove(name);
    },
    conditions: () => Promise.resolve({ ifAbsent: true, ifVersion: true }),
    // The first write of a process into a folder removes them, see `durable.ts`.
    removeAbandoned: () => Promise.resolve(0),
    close() {},
  };
}

class Files {
  readonly url: string;
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.url = `${pathToFileURL(folder).href.replace(/\/+$/, "")}/`;
  }

  async *list(prefix: string): AsyncGenerator<ObjectInfo> {
    const found: string[] = [];
    try {
      // The folder that the prefix ends in is the highest that need be looked through.
      const top = prefix.includes("/") ? prefix.slice(0, prefix.lastIndexOf("/")) : "";
      if (top === "" || isObjectName(top)) await this.#walk(top, prefix, found);
    } catch (error) {
      throw this.#told(error, { verb: "list", where: this.url + prefix });
    }
    for (const name of found.sort(byBytes)) {
      const info = await this.stat(name);
      if (info !== undefined) yield info;
    }
  }

  async #walk(inside: string, prefix: string, found: string[]): Promise<void> {
    const entries = await readdir(join(this.#folder, inside), { withFileTypes: true }).catch((error: unknown) => {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
      throw error;
    });
    for (const entry of entries) {
      const name = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (!isObjectName(name)) continue;
      // Links to folders may go round in circles; links to files are files.
      if (entry.isDirectory()) {
        if (`${name}/`.startsWith(prefix) || prefix.startsWith(`${name}/`)) await this.#walk(name, prefix, found);
      } else if (name.startsWith(prefix) && !TEMPORARY.test(entry.name)) found.push(name);
    }
  }

  async stat(name: string): Promise<ObjectInfo | undefined> {
    const path = await this.#place(name, "look at");
    try {
      const seen = await stat(path, { bigint: true });
      return seen.isFile() ? infoOf(name, seen) : undefined;
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw this.#told(error, { verb: "look at", where: this.url + name });
    }
  }

  async read(name: string, { range, ifVersion, into, signal }: ReadOptions): Promise<ObjectContent> {
    const where = this.url + name;
    if (range !== undefined) assertRange(where, range);
    const path = await this.#place(name, "read");
    let file: FileHandle | undefined;
    try {
      file = await open(path, constants.O_RDONLY);
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) throw new StoreFault("missing", "there is no such file");
      const version = versionOf(before);
      if (ifVersion !== undefined && ifVersion !== version)
        throw new StoreFault("changed", "it was written since it was listed");
      const objectBytes = Number(before.size);
      const start = Math.min(range?.start ?? 0, objectBytes);
      const bytes = memoryFor(where, Math.min(range?.stop ?? objectBytes, objectBytes) - start, into);
      await fill(file, bytes, start, signal);
      if (versionOf(await file.stat({ bigint: true })) !== version)
        throw new StoreFault("changed", "it was written while it was read");
      return { bytes, version, objectBytes, verified: range === undefined ? "carrier" : "range" };
    } catch (error) {
      throw this.#told(error, { verb: "read", where });
    } finally {
      await file?.close();
    }
  }

  async fetch(name: string, path: string, options: FetchOptions): Promise<FetchedObject> {
    const where = this.url + name;
    const from = await this.#place(name, "read");
    try {
      const before = await stat(from, { bigint: true });
      if (!before.isFile()) throw new StoreFault("missing", "there is no such file");
      const version = versionOf(before);
      const objectBytes = Number(before.size);
      if (options.ifVersion !== undefined && options.ifVersion !== version)
        throw new StoreFault("changed", "it was written since it was listed");
      if (options.objectBytes !== undefined && options.objectBytes !== objectBytes)
        throw new StoreFault("changed", `it has ${objectBytes} bytes, not ${options.objectBytes}`);
      const sha256 = await copyHashed(from, path, options.signal);
      if (versionOf(await stat(from, { bigint: true })) !== version)
        throw new StoreFault("changed", "it was written while it was read");
      return { version, objectBytes, verified: "carrier", sha256 };
    } catch (error) {
      throw this.#told(error, { verb: "read", where });
    }
  }

  async write(name: string, bytes: Uint8Array, options: WriteOptions): Promise<{ version: string }> {
    const { ifAbsent = false, ifVersion } = options;
    const path = await this.#place(name, "write");
    try {
      await makeFolders(dirname(path));
      if (ifVersion !== undefined) await this.#writeOver(path, ifVersion, bytes);
      else if (ifAbsent) await writeNew(path, bytes);
      else await writeDurably(path, bytes);
      return { version: versionOf(await stat(path, { bigint: true })) };
    } catch (error) {
      if (error instanceof StoreFault) throw asError(error, { verb: "write", where: this.url + name });
      throw asWriteError(error, path);
    }
  }

  async #writeOver(path: string, ifVersion: string, bytes: Uint8Array): Promise<void> {
    const lock = await lockOf(path);
    try {
      const seen = await stat(path, { bigint: true }).catch(() => undefined);
      if (seen === undefined || versionOf(seen) !== ifVersion)
        throw new StoreFault("conflict", "it is another version now");
      await writeDurably(path, bytes);
    } finally {
      await lock.release();
    }
  }

  async remove(name: string): Promise<void> {
    const path = await this.#place(name, "remove");
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw this.#told(error, { verb: "remove", where: this.url + name });
    }
  }

  /** Path of an object, which no link of the folder leads out of it. */
  async #place(name: string, verb: Deed["verb"]): Promise<string> {
    assertObjectName(name);
    const path = join(this.#folder, ...name.split("/"));
    if (TEMPORARY.test(basename(path)))
      throw new PeError("PE_PARAMETER", `Cannot ${verb} "${name}": writers use such names`);
    const root = await realpath(this.#folder).catch(() => undefined);
    const real = await realpath(path).catch(async () => await realpath(dirname(path)).catch(() => undefined));
    if (root !== undefined && real !== undefined && !isWithin(root, real))
      throw asError(new StoreFault("denied", "a link leads out of the folder"), { verb, where: this.url + name });
    return path;
  }

  #told(error: unknown, deed: Deed): unknown {
    if (error instanceof StoreFault) return asError(error, deed);
    const kind = KINDS[errnoOf(error) ?? ""];
    return kind === undefined ? error : asError(new StoreFault(kind, (error as Error).message, { cause: error }), deed);
  }
}

const KINDS: Readonly<Record<string, FaultKind>> = {
  ENOENT: "missing",
  ENOTDIR: "missing",
  EISDIR: "missing",
  EACCES: "denied",
  EPERM: "denied",
  ELOOP: "denied",
  EIO: "refused",
  ESTALE: "changed",
};

function isAbsence(error: unknown): boolean {
  return errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR";
}

/** Time alone is too coarse: two writes may fall within one tick of the file system's clock. */
function versionOf({ size, mtimeNs, ino }: BigIntStats): string {
  return `${size.toString(36)}-${mtimeNs.toString(36)}-${ino.toString(36)}`;
}

function infoOf(name: string, seen: BigIntStats): ObjectInfo {
  const modifiedMs = Number(seen.mtimeNs / 1_000_000n);
  return { name, bytes: Number(seen.size), version: versionOf(seen), modifiedMs };
}

function isWithin(root: string, path: string): boolean {
  const way = relative(root, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`));
}

async function fill(
  file: FileHandle,
  bytes: Uint8Array,
  start: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let filled = 0; filled < bytes.byteLength;) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, start + filled);
    if (bytesRead === 0) throw new StoreFault("changed", `it ends after ${start + filled} bytes`);
    filled += bytesRead;
  }
}

/** @returns SHA-256 of what was copied. */
async function copyHashed(from: string, to: string, signal: AbortSignal | undefined): Promise<string> {
  const digest = createHash("sha256");
  const source = await open(from, "r");
  try {
    const target = await open(to, "w", 0o600).catch(refuse);
    try {
      const piece = Buffer.alloc(COPY_BYTES);
      for (let read = (await source.read(piece)).bytesRead; read > 0; read = (await source.read(piece)).bytesRead) {
        signal?.throwIfAborted();
        digest.update(piece.subarray(0, read));
        await target.writeFile(piece.subarray(0, read)).catch(refuse);
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
  return digest.digest("hex");

  function refuse(error: unknown): never {
    throw asWriteError(error, to);
  }
}

/** A link to a finished file is made only where the name is free. */
async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const finished = temporaryName(path);
  try {
    const file = await open(finished, "wx");
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(finished, path);
    await syncFolder(dirname(path));
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw new StoreFault("conflict", "it is there already", { cause: error });
    throw error;
  } finally {
    await rm(finished, { force: true });
  }
}

async function lockOf(path: string): Promise<{ release(): Promise<void> }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await acquireLock(path);
    } catch (error) {
      const isBusy = error instanceof PeError && error.code === "PE_OUTPUT_BUSY";
      if (!isBusy || attempt === LOCK_TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, LOCK_WAIT_MS * (0.5 + Math.random())));
    }
  }
}
