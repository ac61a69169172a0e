/**
 * A way to the scheduler through ssh, where its port does not let this machine in: an ssh that goes on by itself, and that is
 * found again by its control socket.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { PeError } from "../../../common/errors.ts";
import { makeFolders } from "../../../data/folders.ts";
import { clusterFiles } from "../cluster-record.ts";
import { lastWords } from "../programs.ts";
import { asSshError, sshArguments, type SshOptions } from "./connection.ts";
import type { SshHost } from "./hosts.ts";

/** Paths of sockets are short everywhere. */
const SOCKET_LENGTH_MAX = 90;

export interface Tunnel {
  readonly host: SshHost;
  readonly how: SshOptions;
  /** Of the cluster. */
  readonly folder: string;
}

/**
 * Has a tunnel from a port of the loopback to one of the host.
 *
 * @throws {PeError} `PE_ENGINE` with ssh's own words.
 */
export async function openTunnel(tunnel: Tunnel, fromPort: number, toPort: number): Promise<void> {
  if (await isTunnelUp(tunnel)) return;
  const { logs } = clusterFiles(tunnel.folder);
  await makeFolders(logs, 0o700);
  const logFile = join(logs, "tunnel.log");
  const forward = ["-f", "-N", "-M", "-L", `127.0.0.1:${fromPort}:localhost:${toPort}`];
  // It goes on when this process has ended: with a pipe to it, whoever reads the pipe would wait for ever.
  const log = await open(logFile, "a", 0o600);
  let status: number | null;
  try {
    status = await run(tunnel, [...forward, "-o", "ExitOnForwardFailure=yes"], log.fd);
  } finally {
    await log.close();
  }
  if (status === 0) return;
  const said = (await lastWords(logFile)).split("\n").at(-1) ?? "";
  throw new PeError(
    "PE_ENGINE",
    `Cannot make a way through ssh to ${tunnel.host.label}: ${said || `status ${status}`}`,
  );
}

export async function isTunnelUp(tunnel: Tunnel): Promise<boolean> {
  return (await run(tunnel, ["-O", "check"], "ignore")) === 0;
}

/** None is fine too. */
export async function closeTunnel(tunnel: Tunnel): Promise<void> {
  await run(tunnel, ["-O", "exit"], "ignore");
}

async function run({ host, how, folder }: Tunnel, more: readonly string[], stderr: number | "ignore") {
  const socket = join(folder, "tunnel");
  if (socket.length > SOCKET_LENGTH_MAX)
    throw new PeError(
      "PE_ENGINE",
      `Cannot make a way through ssh: the path "${socket}" is too long; give a short --name`,
    );
  const args = sshArguments(host, how, ["-S", socket, ...more]);
  const child = spawn("ssh", args, { stdio: ["ignore", "ignore", stderr], detached: true });
  try {
    const [status] = (await once(child, "exit")) as [number | null];
    return status;
  } catch (error) {
    throw asSshError(error);
  }
}
