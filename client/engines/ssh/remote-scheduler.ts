/** The scheduler of a cluster on a host that ssh reaches. */
import { readFile } from "node:fs/promises";
import { PeError } from "../../../common/errors.ts";
import { isLoopback, PORT_DEFAULT, readAccessFile } from "../../../protocol/access-file.ts";
import { tlsFiles } from "../../../scheduler/access.ts";
import { Client } from "../../client.ts";
import { clusterFiles } from "../cluster-record.ts";
import type { ManagedCluster } from "../engine.ts";
import { makeClusterAccess } from "../own-scheduler.ts";
import type { SshClusterOptions } from "./options.ts";
import type { Bundle } from "./bundle.ts";
import { runScript } from "./connection.ts";
import type { SshHost } from "./hosts.ts";
import { prepareHost, type Machines } from "./machines.ts";
import { filesScript, startScript } from "./scripts.ts";

const ANSWER_MS = 10_000;

/**
 * Has a scheduler running at a host, with the tokens of the cluster, which are made when there are none, and waits until it
 * answers here.
 *
 * @throws {PeError} `PE_ENGINE`, `PE_ADDRESS`; `PE_CONNECTION` when its port does not let this machine in.
 */
export async function startRemoteScheduler(
  cluster: ManagedCluster<SshClusterOptions>,
  machines: Machines,
  host: SshHost,
  bundle: Bundle,
): Promise<void> {
  const { access } = clusterFiles(cluster.folder);
  const look = await prepareHost(machines, host, bundle);
  if ((await readAccessFile(access)) === undefined) {
    const address = cluster.options.address ?? addressForAll(look.address, host, cluster.options);
    await makeClusterAccess(cluster, [address], cluster.port ?? PORT_DEFAULT);
  }
  const { url } = (await readAccessFile(access))!;
  const { hostname, port } = new URL(url);
  const { cert, key } = tlsFiles("access.json");
  const own = tlsFiles(access);
  const { on } = machines;
  const files = filesScript(on, {
    [key]: await readFile(own.key, "utf8"),
    [cert]: await readFile(own.cert, "utf8"),
    "access.json": await readFile(access, "utf8"),
  });
  const listening = hostname.startsWith("[") ? "::" : "0.0.0.0";
  const where = ["--host", listening, "--port", port, "--journal", "journal", "--access-file", "access.json"];
  const start = startScript(on, [{ program: "scheduler", name: "scheduler", arguments: where }]);
  await runScript(host, machines.how, `${files}${start}`);
  cluster.tell(`scheduler runs at ${host.label}, port ${port}`);
  await answering(access, host, url);
}

async function answering(accessFile: string, host: SshHost, url: string): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  const client = await Client.connect(undefined, { accessFile, signal }).catch((error: unknown) => {
    throw new PeError(
      "PE_CONNECTION",
      `Cannot reach the scheduler, which runs at ${host.label}, as ${url} from here: open that port, name another address with ` +
        "--address, or another host with --scheduler-host",
      { cause: error },
    );
  });
  await client.close();
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
