/**
 * Clusters of this user, each a folder `clusters/NAME` in the state folder. It is one while its record is there: from the
 * beginning of its start to the end of its stop. What stays after that is the journal and the logs.
 */
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PeError } from "../../common/errors.ts";
import { writeDurably } from "../../data/durable.ts";
import { errnoOf } from "../../data/errno.ts";
import { makeFolders } from "../../data/folders.ts";
import { acquireLock } from "../../data/lock.ts";
import { stateFolder } from "../../protocol/access-file.ts";
import type { ManagedCluster } from "./engine.ts";

const VERSION = 1;
/** Short: it is part of the names of workers and jobs. */
const NAME = /^[\w-]{1,40}$/;

/** What a cluster was started with, as its folder has it. */
export interface ClusterRecord {
  readonly version: typeof VERSION;
  readonly engine: string;
  /** How many workers it is to have. */
  readonly workers: number;
  readonly port?: number;
  readonly workerArguments: readonly string[];
  readonly options: unknown;
  readonly kept?: unknown;
  /** Time of the first start, ISO 8601. */
  readonly started: string;
}

/** Paths in the folder of a cluster that all engines share. */
export function clusterFiles(folder: string) {
  return {
    record: join(folder, "cluster.json"),
    /** Of clients, with everything: of the scheduler where it runs on this machine. Certificate and key lie beside it. */
    access: join(folder, "access.json"),
    /** Without the client's token: all that leaves this machine. */
    workerAccess: join(folder, "worker-access.json"),
    journal: join(folder, "journal"),
    logs: join(folder, "logs"),
  } as const;
}

/** @throws {PeError} `PE_PARAMETER` */
export function clusterFolder(name: string, environment?: NodeJS.ProcessEnv): string {
  if (!NAME.test(name))
    throw new PeError("PE_PARAMETER", `Cannot name a cluster "${name}": expected up to 40 of A-Z, a-z, 0-9, _ and -`);
  return join(clustersFolder(environment), name);
}

function clustersFolder(environment?: NodeJS.ProcessEnv): string {
  return join(stateFolder(environment), "clusters");
}

/** Names of the clusters there are. */
export async function clusterNames(environment?: NodeJS.ProcessEnv): Promise<string[]> {
  const names = await readdir(clustersFolder(environment)).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  });
  const found = await Promise.all(
    names
      .filter((name) => NAME.test(name))
      .map(async (name) => ((await readRecord(clusterFolder(name, environment))) === undefined ? [] : [name])),
  );
  return found.flat().sort();
}

/**
 * The record in a folder; undefined where there is no cluster.
 *
 * @throws {PeError} `PE_CLUSTER_UNKNOWN` when it cannot be read.
 */
export async function readRecord(folder: string): Promise<ClusterRecord | undefined> {
  return await read(folder, clusterFiles(folder).record);
}

/** That of the cluster that ran here last and was stopped: its machines may still have what `purge` removes. */
export async function readStopped(folder: string): Promise<ClusterRecord | undefined> {
  return await read(folder, stoppedFile(folder));
}

async function read(folder: string, path: string): Promise<ClusterRecord | undefined> {
  try {
    const found = JSON.parse(await readFile(path, "utf8")) as Omit<ClusterRecord, "version"> & { version: number };
    if (found.version === VERSION) return { ...found, version: VERSION };
    throw new Error(`it is of version ${found.version}, this program knows ${VERSION}`);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new PeError("PE_CLUSTER_UNKNOWN", `Cannot read the cluster in "${folder}": ${reason}`, { cause: error });
  }
}

function stoppedFile(folder: string): string {
  return join(folder, "stopped.json");
}

export async function writeRecord(folder: string, record: ClusterRecord): Promise<void> {
  const { record: path } = clusterFiles(folder);
  await writeDurably(path, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`));
}

/** Whoever looks for it from now on finds none; the rest of the folder goes with `purge`. */
export async function removeRecord(folder: string, purge: boolean): Promise<void> {
  const { record } = clusterFiles(folder);
  await rename(record, stoppedFile(folder)).catch((error: unknown) => {
    if (errnoOf(error) !== "ENOENT") throw error;
  });
  if (purge) await rm(folder, { recursive: true, force: true });
}

/**
 * Nobody else changes the cluster meanwhile.
 *
 * @throws {PeError} `PE_OUTPUT_BUSY`
 */
export async function alone<Result>(folder: string, act: () => Promise<Result>): Promise<Result> {
  await makeFolders(folder, 0o700);
  const lock = await acquireLock(clusterFiles(folder).record).catch((error: unknown) => {
    if (!(error instanceof PeError) || error.code !== "PE_OUTPUT_BUSY") throw error;
    const message = `Cannot change the cluster in "${folder}": ${String(error.details.holder)} is changing it; try again when it has ended`;
    throw new PeError("PE_OUTPUT_BUSY", message, { cause: error });
  });
  try {
    return await act();
  } finally {
    await lock.release();
  }
}

/** A cluster as its engine sees it. */
export function managed(
  name: string,
  folder: string,
  record: ClusterRecord,
  tell: (text: string) => void,
): ManagedCluster {
  let now = record;
  const { port, options, workers, workerArguments } = record;
  return {
    name,
    folder,
    options,
    workers,
    port,
    workerArguments,
    kept: () => now.kept,
    keep: async (kept) => {
      now = { ...((await readRecord(folder)) ?? now), kept };
      await writeRecord(folder, now);
    },
    tell,
  };
}
