/**
 * A cluster on hosts that ssh reaches, without Ansible: the package is copied where it is missing, scheduler and workers go on
 * by themselves as the user who logs in, with TLS and tokens made here.
 */
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { asPeError, PeError } from "../../common/errors.ts";
import { readAccessFile } from "../../protocol/access-file.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { Engine, ManagedCluster, Member } from "./engine.ts";
import { ownScheduler, removeClusterAccess, startOwnScheduler, stopOwnScheduler } from "./own-scheduler.ts";
import { openBundle, removeBundles, type Bundle } from "./ssh/bundle.ts";
import { byHost, placeWorkers, type Placed, type SshHost } from "./ssh/hosts.ts";
import { forEachHost, listHost, prepareHost, removeFrom, startWorkers, stopAt, type Machines } from "./ssh/machines.ts";
import { HOST_ARGUMENT, readOptions, SSH_OPTIONS, type SshClusterOptions } from "./ssh/options.ts";
import { addressForAll, isTunnelled, startRemoteScheduler } from "./ssh/remote-scheduler.ts";
import { closeTunnel, isTunnelUp, type Tunnel } from "./ssh/tunnel.ts";

/** More workers than this were never started, or have ended. */
export interface SshKept {
  readonly most: number;
}

type Cluster = ManagedCluster<SshClusterOptions, SshKept>;

export const ssh: Engine<SshClusterOptions, SshKept> = {
  name: "ssh",
  where: "on hosts that ssh reaches",
  argument: HOST_ARGUMENT,
  options: SSH_OPTIONS,
  examples: [
    "pe-client cluster ssh start lab1 lab2 me@lab3:2222",
    "pe-client cluster ssh start --hosts-file hosts.txt --scheduler-host here --threads 16",
  ],
  joinSeconds: 60,

  read: readOptions,

  start: async (cluster) => {
    const { scheduler } = cluster.options;
    const bundle = await bundleOf(cluster);
    if (scheduler !== undefined) await startRemoteScheduler(cluster, machinesOf(cluster), scheduler, bundle);
    else await startOwnScheduler(cluster, { hosts: [await ownAddress(cluster, bundle)] });
  },

  scale: async (cluster, workers, drainSeconds) => {
    const machines = machinesOf(cluster);
    const all = placeWorkers(cluster.options.hosts, Math.max(mostOf(cluster), workers));
    await cluster.keep({ most: all.length });
    const problems = await forEachHost(
      byHost(all.slice(workers)),
      async ({ host, here }) => await stopAt(machines, host, here, drainSeconds),
    );
    const bundle = await bundleOf(cluster);
    const starting = await forEachHost(byHost(all.slice(0, workers)), async ({ host, here }) => {
      await prepareHost(machines, host, bundle);
      await startWorkers(machines, cluster, host, here);
    });
    problems.push(...starting);
    if (problems.length > 0) throw together("Cannot have all workers as asked for", problems);
    await cluster.keep({ most: workers });
  },

  list: async (cluster, words) => {
    const machines = machinesOf(cluster);
    const { scheduler, hosts } = cluster.options;
    const placed = [...placeScheduler(cluster), ...placeWorkers(hosts, cluster.workers)];
    const found = new Map<Placed, Member>();
    await forEachHost(byHost(placed), async ({ host, here }) => {
      const members = await listHost(machines, host, here, words);
      for (const [at, process] of here.entries()) found.set(process, members[at]!);
    });
    const own = scheduler === undefined ? [await ownScheduler(cluster, words)] : [];
    const members = [...own, ...placed.map((process) => found.get(process)!)];
    return (await isCutOff(cluster)) ? members.map(cutOff) : members;
  },

  stop: async (cluster, { drainSeconds, purge }) => {
    const { scheduler, hosts } = cluster.options;
    const machines = machinesOf(cluster);
    const workers = placeWorkers(hosts, Math.max(mostOf(cluster), cluster.workers, hosts.length));
    const problems = await forEachHost(
      byHost(workers),
      async ({ host, here }) => await stopAt(machines, host, here, drainSeconds),
    );
    if (scheduler === undefined) await stopOwnScheduler(cluster, drainSeconds);
    const rest = await forEachHost(byHost([...placeScheduler(cluster), ...workers]), async ({ host, here }) => {
      await stopAt(machines, host, here, drainSeconds);
      await removeFrom(machines, host, purge);
    });
    if (scheduler !== undefined) await closeTunnel(tunnelTo(cluster, scheduler));
    if (problems.length + rest.length > 0) throw together("Cannot tell that all has ended", [...problems, ...rest]);
    await removeClusterAccess(cluster);
    await removeBundles(cluster.folder);
  },
};

function mostOf({ kept }: Cluster): number {
  return kept()?.most ?? 0;
}

/** Nowhere by ssh when it is on this machine. */
function placeScheduler({ options: { scheduler } }: Cluster): Placed[] {
  return scheduler === undefined ? [] : [{ host: scheduler, program: "scheduler", name: "scheduler" }];
}

function machinesOf({ name, folder, options }: Cluster): Machines {
  const { identity, sshOptions, node, folder: there } = options;
  // Of two users, or two machines, who start clusters of one name on the same hosts, each has a folder of its own.
  const owner = createHash("sha256").update(`${hostname()} ${folder}`).digest("hex").slice(0, 8);
  return {
    how: { ...(identity !== undefined && { identity }), options: sshOptions },
    on: { folder: `${there}/${name}-${owner}`, node },
  };
}

function tunnelTo(cluster: Cluster, host: SshHost): Tunnel {
  return { host, how: machinesOf(cluster).how, folder: cluster.folder };
}

/** Whether commands here go through an ssh that has ended, as after a sleep of this machine. */
async function isCutOff(cluster: Cluster): Promise<boolean> {
  const { scheduler } = cluster.options;
  const { access, workerAccess } = clusterFiles(cluster.folder);
  const [own, others] = await Promise.all([access, workerAccess].map(readAccessFile));
  if (scheduler === undefined || own === undefined || others === undefined) return false;
  return isTunnelled(own.url, others.url) && !(await isTunnelUp(tunnelTo(cluster, scheduler)));
}

function cutOff(member: Member): Member {
  if (member.role !== "scheduler" || member.state !== "running") return member;
  return { ...member, state: "unreachable", reason: "the way through ssh has ended; start makes it anew" };
}

async function bundleOf({ options, folder, tell }: Cluster): Promise<Bundle> {
  return await openBundle(options.package, folder, tell);
}

/** The address of this machine that hosts see. */
async function ownAddress(cluster: Cluster, bundle: Bundle): Promise<string> {
  const { address, hosts } = cluster.options;
  if (address !== undefined) return address;
  const problems: PeError[] = [];
  for (const host of hosts)
    try {
      return addressForAll((await prepareHost(machinesOf(cluster), host, bundle)).from, host, cluster.options);
    } catch (error) {
      problems.push(asPeError(error, "PE_ENGINE", `Cannot ask ${host.label}`));
    }
  throw together("Cannot tell which address of this machine hosts see", problems);
}

/** One error of what went wrong at several hosts. */
function together(what: string, problems: readonly PeError[]): PeError {
  const [first] = problems;
  const texts = [...new Set(problems.map(({ message }) => message))];
  return new PeError(first!.code, `${what}: ${texts.join("; ")}`, { cause: first });
}
