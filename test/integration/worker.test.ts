/** The worker's shell with the real scheduler, over connections in memory that pass through the codec. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import type * as ErrorsModule from "../../common/errors.ts";
import { built } from "../support/built.ts";
import { testFolder } from "../support/folders.ts";
import { eventually, WorkerCluster } from "../support/worker-cluster.ts";

const tags = (count: number): { tag: number }[] => Array.from({ length: count }, (_, tag) => ({ tag }));
const sorted = (results: ReadonlyMap<number, unknown>): [number, unknown][] =>
  [...results].toSorted(([a], [b]) => a - b);
const expected = (count: number): [number, unknown][] => tags(count).map(({ tag }) => [tag, tag]);

describe("a worker", () => {
  test("computes what it is handed, each task once", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker({ threads: 2 });
    const job = await (await cluster.submit("noop", tags(3000))).ended();
    expect(sorted(job.results)).toEqual(expected(3000));
  });

  test("that comes late has work at once", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker({ name: "early" });
    const job = await cluster.submit(
      "sleep",
      tags(60).map((task) => ({ ...task, ms: 50 })),
    );
    await job.finished(2);
    const late = await cluster.worker({ name: "late" });
    const startMs = performance.now();
    await eventually(() => late.status().busy === 1);
    // Asked 100 ms; another process may have this core for as long.
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(sorted((await job.ended()).results)).toEqual(expected(60));
  });

  test("that loses its connection comes back, keeps what it holds, and tells each result once", async () => {
    const cluster = await WorkerCluster.start();
    const worker = await cluster.worker({ threads: 2 });
    const job = await cluster.submit(
      "sleep",
      tags(40).map((task) => ({ ...task, ms: 20 })),
    );
    for (const count of [3, 10, 20]) {
      await job.finished(count);
      cluster.cut();
    }
    expect(sorted((await job.ended()).results)).toEqual(expected(40));
    expect(worker.status()).toMatchObject({ connected: true, busy: 0, waiting: 0 });
  });

  test("goes on with what runs when the scheduler starts again, and no task runs twice", async () => {
    const folder = await testFolder();
    const cluster = await WorkerCluster.start(join(folder, "journal"));
    await cluster.worker({ threads: 2 });
    const tries = join(folder, "tries");
    await mkdir(tries);
    const parameters = Array.from({ length: 6 }, (_, key) => ({ folder: tries, key: `k${key}`, fails: 0, ms: 300 }));
    const first = await cluster.submit("flaky", parameters);
    await first.finished(1);
    await cluster.scheduler.close();
    await cluster.startScheduler();
    const job = await (await cluster.submit("flaky", parameters)).ended();
    // Each counts its tries by a file.
    expect([...job.results.values()]).toEqual([1, 1, 1, 1, 1, 1]);
  });

  test("that drains under load gives back what has not begun, and nothing is lost", async () => {
    const cluster = await WorkerCluster.start();
    const leaver = await cluster.worker({ name: "leaver" });
    const job = await cluster.submit(
      "sleep",
      tags(50).map((task) => ({ ...task, ms: 20 })),
    );
    await job.finished(3);
    await cluster.worker({ name: "heir" });
    leaver.drain();
    expect(await leaver.ended).toEqual({ type: "left" });
    expect(leaver.status()).toMatchObject({ held: 0, busy: 0 });
    expect(sorted((await job.ended()).results)).toEqual(expected(50));
  });

  test("is refused by name when another has its name", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker({ name: "twin" });
    await (await cluster.submit("noop", tags(1))).ended();
    const twin = await cluster.worker({ name: "twin" });
    expect(await twin.ended).toMatchObject({ type: "refused", code: "PE_NAME_TAKEN" });
  }, 40_000);

  test("with another file of a kind gets none of its tasks, and the job says what it waits for", async () => {
    const cluster = await WorkerCluster.start();
    const folder = await testFolder();
    await writeFile(join(folder, "noop.js"), 'export default () => ({ name: "noop", version: "1", run: () => 2 });');
    await cluster.worker({ name: "other", kinds: [folder] });
    const job = await cluster.submit("noop", tags(3));
    const { job: status } = await cluster.client.ask({ type: "find", id: "noop" }, "found");
    expect(status!.waits).toContain("noop");
    expect(job.results.size).toBe(0);
    await cluster.worker({ name: "same" });
    expect(sorted((await job.ended()).results)).toEqual(expected(3));
  });

  test("ends when its first connection is refused for good", async () => {
    const { PeError } = await built<typeof ErrorsModule>("common/errors.ts");
    const cluster = await WorkerCluster.start();
    const worker = await cluster.worker({
      connect: () => Promise.reject(new PeError("PE_ACCESS", "Cannot connect: wrong token")),
    });
    expect(await worker.ended).toMatchObject({ type: "refused", code: "PE_ACCESS" });
  });

  test("stores parts before it tells of their tasks", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker({ threads: 2 });
    const parts = pathToFileURL(await testFolder()).href;
    const parameters = Array.from({ length: 30 }, (_, part) => ({ part: `part-${part}`, partBytes: 5000 }));
    const stored = await (await cluster.submit("big", parameters, { parts, id: "first" })).ended();
    expect(stored.results.size).toBe(30);
    const again = parameters.map((one) => ({ ...one, find: true }));
    const found = await (await cluster.submit("big", again, { parts, id: "second" })).ended();
    expect(new Set(found.results.values())).toEqual(new Set(["found"]));
  });

  test("without the folder of the parts ends the job, and says so", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker();
    const parts = pathToFileURL(join(await testFolder(), "missing")).href;
    const parameters = Array.from({ length: 20 }, () => ({ part: "x", partBytes: 1 }));
    const job = await (await cluster.submit("big", parameters, { parts })).ended();
    expect(job.errors[0]).toMatchObject({ code: "PE_PARTS_UNREACHABLE" });
    expect(job.errors.length).toBeLessThan(5);
  });
});

describe("a task", () => {
  test.each(["exit", "throw"])("that ends its thread (%s) is blamed and no other", async (how) => {
    const cluster = await WorkerCluster.start();
    await cluster.worker({ threads: 2 });
    const parameters = Array.from({ length: 40 }, (_, tag) => ({ dies: tag === 20, tag, how }));
    const job = await (await cluster.submit("die", parameters)).ended();
    expect(job.errors).toMatchObject([{ task: 20, code: "PE_TASK_POISON" }]);
    expect(sorted(job.results)).toEqual(expected(40).filter(([task]) => task !== 20));
  });

  test("that exhausts its heap is blamed and no other", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker({ threads: 8, memoryLimitBytes: 600 * 2 ** 20 + process.memoryUsage.rss() });
    const exhaust = await cluster.submit("exhaust", [{}]);
    const calm = await cluster.submit("noop", tags(20));
    expect((await exhaust.ended()).errors).toMatchObject([{ task: 0, code: "PE_TASK_POISON" }]);
    expect((await calm.ended()).results.size).toBe(20);
  });

  test("that never ends is ended after its time", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker();
    const parameters = [{ hangs: false, tag: 0 }, {}, { hangs: false, tag: 2 }];
    const job = await (await cluster.submit("hang", parameters, { timeoutMs: 300 })).ended();
    expect(job.errors).toMatchObject([{ task: 1, code: "PE_TIMEOUT" }]);
    expect(sorted(job.results)).toEqual([
      [0, 0],
      [2, 2],
    ]);
  });

  test("that fails at first is tried again, and one that always fails tells its stack", async () => {
    const cluster = await WorkerCluster.start();
    await cluster.worker();
    const flaky = await cluster.submit("flaky", [{ folder: await testFolder(), key: "a", fails: 2 }], { retries: 2 });
    expect([...(await flaky.ended()).results.values()]).toEqual([3]);
    const failing = await (await cluster.submit("fail", [{ message: "no luck" }])).ended();
    expect(failing.errors).toMatchObject([
      {
        code: "PE_TASK_FAILED",
        message: expect.stringContaining("no luck"),
        stack: expect.stringContaining("fail.js"),
      },
    ]);
  });
});
