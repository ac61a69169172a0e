/** How a cluster is: what its engine sees of each process, and what the scheduler sees of each worker. */
import { asPeError } from "../../common/errors.ts";
import { readAccessFile } from "../../protocol/access-file.ts";
import { Client, type ClusterStatus } from "../client.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { Engine, ManagedCluster, Member } from "./engine.ts";

/** A cluster that does not answer for so long has no scheduler. */
const ANSWER_MS = 5000;

export interface ClusterView {
  readonly name: string;
  readonly engine: string;
  /** Undefined while it starts. */
  readonly address: string | undefined;
  readonly accessFile: string;
  /** How many workers it is to have. */
  readonly workers: number;
  /** What the scheduler says; undefined when it does not answer. */
  readonly seen: ClusterStatus | undefined;
  /** Why it does not. */
  readonly silence: string | undefined;
  readonly members: readonly MemberView[];
}

export interface MemberView extends Member {
  /** As the scheduler has it: `active`, `suspect`...; undefined when it has no such worker. */
  readonly joined?: ClusterStatus["workers"][number];
}

export async function viewCluster(engine: Engine, cluster: ManagedCluster): Promise<ClusterView> {
  const { name, folder, workers } = cluster;
  const { access: accessFile } = clusterFiles(folder);
  const address = (await readAccessFile(accessFile))?.url;
  const [members, seen] = await Promise.all([engine.list(cluster, false), ask(accessFile)]);
  const joined = new Map("workers" in seen ? seen.workers.map((worker) => [worker.name, worker]) : []);
  return {
    name,
    engine: engine.name,
    address,
    accessFile,
    workers,
    seen: "silence" in seen ? undefined : seen,
    silence: "silence" in seen ? seen.silence : undefined,
    members: members.map((member) => {
      const worker = member.role === "worker" ? joined.get(member.name) : undefined;
      return worker === undefined ? member : { ...member, joined: worker };
    }),
  };
}

/** Whether the scheduler answers, and every worker that was asked for computes. */
export function isWell({ seen, members, workers }: ClusterView): boolean {
  return seen !== undefined && members.filter(({ joined }) => joined?.state === "active").length >= workers;
}

async function ask(accessFile: string): Promise<ClusterStatus | { readonly silence: string }> {
  try {
    const client = await Client.connect(undefined, { accessFile, signal: AbortSignal.timeout(ANSWER_MS) });
    try {
      return await client.status();
    } finally {
      await client.close();
    }
  } catch (error) {
    return { silence: asPeError(error, "PE_CONNECTION", "Cannot ask the scheduler").message };
  }
}
