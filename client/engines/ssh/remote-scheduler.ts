/** The scheduler of a cluster on a host that ssh reaches. */
import { readFile } from "node:fs/promises";
import { PeError } from "../../../common/errors.ts";
import { isLoopback, PORT_DEFAULT, readAccessFile, type Access } from "../../../protocol/access-file.ts";
import { tlsFiles, writeAccess } from "../../../scheduler/access.ts";
import { whyNoAnswer } from "../answering.ts";
import { clusterFiles } from "../cluster-record.ts";
import type { ManagedCluster } from "../engine.ts";
import { freePort, makeClusterAccess } from "../own-scheduler.ts";
import type { SshClusterOptions } from "./options.ts";
import type { Bundle } from "./bundle.ts";
import { runScript } from "./connection.ts";
import type { SshHost } from "./hosts.ts";
import { prepareHost, type Machines } from "./machines.ts";
import { filesScript, startScript } from "./scripts.ts";
import { closeTunnel, openTunnel, type Tunnel } from "./tunnel.ts";

const ANSWER_MS = 5000;

/**
 * Has a scheduler running at a host, with the tokens of the cluster, which are made when there are none, and waits until it
 * answers here: at its port, or through ssh where that does not let this machine in.
 *
 * @throws {PeError} `PE_ENGINE`, `PE_ADDRESS`, `PE_CONNECTION`
 */
export async function startRemoteScheduler(
  cluster: ManagedCluster<SshClusterOptions>,
  machines: Machines,
  host: SshHost,
  bundle: Bundle,
): Promise<void> {
  const { access, workerAccess } = clusterFiles(cluster.folder);
  const look = await prepareHost(machines, host, bundle);
  if ((await readAccessFile(access)) === undefined) {
    const address = cluster.options.address ?? addressForAll(look.address, host, cluster.options);
    await makeClusterAccess(cluster, [address], cluster.port ?? PORT_DEFAULT);
  }
  // That of clients may lead through ssh.
  const url = (await neededAccess(workerAccess)).url;
  const { hostname, port } = new URL(url);
  const { cert, key } = tlsFiles("access.json");
  const own = tlsFiles(access);
  const { on } = machines;
  const files = filesScript(on, {
    [key]: await readFile(own.key, "utf8"),
    [cert]: await readFile(own.cert, "utf8"),
    "access.json": JSON.stringify({ ...(await neededAccess(access)), url }),
  });
  const listening = hostname.startsWith("[") ? "::" : "0.0.0.0";
  const where = ["--host", listening, "--port", port, "--journal", "journal", "--access-file", "access.json"];
  const start = startScript(on, [{ program: "scheduler", name: "scheduler", arguments: where }]);
  await runScript(host, machines.how, `${files}${start}`);
  cluster.tell(`scheduler runs at ${host.label}, port ${port}`);
  await reach(cluster, { host, how: machines.how, folder: cluster.folder }, url);
}

/** Has an access file here with an address at which the scheduler answers. */
async function reach(cluster: ManagedCluster, tunnel: Tunnel, url: string): Promise<void> {
  const { access } = clusterFiles(cluster.folder);
  const known = await neededAccess(access);
  const ask = async (at: string): Promise<unknown> =>
    await whyNoAnswer({ accessFile: access, url: at, patienceMs: ANSWER_MS });
  const direct = await ask(url);
  if (direct === undefined) {
    await closeTunnel(tunnel);
    return await writeAccess(access, { ...known, url });
  }
  // The port that it had, for commands that run.
  const port = isTunnelled(known.url, url) ? Number(new URL(known.url).port) : await freePort();
  cluster.tell(`${url} does not answer here: going through ssh, from port ${port} of this machine`);
  await openTunnel(tunnel, port, Number(new URL(url).port));
  await writeAccess(access, { ...known, url: `wss://127.0.0.1:${port}` });
  const error = await ask(`wss://127.0.0.1:${port}`);
  if (error === undefined) return;
  await closeTunnel(tunnel);
  throw new PeError(
    "PE_CONNECTION",
    `Cannot reach the scheduler, which runs at ${tunnel.host.label}, as ${url} or through ssh: open its port, name another ` +
      "address with --address, or another host with --scheduler-host",
    { cause: error },
  );
}

/** Whether clients here have another address than workers. */
export function isTunnelled(clientUrl: string, workerUrl: string): boolean {
  return clientUrl !== workerUrl;
}

async function neededAccess(path: string): Promise<Access> {
  const access = await readAccessFile(path);
  if (access !== undefined) return access;
  throw new PeError("PE_ACCESS", `Cannot use the cluster: "${path}" is gone; stop it and start it again`);
}

/**
 * An address that ssh has told, for all hosts.
 *
 * @param host That told it.
 * @throws {PeError} `PE_ENGINE` when there is none, or none that other hosts could use.
 */
export function addressForAll(address: string, host: SshHost, { hosts }: SshClusterOptions): string {
  const advice = "name one that all hosts reach with --address";
  if (address === "")
    throw new PeError(
      "PE_ENGINE",
      `Cannot tell the address of the scheduler: ssh to ${host.label} does not say; ${advice}`,
    );
  if (isLoopback(address) && hosts.some(({ target }) => target !== host.target))
    throw new PeError(
      "PE_ENGINE",
      `Cannot use ${address} for the scheduler: it is how ssh to ${host.label} goes, but another machine at other hosts; ${advice}`,
    );
  return address.replace(/%.*$/, "");
}
