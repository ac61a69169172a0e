/**
 * One writer per output, on one machine.
 *
 * On Linux the lock is a socket in the abstract namespace, named from the folder's device and inode and the file's
 * name: the kernel refuses a second one and removes it when its process ends, however it ends; no file is left behind.
 * Whoever connects to it is told who holds it. Containers have their own namespace each: two of them that share a
 * folder do not see each other's locks.
 *
 * Elsewhere the lock is a file `.<name>.lock` beside the output that names the process; the lock of a process that is
 * gone is taken over.
 */
import { createHash } from "node:crypto";
import { open, readFile, rm, stat } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { Server } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { PeError } from "../common/errors.ts";
import { asWriteError, isAlive } from "./durable.ts";
import { errnoOf } from "./errno.ts";

export interface Lock {
  /** Gives the lock back; harmless when called again. */
  release(): Promise<void>;
}

/** How long the holder may take to say who it is. */
const ASK_MS = 1000;

const METHOD = process.platform === "linux" ? "socket" : "file";

/**
 * Takes the lock of the output `path`, whose folder must exist. It does not keep the process alive.
 *
 * @param options.method For tests; by default what the machine has.
 * @throws {PeError} `PE_OUTPUT_BUSY` with the holder as far as known, `PE_OUTPUT_UNWRITABLE` when there is no folder.
 */
export async function acquireLock(
  path: string,
  { method = METHOD }: { method?: "socket" | "file" } = {},
): Promise<Lock> {
  const target = resolve(path);
  const holder = `process ${process.pid}, since ${new Date().toISOString()}`;
  try {
    const name = await socketName(target);
    return method === "socket" ? await lockSocket(path, name, holder) : await lockFile(path, target, holder);
  } catch (error) {
    throw asWriteError(error, path);
  }
}

/** Whether a process that lives holds the lock of the output `path`. */
export async function isLocked(
  path: string,
  { method = METHOD }: { method?: "socket" | "file" } = {},
): Promise<boolean> {
  const target = resolve(path);
  if (method === "file") {
    const pid = Number(/^process (\d+)/.exec(await readFile(lockName(target), "utf8").catch(() => ""))?.[1] ?? NaN);
    return !Number.isNaN(pid) && isAlive(pid);
  }
  const name = await socketName(target).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  });
  return name !== undefined && (await isListening(name));
}

/** The kernel takes 107 bytes of name; a hash fits whatever the file is called. */
async function socketName(target: string): Promise<string> {
  const folder = await stat(dirname(target), { bigint: true });
  const identity = `${folder.dev}:${folder.ino}:${basename(target)}`;
  return `\0pe-cluster-${createHash("sha256").update(identity).digest("hex")}`;
}

function isListening(name: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ path: name }, () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}

async function lockSocket(path: string, name: string, holder: string): Promise<Lock> {
  const server = createServer((asking) => {
    asking.on("error", () => undefined);
    asking.end(holder);
  });
  // A worker of a cluster module would otherwise share the socket with its parent, lock and all.
  const listening = await listen(server, name);
  if (!listening) throw busy(path, await askHolder(name));
  server.unref();
  return {
    release: () =>
      new Promise((done) => {
        server.close(() => done());
      }),
  };
}

function listen(server: Server, name: string): Promise<boolean> {
  return new Promise((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? done(false) : fail(error)));
    server.listen({ path: name, exclusive: true }, () => done(true));
  });
}

/** What the holder says of itself, or undefined: it may be stopped, or gone by now. */
function askHolder(name: string): Promise<string | undefined> {
  return new Promise((done) => {
    let answer = "";
    const socket = connect({ path: name });
    const finish = (): void => {
      socket.destroy();
      done(answer === "" ? undefined : answer);
    };
    socket.setTimeout(ASK_MS, finish);
    socket.on("data", (piece) => (answer = (answer + piece.toString("utf8")).slice(0, 200)));
    socket.on("error", finish);
    socket.on("close", finish);
  });
}

async function lockFile(path: string, target: string, holder: string): Promise<Lock> {
  const name = lockName(target);
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(name, "wx");
      await file.writeFile(holder);
      await file.close();
      return { release: () => rm(name, { force: true }) };
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    const other = await readFile(name, "utf8").catch(() => "");
    const pid = Number(/^process (\d+)/.exec(other)?.[1] ?? NaN);
    if (Number.isNaN(pid) || pid === process.pid || isAlive(pid)) throw busy(path, other || undefined);
    await rm(name, { force: true });
  }
  throw busy(path, undefined);
}

function lockName(target: string): string {
  return join(dirname(target), `.${basename(target)}.lock`);
}

function busy(path: string, holder: string | undefined): PeError {
  const who = holder ?? "another process, which does not say which";
  const message = `Cannot write "${path}": ${who} is writing it; wait until it ends or name another output`;
  return new PeError("PE_OUTPUT_BUSY", message, { details: { path, holder } });
}
