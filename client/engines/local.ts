/** A cluster on this machine: a scheduler on the loopback, and workers that are processes of their own. */
import { readdir } from "node:fs/promises";
import { detach } from "../../data/detached/detach.ts";
import { stopDetached } from "../../data/detached/stop.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { Engine, ManagedCluster, Member } from "./engine.ts";
import {
  ownMember,
  ownScheduler,
  processFiles,
  removeClusterAccess,
  startOwnScheduler,
  stopOwnScheduler,
} from "./own-scheduler.ts";
import { programMain } from "./programs.ts";

/** Two at once on each core: a worker takes half a second of one to start. */
const STARTS_AT_ONCE = 4;

export const local: Engine<Record<string, never>> = {
  name: "local",
  where: "on this machine",
  options: [],
  examples: ["pe-client cluster local start", "pe-client cluster local start --name trial --workers 2 --threads 4"],
  joinSeconds: 60,

  read: async () => ({ options: {}, workers: 1 }),

  start: async (cluster) => await startOwnScheduler(cluster, "loopback"),

  scale: async (cluster, workers, drainSeconds) => {
    const leaving = (await workerNumbers(cluster)).filter((number) => number > workers);
    await Promise.all(leaving.map(async (number) => await stopWorker(cluster, number, drainSeconds)));
    const numbers = Array.from({ length: workers }, (_, index) => index + 1);
    for (let at = 0; at < workers; at += STARTS_AT_ONCE)
      await Promise.all(
        numbers.slice(at, at + STARTS_AT_ONCE).map(async (number) => await startWorker(cluster, number)),
      );
  },

  list: async (cluster, words) => {
    const asked = Array.from({ length: cluster.workers }, (_, index) => index + 1);
    const numbers = [...new Set([...asked, ...(await workerNumbers(cluster))])];
    return [
      await ownScheduler(cluster, words),
      ...(await Promise.all(numbers.map(async (number) => await workerMember(cluster, number, words)))),
    ];
  },

  stop: async (cluster, { drainSeconds }) => {
    const numbers = await workerNumbers(cluster);
    await Promise.all(numbers.map(async (number) => await stopWorker(cluster, number, drainSeconds)));
    await stopOwnScheduler(cluster, drainSeconds);
    await removeClusterAccess(cluster);
  },
};

async function startWorker(cluster: ManagedCluster, number: number): Promise<void> {
  const { access } = clusterFiles(cluster.folder);
  const command = [programMain("worker"), "--access-file", access, "--name", nameOf(cluster, number)] as const;
  await detach({ ...workerFiles(cluster, number), command: [...command, ...cluster.workerArguments] });
}

async function stopWorker(cluster: ManagedCluster, number: number, drainSeconds: number): Promise<void> {
  await stopDetached(workerFiles(cluster, number).pidFile, drainSeconds * 1000);
}

async function workerMember(cluster: ManagedCluster, number: number, words: boolean): Promise<Member> {
  return await ownMember(cluster.folder, { role: "worker", name: nameOf(cluster, number) }, `worker-${number}`, words);
}

/** Of workers that have a pid file: they run, or were killed. */
async function workerNumbers({ folder }: ManagedCluster): Promise<number[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => /^worker-(\d+)\.pid$/.exec(name)?.slice(1).map(Number) ?? []).sort((a, b) => a - b);
}

function workerFiles({ folder }: ManagedCluster, number: number) {
  return processFiles(folder, `worker-${number}`);
}

function nameOf({ name }: ManagedCluster, number: number): string {
  return `${name}-${number}`;
}
