/** Starting this very program as a process that goes on when its terminal and whoever started it are gone. */
import { spawn, type ChildProcess } from "node:child_process";
import { open, readFile, rename, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ERROR_CODES, PeError, type ErrorCode } from "../../common/errors.ts";
import { asWriteError } from "../durable.ts";
import { makeFolders } from "../folders.ts";
import { isHeld, pidIn } from "./pid-file.ts";

/** A longer log is put aside when the next process starts. */
const LOG_BYTES_MAX = 16 << 20;
const LOOK_MS = 50;

export interface Detaching {
  readonly pidFile: string;
  /** Where stdout and stderr of the process go, after what is there. */
  readonly logFile: string;
  /** File of the program and its arguments, without those that say where it is started. */
  readonly command: readonly [main: string, ...args: string[]];
}

export interface Detached {
  /** False when one ran already. */
  readonly started: boolean;
  readonly pid: number;
}

/**
 * Starts the program in a session of its own and resolves when it is up, which it says by its pid file
 * (`PidFile.announce`). Starts nothing when the pid file belongs to a process that lives.
 *
 * @throws {PeError} What the process said when it ended at once; `PE_OUTPUT_UNWRITABLE` when the log cannot be written.
 */
export async function detach({ pidFile, logFile, command }: Detaching): Promise<Detached> {
  for (;;) {
    const pid = await upOrGone(pidFile);
    if (pid !== undefined) return { started: false, pid };
    const log = await openLog(logFile);
    let child: ChildProcess;
    const { size: begin } = await log.stat();
    try {
      const args = [...process.execArgv, ...command, "--pid-file", resolve(pidFile)];
      child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log.fd, log.fd] });
    } finally {
      await log.close();
    }
    const status = await upOrEnded(child, pidFile);
    if (status === undefined) return { started: true, pid: child.pid! };
    // Of two that were started at once, one has the file.
    if (!(await isHeld(pidFile))) throw lastWords(logFile, await readFile(logFile), begin, status);
  }
}

/** Number of a process that has the file, once it is up; undefined when none has it. */
async function upOrGone(pidFile: string): Promise<number | undefined> {
  while (await isHeld(pidFile)) {
    const pid = await pidIn(pidFile);
    if (pid !== undefined) return pid;
    await sleep(LOOK_MS);
  }
  return undefined;
}

/** Undefined when it is up, else how it ended. */
async function upOrEnded(child: ChildProcess, pidFile: string): Promise<string | undefined> {
  const ended = new Promise<string>((done) => {
    child.once("error", (error) => done(`it cannot start: ${error.message}`));
    child.once("exit", (status, signal) => done(signal === null ? `exit status ${status}` : `signal ${signal}`));
  });
  for (;;) {
    const how = await Promise.race([ended, sleep(LOOK_MS)]);
    if (how !== undefined) return how;
    if ((await pidIn(pidFile)) === child.pid) break;
  }
  child.unref();
  return undefined;
}

async function openLog(path: string) {
  try {
    await makeFolders(dirname(resolve(path)), 0o700);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.size > LOG_BYTES_MAX) await rename(path, `${path}.1`);
    return await open(path, "a", 0o600);
  } catch (error) {
    throw asWriteError(error, path);
  }
}

/** The error that the process told at its end, as the error of whoever started it. */
function lastWords(logFile: string, log: Buffer, begin: number, how: string): PeError {
  const said = log.subarray(begin).toString("utf8");
  const [, text, code = ""] = [...said.matchAll(/^pe-\w+: (.+) \[(PE_[A-Z_]+)\]$/gm)].at(-1) ?? [];
  if (text !== undefined && Object.hasOwn(ERROR_CODES, code)) return new PeError(code as ErrorCode, text);
  return new PeError("PE_UNEXPECTED", `Cannot start: the process ended with ${how}; "${logFile}" has what it said`);
}
