/** The command pe-worker: a supervisor and its worker process, against a scheduler in this process over real sockets. */
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { accessFile, runPeWorker } from "../support/pe-worker.ts";
import { eventually, WorkerCluster } from "../support/worker-cluster.ts";
import { testFolder } from "../support/folders.ts";

const tags = (count: number, more: object = {}): { tag: number }[] =>
  Array.from({ length: count }, (_, tag) => ({ tag, ...more }));

/** Tries of tasks of the kind gate. */
function begun(folder: string): number {
  return readdirSync(folder).filter((name) => name.startsWith("begun-")).length;
}

afterEach(() => vi.unstubAllEnvs());

describe("pe-worker", () => {
  test("computes, and on SIGTERM finishes what runs, gives the rest back, and leaves nothing behind", async () => {
    const cluster = await WorkerCluster.start();
    const worker = await runPeWorker(await cluster.listen(), "--threads", "1");
    const job = await cluster.submit("sleep", tags(200, { ms: 20 }));
    await job.finished(3);
    expect(readdirSync(worker.scratch)).toHaveLength(1);
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(worker.stderr()).toContain("gives the rest back");
    expect(worker.processes()).toEqual([]);
    expect(readdirSync(worker.scratch)).toEqual([]);
    await cluster.worker({ name: "heir", threads: 4 });
    expect((await job.ended()).results.size).toBe(200);
    expect(job.errors).toEqual([]);
  });

  test("--leave-within gives back after a signal what does not finish by then: it runs elsewhere, and nothing failed", async () => {
    const cluster = await WorkerCluster.start();
    const folder = await testFolder();
    const worker = await runPeWorker(await cluster.listen(), "--threads", "2", "--leave-within", "1");
    const job = await cluster.submit("gate", tags(5, { folder }), { retries: 0 });
    await eventually(() => begun(folder) === 2);
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toBe(0);
    expect(worker.stderr()).toContain("what still runs is given back");
    expect(worker.processes()).toEqual([]);
    await writeFile(join(folder, "open"), "");
    await cluster.worker({ name: "heir", threads: 4 });
    expect((await job.ended()).results.size).toBe(5);
    expect(job.errors).toEqual([]);
    expect(begun(folder)).toBe(7);
  });

  test("in a Slurm job leaves before that ends, and stays where the end is put off", async () => {
    const cluster = await WorkerCluster.start();
    const folder = await testFolder();
    const [left, asked] = [join(folder, "left"), join(folder, "asked")];
    await writeFile(left, "0:02");
    await writeFile(join(folder, "squeue"), `#!/bin/sh\necho "$@" >> ${asked}\ncat ${left}\n`, { mode: 0o755 });
    vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
    vi.stubEnv("SLURM_JOB_ID", "4711");
    const worker = await runPeWorker(await cluster.listen(), "--threads", "2", "--leave-within", "1");
    const job = await cluster.submit("gate", tags(3, { folder }), { retries: 0 });
    const askings = (): number => readFileSync(asked, "utf8").split("\n").length - 1;
    await eventually(() => begun(folder) === 2 && askings() > 2);
    expect(readFileSync(asked, "utf8")).toMatch(/^--noheader --jobs=4711 --format=%L$/m);
    await writeFile(left, "0:01");
    expect(await worker.ended).toBe(0);
    expect(worker.stderr()).toContain("its time is up in 1 s");
    await writeFile(join(folder, "open"), "");
    await cluster.worker({ name: "heir", threads: 4 });
    expect((await job.ended()).results.size).toBe(3);
    expect(job.errors).toEqual([]);
  });

  test("starts its process again when it is killed, under the same name, and says why", async () => {
    const cluster = await WorkerCluster.start();
    const worker = await runPeWorker(await cluster.listen(), "--threads", "2", "--name", "phoenix");
    const job = await cluster.submit("sleep", tags(60, { ms: 30 }));
    await job.finished(3);
    const [first] = worker.processes();
    process.kill(first!, "SIGKILL");
    expect((await job.ended()).results.size).toBe(60);
    expect(job.errors).toEqual([]);
    expect(worker.stderr()).toContain("died: signal SIGKILL");
    expect(worker.processes()).not.toContain(first);
  });

  const TOLD = "about to end its process";

  test("outlives a task that ends the whole process, and names the task", async () => {
    const cluster = await WorkerCluster.start();
    await runPeWorker(await cluster.listen(), "--threads", "1");
    const job = await cluster.submit("abort", [
      { dies: false, tag: 0 },
      { how: "kill" },
      { how: "abort" },
      { dies: false, tag: 3 },
    ]);
    await job.ended();
    expect(new Map(job.errors.map(({ task, code }) => [task, code]))).toEqual(
      new Map([
        [1, "PE_TASK_POISON"],
        [2, "PE_TASK_POISON"],
      ]),
    );
    for (const [task, signal] of [
      [1, "SIGKILL"],
      [2, "SIGABRT"],
    ] as const) {
      const { message } = job.errors.find((error) => error.task === task)!;
      const deaths = [...message.matchAll(/\(attempt \d+: signal (\w+), \d+ MiB of memory, last lines: ([^)]*)\)/g)];
      expect(deaths).toHaveLength(3);
      // The first may have been that of the other, which was begun with it; since then each ran alone.
      for (const [, own, lines] of deaths.slice(1))
        expect([own, lines]).toEqual([signal, expect.stringContaining(TOLD)]);
    }
    expect(job.results).toEqual(
      new Map([
        [0, 0],
        [3, 3],
      ]),
    );
  }, 120_000);

  test("leaves when its supervisor is killed: no process stays behind", async () => {
    const cluster = await WorkerCluster.start();
    const worker = await runPeWorker(await cluster.listen());
    await (await cluster.submit("noop", tags(5))).ended();
    expect(worker.processes()).toHaveLength(1);
    worker.child.kill("SIGKILL");
    await eventually(() => worker.processes().length === 0);
    expect(readdirSync(worker.scratch)).toEqual([]);
  });

  test("leaves when its supervisor is killed before it has begun", async () => {
    const worker = await runPeWorker("ws://127.0.0.1:9");
    await eventually(() => worker.processes().length === 1);
    worker.child.kill("SIGKILL");
    await eventually(() => worker.processes().length === 0);
    expect(readdirSync(worker.scratch)).toEqual([]);
  });

  test("is replaced when its memory is full, and the rest of the work is done", async () => {
    const cluster = await WorkerCluster.start();
    const worker = await runPeWorker(await cluster.listen(), "--threads", "1", "--memory-limit", "400MiB");
    const hungry = await cluster.submit("exhaust", [{ how: "buffers", megabytes: 450 }]);
    await hungry.ended();
    await eventually(() => worker.stderr().includes("its memory is full"));
    const job = await (await cluster.submit("noop", tags(20))).ended();
    expect(job.results.size).toBe(20);
    await eventually(() => worker.stderr().includes("another process starts"));
  });

  test("goes on when it cannot reach the scheduler, until it is told to leave", async () => {
    const worker = await runPeWorker("ws://127.0.0.1:9");
    await eventually(() => worker.stderr().includes("trying again"));
    worker.child.kill("SIGINT");
    expect(await worker.ended).toBe(0);
  });

  test("ends with a status that says why, when it cannot begin", async () => {
    const cluster = await WorkerCluster.start();
    const url = await cluster.listen();
    const wrong = await runPeWorker(undefined, "--access-file", await accessFile(url, "another-token-altogether"));
    expect(await wrong.ended).toBe(77);
    expect(wrong.stderr()).toMatch(/pe-worker: .*token was refused.*\[PE_ACCESS\]/);
    const kinds = await runPeWorker(url, "--kinds", `${await testFolder()}/none`);
    expect(await kinds.ended).toBe(64);
    expect(kinds.stderr()).toContain("[PE_KIND]");
  });

  test.each([
    ["--threads", "0"],
    ["--memory-limit", "lots"],
    ["--resources", "gpu"],
    ["--name", "two words"],
    ["--until", "soon"],
    ["--leave-within", "0"],
  ])("refuses %s %s", async (option, value) => {
    const worker = await runPeWorker(undefined, option, value);
    expect(await worker.ended).toBe(64);
    expect(worker.stderr()).toMatch(new RegExp(`pe-worker: Cannot read ${option} ${value}: expected|is not a name`));
  });

  test("--help shows its options and a line that works", async () => {
    const worker = await runPeWorker(undefined, "--help");
    expect(await worker.ended).toBe(0);
    expect(worker.stdout()).toMatch(/--access-file[\s\S]*\$ pe-worker ws:\/\/127\.0\.0\.1:8786/);
  });
});
