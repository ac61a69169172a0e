/** Results that are together several times what a worker may take: they go to its disk, and where there is none, it waits. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Client } from "../../client/client.ts";
import type { Future } from "../../client/futures/future.ts";
import { TEST_KINDS } from "../support/built.ts";
import { FaultCluster, type FaultWorker } from "../support/cluster-faults.ts";
import { eventually } from "../support/cluster-programs.ts";
import { withSmallDisk } from "../support/small-disk.ts";

const MOUNT = "mount";
const MEMORY = ["--memory-limit", "300MiB"];
/** 10 MB each, 600 MB together: twice the limit, five times what values may take of it. */
const [ARRAYS, WORDS] = [30, 2_500_000];

interface Mixed {
  readonly words: number;
  readonly sum: number;
}

/** Arrays, mixtures of any two of them, and the sums of those: all are held at the same time. */
function submit(client: Client): { arrays: Future[]; mixed: Future[]; sums: Future<Mixed>[] } {
  const arrays = client.map(
    "mix",
    Array.from({ length: ARRAYS }, (_, seed) => ({ words: WORDS, seed })),
  );
  const mixed = arrays.map((array, index) =>
    client.submit("mix", { words: WORDS, of: [array, arrays[(index * 7 + 3) % ARRAYS]] }),
  );
  return { arrays, mixed, sums: mixed.map((sum) => client.submit<Mixed>("mix", { sum })) };
}

/** What they must be, computed here. */
async function expected(): Promise<Mixed[]> {
  const { default: mix } = (await import(join(TEST_KINDS, "mix.js"))) as {
    default: () => { run: (parameters: object) => Promise<unknown> };
  };
  const { run } = mix();
  const sums: Mixed[] = [];
  for (let index = 0; index < ARRAYS; index++) {
    const of = [await run({ words: WORDS, seed: index }), await run({ words: WORDS, seed: (index * 7 + 3) % ARRAYS })];
    sums.push((await run({ sum: await run({ words: WORDS, of }) })) as Mixed);
  }
  return sums;
}

/** Files of values. */
function spilled({ scratch }: FaultWorker): string[] {
  return readdirSync(scratch, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".value"));
}

async function valuesOf(client: Client): Promise<number> {
  return (await client.status()).workers.reduce((sum, { values }) => sum + values, 0);
}

test("a worker with little memory computes with results that are twice of it, and clears up", async () => {
  const cluster = await FaultCluster.start();
  const worker = await cluster.startWorker("a", ...MEMORY);
  const client = await cluster.client();
  const { arrays, mixed, sums } = submit(client);
  const [results, right] = await Promise.all([client.gather(sums), expected()]);
  expect(results).toEqual(right);
  expect(spilled(worker).length).toBeGreaterThan(ARRAYS / 2);
  client.release([...arrays, ...mixed, ...sums]);
  await eventually(
    async () => (await valuesOf(client)) === 0 && spilled(worker).length === 0,
    () => `nothing is left: ${spilled(worker).join()}`,
  );
  // Nothing died of it.
  expect(worker.program.output.stderr).not.toContain("another process starts");
  await cluster.stop();
});

test("a worker without room on its disk waits, says why, and goes on when there is room", async (context) => {
  await withSmallDisk(context, "48m", async (scratch) => {
    const cluster = await FaultCluster.start();
    const { program } = cluster.launchWorker("a", [...MEMORY, "--scratch", scratch]);
    const client = await cluster.client();
    const { arrays, mixed, sums } = submit(client);
    await eventually(
      () => ["the disk is full; make room", "takes no more work"].every((text) => program.output.stderr.includes(text)),
      () => `it says why it waits: ${program.output.stderr}`,
    );
    // It tells once for each time that it has let the disk rest.
    expect(program.output.stderr.match(/the disk is full/g)!.length).toBeLessThan(10);
    expect(sums.some(({ status }) => status === "pending")).toBe(true);
    expect(spawnSync(MOUNT, ["-o", "remount,size=1g", scratch]).status).toBe(0);
    const [results, right] = await Promise.all([client.gather(sums), expected()]);
    expect(results).toEqual(right);
    expect(program.output.stderr).not.toContain("another process starts");
    client.release([...arrays, ...mixed, ...sums]);
    await eventually(
      async () => (await valuesOf(client)) === 0,
      () => "no value is left",
    );
    await cluster.stop();
    expect(readdirSync(scratch)).toEqual([]);
  });
});
