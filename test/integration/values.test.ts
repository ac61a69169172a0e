/** Large results in the built package: within one process, and between processes of which some are killed. */
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { Client as ClientClass } from "../../client/client.ts";
import { built, TEST_KINDS } from "../support/built.ts";
import { testFolder } from "../support/folders.ts";
import { watchHandles } from "../support/handles.ts";
import { runPeWorker, type RunningPeWorker } from "../support/pe-worker.ts";
import { SchedulerProcess } from "../support/scheduler-process.ts";

const { Client } = await built<{ Client: typeof ClientClass }>("client/client.ts");
const clients: ClientClass[] = [];
const schedulers: SchedulerProcess[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const scheduler of schedulers.splice(0)) await scheduler.end();
});

const LENGTH = 100_000;
const sumFrom = (first: number): number => LENGTH * first + (LENGTH * (LENGTH - 1)) / 2;
const ramp = (first: number): unknown => ({ first, length: LENGTH });

/** Values that the workers of a cluster hold. */
async function valuesLeft(client: ClientClass): Promise<number> {
  return (await client.status()).workers.reduce((sum, { values }) => sum + values, 0);
}

async function nothingLeft(client: ClientClass): Promise<void> {
  while ((await valuesLeft(client)) > 0) await sleep(20);
}

describe("Client.local()", () => {
  async function local(options: Parameters<typeof Client.local>[0] = {}): Promise<ClientClass> {
    const client = await Client.local({ kinds: [TEST_KINDS], workers: 2, threads: 1, ...options });
    clients.push(client);
    return client;
  }

  test("hands large results to tasks and to its program by reference, and forgets them when they are released", async () => {
    const client = await local();
    const arrays = client.map<Float64Array>("ramp", [ramp(0), ramp(1), ramp(2), ramp(3)]);
    const totals = client.map(
      "total",
      arrays.map((array, place) => ({ array, more: [place, arrays[0]] })),
    );
    expect(await client.gather(totals)).toEqual([0, 1, 2, 3].map((first) => sumFrom(first) + first + sumFrom(0)));
    const [first, ...others] = await client.gather(arrays);
    expect(first).toEqual(Float64Array.from({ length: LENGTH }, (_, index) => index));
    expect(first!.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(others.map((array) => array[0])).toEqual([1, 2, 3]);
    expect(await valuesLeft(client)).toBeGreaterThanOrEqual(4);
    client.release(arrays);
    await nothingLeft(client);
    expect(first![5]).toBe(5);
  });

  test("has copies where they are asked for, and says where", async () => {
    const client = await local();
    const array = client.submit("ramp", ramp(0), { workers: ["local-1"] });
    await array.result();
    expect(await client.whoHas(array)).toMatchObject([{ workers: ["local-1"] }]);
    await client.replicate(array, { workers: ["local-2"] });
    const [holders] = await client.whoHas(array);
    expect(holders!.workers.toSorted()).toEqual(["local-1", "local-2"]);
    expect(holders!.bytes).toBeGreaterThanOrEqual(8 * LENGTH);
  });

  test("scatters data through a folder that is gone when it is closed", async () => {
    const scratch = await testFolder();
    const client = await local({ scratch });
    const data = { samples: Float32Array.from({ length: LENGTH }, (_, index) => index), name: "ramp" };
    const future = await client.scatter(data, { broadcast: true });
    expect((await client.whoHas(future))[0]!.workers.toSorted()).toEqual(["local-1", "local-2"]);
    expect(await future.result()).toEqual(data);
    const [again, small] = await client.scatter([data, 7]);
    expect(again!.key).toBe(future.key);
    expect(await client.submit("total", [(await client.scatter(data.samples)) as unknown, small]).result()).toBe(
      sumFrom(0) + 7,
    );
    await client.close();
    expect(readdirSync(scratch).filter((name) => name.includes("scattered"))).toEqual([]);
  });

  test("leaves no handles behind when it is closed with values", async () => {
    const open = watchHandles();
    const client = await local();
    const arrays = client.map("ramp", [ramp(0), ramp(1)]);
    await client.gather(arrays);
    await client.scatter(new Float64Array(LENGTH));
    await client.close();
    expect(await open()).toEqual([]);
  });
});

describe("Client.connect()", () => {
  async function start(names: readonly string[]): Promise<{ client: ClientClass; workers: RunningPeWorker[] }> {
    const scheduler = await SchedulerProcess.start(await testFolder());
    schedulers.push(scheduler);
    const { accessFile } = scheduler;
    const workers: RunningPeWorker[] = [];
    for (const name of names) {
      const options = ["--access-file", accessFile, "--kinds", TEST_KINDS, "--threads", "1", "--name", name];
      workers.push(await runPeWorker(undefined, ...options, "--scratch", await testFolder()));
    }
    const client = await Client.connect(undefined, { accessFile, kinds: [TEST_KINDS] });
    clients.push(client);
    while ((await client.status()).workers.length < names.length) await sleep(20);
    return { client, workers };
  }

  const killed = async ({ child, processes }: RunningPeWorker): Promise<void> => {
    // The supervisor first, which would start another.
    const pids = processes();
    child.kill("SIGKILL");
    for (const pid of pids) process.kill(pid, "SIGKILL");
    while (processes().length > 0) await sleep(10);
  };

  test("fetches large results from workers, and has those computed again that died with one", async () => {
    const { client, workers } = await start(["one", "two"]);
    const arrays = client.map<Float64Array>("ramp", [ramp(1), ramp(2), ramp(3)], { workers: ["one", "two"] });
    expect(await client.submit("total", arrays).result()).toBe(sumFrom(1) + sumFrom(2) + sumFrom(3));
    await killed(workers[0]!);
    expect((await client.gather(arrays)).map(([first]) => first)).toEqual([1, 2, 3]);
    while ((await client.whoHas(arrays)).some(({ workers: names }) => names.includes("one"))) await sleep(20);
    expect(await client.submit("total", arrays).result()).toBe(sumFrom(1) + sumFrom(2) + sumFrom(3));
  });

  test("scatters data that outlive the workers that had them", async () => {
    const { client, workers } = await start(["one", "two"]);
    const samples = Float64Array.from({ length: 4 * LENGTH }, (_, index) => index % LENGTH);
    const data = await client.scatter(samples, { workers: ["one", "two"] });
    const total = client.submit("total", data, { workers: ["one"] });
    expect(await total.result()).toBe(4 * sumFrom(0));
    const [before] = await client.whoHas(data);
    expect(before!.workers).toContain("one");
    await killed(workers[0]!);
    expect(await client.submit("total", [data, 1]).result()).toBe(4 * sumFrom(0) + 1);
    expect(await data.result()).toEqual(samples);
    data.release();
    await nothingLeft(client);
  });
});
