/** This product as a contestant, by its own client: processes over sockets, or everything in this process. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../client/client.ts";
import type { Future } from "../client/futures/future.ts";
import { KINDS, startProcesses, WORKERS, type ProcessesOptions } from "./cluster-processes.ts";
import type { Contestant, Figures, Measure } from "./contestant.ts";
import { median } from "./measure.ts";

const WARM_UP: readonly Measure[] = [
  { measure: "map-gather", tasks: 20_000 },
  { measure: "tree", tasks: 2000 },
  { measure: "round-trip", times: 50 },
];
const TAG_BYTES = 60;

/** A scheduler process, two worker processes and this client, over sockets; journal on. */
export async function startOnProcesses(options: ProcessesOptions = {}): Promise<Contestant> {
  const processes = await startProcesses(options);
  try {
    const client = await Client.connect(processes.url, { accessFile: processes.accessFile, kinds: KINDS });
    return await contestant("pe-cluster, processes", client, () => processes.stop());
  } catch (error) {
    await processes.stop();
    throw error;
  }
}

/** `Client.local`: the same cores, threads and journal in this process. */
export async function startLocal(): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-local-"));
  const client = await Client.local({ workers: WORKERS, threads: 1, kinds: KINDS, journal: join(folder, "journal") });
  return await contestant("pe-cluster, local", client, () => rm(folder, { recursive: true }));
}

async function contestant(name: string, client: Client, after: () => Promise<void>): Promise<Contestant> {
  while ((await client.status()).workers.filter(({ state }) => state === "active").length < WORKERS) await sleep(20);
  for (const measure of WARM_UP) await run(client, measure);
  return {
    name,
    run: (measure) => run(client, measure),
    async close() {
      await client.close();
      await after();
    },
  };
}

function run(client: Client, measure: Measure): Promise<Figures> {
  switch (measure.measure) {
    case "map":
      return timed(async () => await allEnded(client, client.map("noop", tagged(measure.tasks))));
    case "map-gather":
      return timed(async () => {
        const results = await client.gather(client.map<string>("noop", tagged(measure.tasks)));
        if (results.at(-1)?.length !== TAG_BYTES) throw new Error("another result than that of the task");
      });
    case "merge":
      return timed(async () => {
        const leaves = client.map<string>("noop", tagged(measure.tasks));
        await client.submit("first", leaves).result();
        return measure.tasks + 1;
      });
    case "tree":
      return timed(() => tree(client, measure.tasks));
    case "stencil":
      return timed(() => stencil(client, measure.side));
    case "round-trip":
      return roundTrip(client, measure.times, measure.volatile === true);
    case "efficiency":
      return efficiency(client, measure.tasks, measure.taskMs);
  }
}

/** Parameters of about 70 bytes as they travel; made before the clock starts, as the peers do. */
function tagged(count: number): readonly { tag: string }[] {
  return Array.from({ length: count }, (_, index) => ({ tag: String(index).padStart(10, "0").padEnd(TAG_BYTES, "a") }));
}

async function timed(act: () => Promise<number | void>): Promise<Figures> {
  const startMs = performance.now();
  const tasks = await act();
  const seconds = (performance.now() - startMs) / 1000;
  return { seconds, ...(tasks !== undefined && { tasks }) };
}

async function allEnded(client: Client, futures: readonly Future[]): Promise<void> {
  let left = futures.length;
  for await (const { status } of client.asCompleted(futures)) {
    if (status !== "finished") throw new Error(`a task is ${status}`);
    left--;
  }
  if (left !== 0) throw new Error(`${left} tasks never ended`);
}

/** As many tasks as dask's side makes: leaves, and nodes level by level. */
async function tree(client: Client, tasks: number): Promise<number> {
  let level = client.map<string>("noop", tagged((tasks + 1) >> 1));
  let made = level.length;
  while (level.length > 1) {
    const pairs = Array.from({ length: level.length >> 1 }, (_, pair) => [level[2 * pair], level[2 * pair + 1]]);
    made += pairs.length;
    level = [...client.map<string>("either", pairs), ...level.slice(2 * pairs.length)];
  }
  const top = await level[0]!.result();
  if (top.length !== TAG_BYTES) throw new Error("another result than that of the tree");
  return made;
}

async function stencil(client: Client, side: number): Promise<number> {
  let row = client.map<string>("noop", tagged(side));
  for (let step = 1; step < side; step++) {
    const before = row;
    row = client.map<string>(
      "first",
      before.map((_, column) => before.slice(Math.max(0, column - 1), column + 2)),
    );
  }
  const result = await client.submit<string>("first", row).result();
  if (result.length !== TAG_BYTES) throw new Error("another result than that of the grid");
  return side * side + 1;
}

async function roundTrip(client: Client, times: number, volatile: boolean): Promise<Figures> {
  const tookMs: number[] = [];
  for (const parameters of tagged(times)) {
    const startMs = performance.now();
    await client.submit("noop", parameters, { volatile }).result();
    tookMs.push(performance.now() - startMs);
  }
  return { medianMs: median(tookMs) };
}

async function efficiency(client: Client, tasks: number, ms: number): Promise<Figures> {
  const parameters = Array.from({ length: tasks }, () => ({ ms }));
  const { seconds } = await timed(async () => await allEnded(client, client.map("spin", parameters)));
  return { seconds: seconds!, efficiency: (tasks * ms) / 1000 / (WORKERS * seconds!) };
}
