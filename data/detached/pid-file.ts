/**
 * The pid file of a process that goes on by itself. Whoever has it has its lock too, which ends with the process however that
 * ends: a file that a killed process left names nobody, even when its number belongs to another process by now.
 */
import { readFile, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { PeError } from "../../common/errors.ts";
import { writeDurably } from "../durable.ts";
import { makeFolders } from "../folders.ts";
import { acquireLock, isLocked } from "../lock.ts";

/** Numbers of processes are far below this everywhere. */
const PID_MAX = 2 ** 31;

export interface PidFile {
  /** Writes the number of this process: it is up. */
  readonly announce: () => Promise<void>;
  /** Removes the file. The lock stays until the process has ended: whoever waits for that sees it by the lock. */
  readonly withdraw: () => Promise<void>;
}

/**
 * Takes a pid file for this process; the file itself is there once `announce` was called.
 *
 * @throws {PeError} `PE_OUTPUT_BUSY` when another process has it, `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`
 */
export async function holdPidFile(path: string): Promise<PidFile> {
  const file = resolve(path);
  await makeFolders(dirname(file), 0o700);
  await acquireLock(file).catch((error: unknown) => {
    if (!(error instanceof PeError) || error.code !== "PE_OUTPUT_BUSY") throw error;
    const { holder } = error.details;
    const who = typeof holder === "string" ? holder : "another process";
    const message = `Cannot start with the pid file "${path}": it belongs to ${who}; stop that one or name another file`;
    throw new PeError("PE_OUTPUT_BUSY", message, { cause: error });
  });
  return {
    announce: async () => await writeDurably(file, Buffer.from(`${process.pid}\n`)),
    withdraw: async () => await rm(file, { force: true }),
  };
}

/** Number of the process that has the pid file and is up; undefined when there is none. */
export async function pidIn(path: string): Promise<number | undefined> {
  if (!(await isHeld(path))) return undefined;
  const text = await readFile(path, "utf8").catch(() => "");
  const pid = /^\d{1,10}\n$/.test(text) ? Number(text) : 0;
  return pid > 0 && pid < PID_MAX ? pid : undefined;
}

/** Whether a process has the pid file, be it up or about to be. */
export async function isHeld(path: string): Promise<boolean> {
  return await isLocked(resolve(path));
}
