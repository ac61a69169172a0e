/** Waiting until the workers of a cluster have joined its scheduler. */
import { setTimeout as sleep } from "node:timers/promises";
import { counted } from "../../common/counted.ts";
import { PeError } from "../../common/errors.ts";
import { Client } from "../client.ts";
import { clusterFiles } from "./cluster-record.ts";
import type { Engine, ManagedCluster, Member } from "./engine.ts";

const LOOK_MS = 200;
/** The machines are asked less and less often: each time is a login, or a question to a queue that many ask. */
const LIST_FIRST_MS = 1000;
const LIST_MOST_MS = 10_000;
const NAMED_MAX = 5;

/**
 * Resolves when every worker that the engine has started is one of the scheduler's, or when those that are missing cannot come,
 * or after `patienceMs`.
 *
 * @returns `PE_WORKERS_MISSING`, after the last words of those that are missing were told; undefined when all are there.
 * @throws {PeError} When the scheduler does not answer.
 */
export async function waitUntilJoined(
  engine: Engine,
  cluster: ManagedCluster,
  patienceMs: number,
): Promise<PeError | undefined> {
  const { access: accessFile } = clusterFiles(cluster.folder);
  const client = await Client.connect(undefined, { accessFile }).catch((error: unknown) => {
    if (!(error instanceof PeError) || error.code !== "PE_CONNECTION") throw error;
    const advice = `pe-client cluster ${engine.name} start brings back what has ended`;
    const message = `Cannot reach the scheduler of cluster "${cluster.name}": ${advice}`;
    throw new PeError("PE_CONNECTION", message, { cause: error });
  });
  try {
    const missing = await join(engine, cluster, client, patienceMs);
    return missing === undefined ? undefined : await tellMissing(engine, cluster, missing);
  } finally {
    await client.close();
  }
}

/** Who has not joined; undefined when all have. */
async function join(
  engine: Engine,
  cluster: ManagedCluster,
  client: Client,
  patienceMs: number,
): Promise<readonly Member[] | undefined> {
  const lastMs = performance.now() + patienceMs;
  let [told, listMs, waitMs, workers] = [-1, -Infinity, LIST_FIRST_MS, [] as readonly Member[]];
  for (;;) {
    if (performance.now() >= listMs) {
      workers = (await engine.list(cluster, false)).filter(({ role }) => role === "worker");
      listMs = performance.now() + waitMs;
      waitMs = Math.min(waitMs * 2, LIST_MOST_MS);
    }
    const joined = await joinedNames(client);
    const missing = workers.filter(({ name }) => !joined.has(name));
    const here = workers.length - missing.length;
    if (here !== told) cluster.tell(`${here} of ${counted(cluster.workers, "worker")} joined`);
    told = here;
    if (here >= cluster.workers && missing.length === 0) return undefined;
    const mayCome = missing.some(({ state }) => state === "running" || state === "waiting");
    if (!mayCome || performance.now() >= lastMs) return missing;
    await sleep(LOOK_MS);
  }
}

/** Of workers that the scheduler gives tasks to. */
async function joinedNames(client: Client): Promise<ReadonlySet<string>> {
  const { workers } = await client.status();
  return new Set(workers.filter(({ state }) => state === "active").map(({ name }) => name));
}

async function tellMissing(engine: Engine, cluster: ManagedCluster, missing: readonly Member[]): Promise<PeError> {
  // Whoever does not answer has no words.
  const names = new Set(missing.filter(({ state }) => state !== "unreachable").map(({ name }) => name));
  const members = names.size === 0 ? [] : await engine.list(cluster, true);
  const speaking = members.filter(({ role, name, words = "" }) => role === "worker" && names.has(name) && words !== "");
  for (const { name, host, words = "" } of speaking.slice(0, NAMED_MAX))
    cluster.tell(`last words of ${name} at ${host}:\n${words.trimEnd().replaceAll(/^/gm, "  ")}`);
  const named = missing.slice(0, NAMED_MAX).map(describe).join("; ");
  const more = missing.length > NAMED_MAX ? `; and ${missing.length - NAMED_MAX} more` : "";
  const count = Math.max(missing.length, 1);
  const others = count < cluster.workers ? "the others work; " : "";
  return new PeError(
    "PE_WORKERS_MISSING",
    `Cannot bring up ${counted(count, "worker")} of ${cluster.workers}: ${named || "not all were started"}${more}; ` +
      `${others}mend it and give start again, or see pe-client cluster ${engine.name} status`,
    { details: { missing: missing.map(({ name }) => name) } },
  );
}

function describe({ name, host, state, reason }: Member): string {
  const how = {
    running: "runs, but has not joined",
    waiting: "waits",
    gone: "has ended",
    unreachable: "is unreachable",
  };
  return `${name} at ${host} ${how[state]}${reason === undefined ? "" : ` (${reason})`}`;
}
