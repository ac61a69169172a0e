/** What can be done with a cluster, whatever its engine. */
import { PeError } from "../../common/errors.ts";
import {
  alone,
  clusterFolder,
  managed,
  readRecord,
  readStopped,
  removeRecord,
  writeRecord,
  type ClusterRecord,
} from "./cluster-record.ts";
import type { Engine, ManagedCluster, Stopping } from "./engine.ts";
import { waitUntilJoined } from "./joining.ts";

export interface StartRequest extends Pick<ClusterRecord, "workers" | "workerArguments" | "options" | "port"> {
  readonly joinSeconds: number;
}

/** How many workers there are, and what kept it from being all of them. */
export interface Started {
  /** False when all of it ran already. */
  readonly started: boolean;
  /** How many workers the cluster is to have. */
  readonly workers: number;
  readonly problem: PeError | undefined;
}

type Tell = (text: string) => void;

/**
 * Starts a cluster, or what is missing of the one of this name, and waits until its workers have joined.
 *
 * @throws {PeError} When there is no scheduler; what the engine throws. `PE_PARAMETER` when it is one of another engine.
 */
export async function startCluster(engine: Engine, name: string, request: StartRequest, tell: Tell): Promise<Started> {
  const folder = clusterFolder(name);
  return await alone(folder, async () => {
    const known = await recordOf(engine, name);
    const { joinSeconds, ...asked } = request;
    const record = known ?? { version: 1, engine: engine.name, ...asked, started: new Date().toISOString() };
    if (known === undefined) await writeRecord(folder, record);
    else tellDifference(known, asked, tell);
    const cluster = managed(name, folder, record, tell);
    if (known !== undefined && (await isWhole(engine, cluster)))
      return { started: false, workers: record.workers, problem: undefined };
    await engine.start(cluster).catch(async (error: unknown) => {
      if (known === undefined) await takeBack(engine, cluster);
      throw error;
    });
    return {
      started: true,
      workers: record.workers,
      problem: await fill(engine, cluster, { joinSeconds, drainSeconds: 0 }),
    };
  });
}

/**
 * Changes the number of workers and waits until new ones have joined and others have left.
 *
 * @throws {PeError} `PE_CLUSTER_UNKNOWN`
 */
export async function scaleCluster(
  engine: Engine,
  name: string,
  workers: number,
  waits: { readonly joinSeconds: number; readonly drainSeconds: number },
  tell: Tell,
): Promise<Started> {
  const folder = clusterFolder(name);
  return await alone(folder, async () => {
    const record = { ...(await neededRecord(engine, name)), workers };
    await writeRecord(folder, record);
    const problem = await fill(engine, managed(name, folder, record, tell), waits);
    return { started: true, workers, problem };
  });
}

/**
 * Ends a cluster; its journal and its logs stay, and what its machines were given, unless `purge`, which also removes what an
 * earlier stop has left.
 *
 * @returns `none` when nothing ran, `purged` when something was left of it.
 * @throws {PeError} When something may still run: it is still a cluster then, unless `forget`.
 */
export async function stopCluster(
  engine: Engine,
  name: string,
  how: Stopping & { readonly forget: boolean },
  tell: Tell,
): Promise<"ended" | "purged" | "none"> {
  const folder = clusterFolder(name);
  return await alone(folder, async () => {
    const record = await recordOf(engine, name);
    const left = record ?? (how.purge ? await readStopped(folder) : undefined);
    if (left !== undefined && left.engine === engine.name)
      await engine.stop(managed(name, folder, left, tell), how).catch((error: unknown) => {
        if (!how.forget || !(error instanceof PeError)) throw error;
        tell(`forgotten: ${error.message}`);
      });
    await removeRecord(folder, how.purge);
    return record !== undefined ? "ended" : left !== undefined ? "purged" : "none";
  });
}

/** @throws {PeError} `PE_CLUSTER_UNKNOWN` */
export async function openCluster(engine: Engine, name: string, tell: Tell): Promise<ManagedCluster> {
  return managed(name, clusterFolder(name), await neededRecord(engine, name), tell);
}

/** What is asked for of a cluster that is there already changes nothing of it. */
function tellDifference(known: ClusterRecord, asked: Omit<StartRequest, "joinSeconds">, tell: Tell): void {
  const pick = ({ workerArguments, options }: Omit<StartRequest, "joinSeconds">): string =>
    JSON.stringify([workerArguments, options]);
  if (pick(known) !== pick(asked)) tell("it keeps the options that it was started with first; stop it to change them");
}

/** Undefined where there is no cluster of this name. */
async function recordOf(engine: Engine, name: string): Promise<ClusterRecord | undefined> {
  const record = await readRecord(clusterFolder(name));
  if (record === undefined || record.engine === engine.name) return record;
  throw new PeError(
    "PE_PARAMETER",
    `Cannot use cluster "${name}" here: it is one of pe-client cluster ${record.engine}; give this one another --name`,
  );
}

async function neededRecord(engine: Engine, name: string): Promise<ClusterRecord> {
  const record = await recordOf(engine, name);
  if (record !== undefined) return record;
  throw new PeError(
    "PE_CLUSTER_UNKNOWN",
    `Cannot find a cluster "${name}": none runs; see pe-client cluster list, or start it: pe-client cluster ${engine.name} start --help`,
  );
}

/** Whether everything that it is to have is running. */
async function isWhole(engine: Engine, cluster: ManagedCluster): Promise<boolean> {
  const members = await engine.list(cluster, false);
  const running = members.filter(({ state }) => state === "running" || state === "waiting");
  return members.length === running.length && running.length === cluster.workers + 1;
}

/** Has as many workers as it is to have. */
async function fill(
  engine: Engine,
  cluster: ManagedCluster,
  { joinSeconds, drainSeconds }: { readonly joinSeconds: number; readonly drainSeconds: number },
): Promise<PeError | undefined> {
  let problem: PeError | undefined;
  await engine.scale(cluster, cluster.workers, drainSeconds).catch((error: unknown) => {
    if (!(error instanceof PeError)) throw error;
    problem = error;
  });
  const missing = await waitUntilJoined(engine, cluster, joinSeconds * 1000);
  return problem ?? missing;
}

/** After a start that failed: what is left of it would be in the way of the next. */
async function takeBack(engine: Engine, cluster: ManagedCluster): Promise<void> {
  // What made the start fail is what the user must know.
  await engine.stop(cluster, { drainSeconds: 0, purge: false }).catch(() => undefined);
  await removeRecord(cluster.folder, false);
}
