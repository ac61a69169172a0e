/** The scheduler of a cluster as a process that goes on by itself on this machine. */
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { PeError } from "../../common/errors.ts";
import { detach } from "../../data/detached/detach.ts";
import { pidIn } from "../../data/detached/pid-file.ts";
import { stopDetached } from "../../data/detached/stop.ts";
import { PORT_DEFAULT, readAccessFile } from "../../protocol/access-file.ts";
import { makeAccess, tlsFiles } from "../../scheduler/access.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { ManagedCluster, Member } from "./engine.ts";
import { lastWords, programMain } from "./programs.ts";

/** Who reaches the scheduler. */
export type Reach =
  | "loopback"
  /** Other machines, under these names or addresses, the first of which they are told: with TLS. */
  | { readonly hosts: readonly [string, ...string[]] };

/**
 * Has a scheduler running; it has its journal and its tokens in the folder of the cluster, and the port it had before.
 *
 * @throws {PeError} `PE_ADDRESS` and whatever else `pe-scheduler` ends with
 */
export async function startOwnScheduler(cluster: ManagedCluster, reach: Reach): Promise<void> {
  const { access, journal } = clusterFiles(cluster.folder);
  const known = await readAccessFile(access);
  const port = known === undefined ? (cluster.port ?? (await freePort())) : Number(new URL(known.url).port);
  if (known === undefined && reach !== "loopback") await makeClusterAccess(cluster, reach.hosts, port);
  const listening = reach === "loopback" ? "127.0.0.1" : "0.0.0.0";
  const where = ["--host", listening, "--port", String(port)];
  const { pid, started } = await detach({
    ...processFiles(cluster.folder, "scheduler"),
    command: [programMain("scheduler"), ...where, "--journal", journal, "--access-file", access],
  });
  cluster.tell(`scheduler ${started ? "started" : "runs already"}: process ${pid}, port ${port}`);
}

/**
 * Makes tokens and certificates of a cluster that other machines reach; both access files, 0600.
 *
 * @param hosts Names or addresses of the scheduler, the first of them in the files.
 */
export async function makeClusterAccess(
  { folder }: ManagedCluster,
  hosts: readonly [string, ...string[]],
  port: number,
): Promise<void> {
  const { access, workerAccess } = clusterFiles(folder);
  const [first] = hosts;
  const url = `wss://${first.includes(":") ? `[${first}]` : first}:${port}`;
  await makeAccess({ url, hosts, file: access, workerFile: workerAccess });
}

/** Removes tokens, certificate and key: whoever has a copy has nothing from now on. */
export async function removeClusterAccess({ folder }: ManagedCluster): Promise<void> {
  const { access, workerAccess } = clusterFiles(folder);
  for (const path of [access, workerAccess, ...Object.values(tlsFiles(access))]) await rm(path, { force: true });
}

export async function stopOwnScheduler({ folder }: ManagedCluster, drainSeconds: number): Promise<void> {
  await stopDetached(processFiles(folder, "scheduler").pidFile, drainSeconds * 1000);
}

export async function ownScheduler({ folder }: ManagedCluster, words: boolean): Promise<Member> {
  return await ownMember(folder, { role: "scheduler", name: "scheduler" }, "scheduler", words);
}

/** A process of `processFiles` as a member. */
export async function ownMember(
  folder: string,
  who: Pick<Member, "role" | "name">,
  file: string,
  words: boolean,
): Promise<Member> {
  const { pidFile, logFile } = processFiles(folder, file);
  const pid = await pidIn(pidFile);
  return {
    ...who,
    host: hostname(),
    ...(pid === undefined
      ? { state: "gone", reason: `see ${logFile}` }
      : { state: "running", process: `process ${pid}` }),
    ...(words && { words: await lastWords(logFile) }),
  };
}

/** Where a process of the cluster on this machine has its pid file and its log. */
export function processFiles(folder: string, name: string): { readonly pidFile: string; readonly logFile: string } {
  return { pidFile: join(folder, `${name}.pid`), logFile: join(clusterFiles(folder).logs, `${name}.log`) };
}

/** The usual one, or where another scheduler has it, any. */
export async function freePort(): Promise<number> {
  for (const port of [PORT_DEFAULT, 0]) {
    const found = await tryPort(port);
    if (found !== undefined) return found;
  }
  throw new PeError("PE_ADDRESS", "Cannot find a free port on this machine: name one with --port");
}

/** Its number where it is free now, on all addresses. */
function tryPort(port: number): Promise<number | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(undefined));
    server.listen({ port, host: "0.0.0.0", exclusive: true }, () => {
      const address = server.address();
      server.close(() => done(typeof address === "object" ? address?.port : undefined));
    });
  });
}
