/** The client of the built package: a cluster within one process, and one of processes that die. */
import { execFile, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import type { Client as ClientClass } from "../../client/client.ts";
import type { JobDescription } from "../../client/cluster-job.ts";
import type { TaskEnd } from "../../client/jobs/job-ends.ts";
import { built, TEST_KINDS } from "../support/built.ts";
import { ROOT } from "../support/client.ts";
import { testFolder } from "../support/folders.ts";
import { watchHandles } from "../support/handles.ts";
import { runPeWorker } from "../support/pe-worker.ts";
import { SchedulerProcess } from "../support/scheduler-process.ts";

const execute = promisify(execFile);
const { Client } = await built<{ Client: typeof ClientClass }>("client/client.ts");
const clients: ClientClass[] = [];
const schedulers: SchedulerProcess[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  for (const scheduler of schedulers.splice(0)) await scheduler.end();
});

async function local(options: Parameters<typeof Client.local>[0] = {}): Promise<ClientClass> {
  const client = await Client.local({ kinds: [TEST_KINDS], threads: 2, ...options });
  clients.push(client);
  return client;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

async function all(ends: AsyncIterable<readonly TaskEnd[]>): Promise<TaskEnd[]> {
  const list: TaskEnd[] = [];
  for await (const batch of ends) list.push(...batch);
  return list.toSorted((a, b) => a.index - b.index);
}

describe("Client.local()", () => {
  test("computes on real threads: maps, graphs, what is shared", async () => {
    const client = await local({ workers: 2, threads: 1 });
    const futures = client.map<number>(
      "noop",
      numbers(2000).map((tag) => ({ tag })),
    );
    expect(await client.gather(futures)).toEqual(numbers(2000));
    const total = client.submit("add", { numbers: [futures[10], client.submit("add", { numbers: [1, 2] })] });
    expect(await total.result()).toBe(13);
    expect(await client.submit("echo", 1, { common: { a: 1 } }).result()).toEqual({
      parameters: 1,
      common: { a: 1 },
      index: 0,
    });
    const { workers, jobs } = await client.status();
    expect(workers.map(({ name, slots }) => `${name}: ${slots}`).toSorted()).toEqual(["local-1: 1", "local-2: 1"]);
    expect(jobs.every(({ counts }) => counts.finished > 0)).toBe(true);
  });

  test("survives what tasks do to threads, and names it", async () => {
    const client = await local();
    const hang = client.submit("hang", {}, { timeoutMs: 300 });
    const die = client.submit("die", { dies: true });
    const fine = client.map("noop", [{ tag: 1 }, { tag: 2 }]);
    await expect(hang.result()).rejects.toMatchObject({ code: "PE_TIMEOUT", details: { worker: "local-1" } });
    await expect(die.result()).rejects.toMatchObject({
      code: "PE_TASK_POISON",
      details: { key: die.key, attempts: expect.any(Number), story: expect.any(Array) },
    });
    expect(await client.gather(fine)).toEqual([1, 2]);
  });

  test("refuses kinds it does not have, and parameters that a kind refuses", async () => {
    const client = await local();
    expect(() => client.submit("nope", 1)).toThrow(expect.objectContaining({ code: "PE_KIND" }));
    await expect(client.submit("add", { numbers: ["one"] }).result()).rejects.toMatchObject({ code: "PE_PARAMETER" });
    await expect(Client.local({ kinds: ["/nowhere"] })).rejects.toMatchObject({ code: "PE_KIND" });
    await expect(Client.local({ threads: 0 })).rejects.toMatchObject({ code: "PE_PARAMETER" });
  });

  test("closes all that it opened: the process ends by itself", async () => {
    const text = `
      import { Client } from "pe-cluster";
      const client = await Client.local({ kinds: [${JSON.stringify(TEST_KINDS)}], workers: 2, threads: 1 });
      client.map("sleep", Array.from({ length: 100 }, () => ({ ms: 1000 })));
      console.log(await client.submit("noop", { tag: "done" }, { priority: 1 }).result());
      await client.close();
      const open = () => process.getActiveResourcesInfo().filter((name) => !/Pipe|TTY/.test(name));
      for (let turn = 0; turn < 100 && open().length > 0; turn++) await new Promise((done) => setTimeout(done, 20));
      console.log(JSON.stringify(open()));
    `;
    const options = { cwd: ROOT, timeout: 30_000 };
    const { stdout, stderr } = await execute(process.execPath, ["--input-type=module", "--eval", text], options);
    expect(stderr).toBe("");
    expect(stdout).toBe("done\n[]\n");
  });

  test("with a journal goes on after kill -9 where it was: no finished task runs again", async () => {
    const folder = await testFolder();
    const [journal, runs] = [join(folder, "journal"), await testFolder()];
    const description: JobDescription = {
      id: "kill",
      kind: "flaky",
      common: null,
      parts: null,
      taskCount: 60,
      task: (index) => ({ folder: runs, key: `k${index}`, fails: 0, ms: 20 }),
    };
    const text = `
      import { Client } from "pe-cluster";
      const client = await Client.local(${JSON.stringify({ kinds: [TEST_KINDS], threads: 2, journal })});
      const job = await client.openJob({
        ...${JSON.stringify(description)},
        task: (index) => ({ folder: ${JSON.stringify(runs)}, key: "k" + index, fails: 0, ms: 20 }),
      });
      let finished = 0;
      for await (const ends of job.ends()) {
        finished += ends.length;
        if (finished >= 15) process.kill(process.pid, "SIGKILL");
      }
    `;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", text], { cwd: ROOT, stdio: "inherit" });
    expect(await new Promise((done) => child.once("close", (_, signal) => done(signal)))).toBe("SIGKILL");
    const client = await local({ journal });
    const job = await client.openJob(description);
    expect(job.known).toBe(true);
    const ends = await all(job.ends());
    expect(ends.map(({ index, status }) => [index, status])).toEqual(numbers(60).map((index) => [index, "finished"]));
    // Those that ran when it was killed run again: a frame in each of two threads at most.
    const tries = readdirSync(runs).length;
    expect(tries).toBeGreaterThanOrEqual(60);
    const told = ends.filter((end) => end.status === "finished" && end.result === 1).length;
    expect(told).toBeGreaterThanOrEqual(60 - (tries - 60));
  });
});

describe("Client.connect()", () => {
  async function startScheduler(state: string, port = 0): Promise<SchedulerProcess> {
    const files = ["--journal", join(state, "journal"), "--access-file", join(state, "access.json")];
    const scheduler = await SchedulerProcess.start(state, ["--port", String(port), ...files]);
    schedulers.push(scheduler);
    return scheduler;
  }

  async function connect(accessFile: string): Promise<ClientClass> {
    const client = await Client.connect(undefined, { accessFile, kinds: [TEST_KINDS] });
    clients.push(client);
    return client;
  }

  test("keeps futures and jobs waiting while the scheduler is killed and comes back", async () => {
    const state = await testFolder();
    const first = await startScheduler(state);
    await runPeWorker(undefined, "--access-file", first.accessFile, "--kinds", TEST_KINDS, "--threads", "2");
    const client = await connect(first.accessFile);
    const runs = await testFolder();
    const flaky = (key: string): unknown => ({ folder: runs, key, fails: 0, ms: 10 });
    const futures = client.map(
      "flaky",
      numbers(100).map((index) => flaky(`f${index}`)),
    );
    const sum = client.submit("add", { numbers: futures });
    const job = await client.openJob({
      id: "job",
      kind: "flaky",
      common: null,
      parts: null,
      taskCount: 100,
      task: (index) => flaky(`j${index}`),
    });
    let deaths = 0;
    const ends: TaskEnd[] = [];
    let scheduler = first;
    for await (const batch of job.ends()) {
      ends.push(...batch);
      if (deaths > 0 || ends.length < 20) continue;
      deaths++;
      await scheduler.stop("SIGKILL");
      await sleep(200);
      scheduler = await startScheduler(state, first.port);
    }
    expect(new Set(ends.map(({ index }) => index)).size).toBe(100);
    expect(ends).toHaveLength(100);
    expect(await client.gather(futures)).toEqual(numbers(100).map(() => 1));
    expect(await sum.result()).toBe(100);
    const other = await connect(first.accessFile);
    const found = await other.findJob("job");
    expect(found).toMatchObject({ known: true, kind: "flaky", taskCount: 100 });
    expect(await all(found!.ends())).toHaveLength(100);
    expect(readdirSync(runs)).toHaveLength(200);
  });

  test("is refused with a wrong token, and leaves no handles behind", async () => {
    const scheduler = await startScheduler(await testFolder());
    const open = watchHandles();
    const wrong = Client.connect(scheduler.url, { token: "x".repeat(32) });
    await expect(wrong).rejects.toMatchObject({ code: "PE_ACCESS" });
    const nobody = Client.connect("ws://127.0.0.1:1", { token: "x".repeat(32) });
    await expect(nobody).rejects.toMatchObject({ code: "PE_CONNECTION" });
    const client = await connect(scheduler.accessFile);
    expect(await client.findJob("none")).toBeUndefined();
    await client.close();
    expect(await open()).toEqual([]);
  });
});
