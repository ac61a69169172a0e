/**
 * Files that are either the old one or the new one, whole, whatever happens: written to a temporary file beside the
 * target, fsynced, renamed over it, and the folder fsynced.
 *
 * Temporary files are hidden and named `.<target>.<host>-<pid>-<random>.tmp`. A killed run leaves one behind; the
 * first write of the next process into that folder removes those whose process is gone.
 */
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { PeError } from "../common/errors.ts";
import { errnoOf } from "./errno.ts";

/** A temporary file of another host is taken for abandoned after this time. */
const ABANDONED_AFTER_MS = 7 * 24 * 3600 * 1000;

const HOST = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

/**
 * Replaces `path` by `bytes`, durably.
 *
 * @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`; the old file is then untouched.
 */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  await writePiecesDurably(path, [bytes]);
}

/** The same for bytes that lie in several places, one after the other. */
export async function writePiecesDurably(path: string, pieces: readonly Uint8Array[]): Promise<void> {
  await replaceDurably(path, async (temporary) => {
    const file = await open(temporary, "wx");
    try {
      for (const piece of pieces) await file.writeFile(piece);
    } finally {
      await file.close();
    }
  });
}

/**
 * Replaces `path` by the file that `write` makes under the temporary name it is given. The temporary file is removed
 * when `write` throws.
 *
 * @throws {PeError} `PE_DISK_FULL`, `PE_OUTPUT_UNWRITABLE`, and whatever `write` throws.
 */
export async function replaceDurably<Result>(
  path: string,
  write: (temporary: string) => Promise<Result>,
): Promise<Result> {
  const target = resolve(path);
  await assertWritable(target);
  await removeAbandoned(dirname(target));
  const temporary = temporaryName(target);
  try {
    const result = await write(temporary);
    await syncFile(temporary);
    await rename(temporary, target);
    await syncFolder(dirname(target));
    return result;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw asWriteError(error, path);
  }
}

/** `error` of the file system as what the user can do about it; a `PeError` stays as it is. */
export function asWriteError(error: unknown, path: string): unknown {
  if (error instanceof PeError) return error;
  const code = errnoOf(error) ?? "";
  const options = { cause: error, details: { path, errno: code } };
  if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG")
    return new PeError("PE_DISK_FULL", `Cannot write "${path}": the disk is full; make room and run again`, options);
  const reason = UNWRITABLE[code];
  return reason === undefined
    ? error
    : new PeError("PE_OUTPUT_UNWRITABLE", `Cannot write "${path}": ${reason}`, options);
}

const UNWRITABLE: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist; make the folder or name another output",
  ENOTDIR: "a part of its path is a file, not a folder; name another output",
  EACCES: "no permission; change the permissions of its folder or name another output",
  EPERM: "no permission; change the permissions of its folder or name another output",
  EROFS: "the file system is read-only; name another output",
  EISDIR: "a folder has that name; remove it or name another output",
  EEXIST: "something else has that name; remove it or name another output",
  ENAMETOOLONG: "the name is too long; name another output",
  ELOOP: "its path goes round in links; name another output",
};

async function assertWritable(target: string): Promise<void> {
  try {
    const found = await stat(target).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (found?.isDirectory()) throw Object.assign(new Error("is a folder"), { code: "EISDIR" });
    await access(dirname(target), constants.W_OK);
  } catch (error) {
    throw asWriteError(error, target);
  }
}

/** A name beside `target` that nobody else uses, and that a later process recognises as abandoned when this one is gone. */
export function temporaryName(target: string): string {
  return join(dirname(target), `.${basename(target)}.${ownName()}.tmp`);
}

/** A name that nobody else uses, and that says whose it is. */
export function ownName(): string {
  return `${HOST}-${process.pid}-${randomBytes(4).toString("hex")}`;
}

/** Whether a name ends in `ownName` of a process of this host that is gone. */
export function isAbandoned(name: string): boolean {
  const [, host, pid] = /([0-9a-f]{8})-(\d+)-[0-9a-f]{8}$/.exec(name) ?? [];
  return host === HOST && !isAlive(Number(pid));
}

/** Folders that this process has looked through: a part folder holds thousands of files and is written to as often. */
const looked = new Set<string>();

/** Removes what killed writers left in `folder`; those that live, of this host or another, keep theirs. */
async function removeAbandoned(folder: string): Promise<void> {
  if (looked.has(folder)) return;
  looked.add(folder);
  for (const name of await readdir(folder).catch(() => [])) {
    const owner = /^\..+\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp$/.exec(name);
    if (owner === null) continue;
    const path = join(folder, name);
    if (owner[1] === HOST ? isAlive(Number(owner[2])) : !(await isOld(path))) continue;
    await rm(path, { force: true }).catch(() => undefined);
  }
}

/** Whether a process of this machine has this id; one of another user counts. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === "EPERM";
  }
}

async function isOld(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS;
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable: what was created, renamed or linked there. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; its renames are durable with the file.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
