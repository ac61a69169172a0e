/** The built pe-scheduler as a process of its own, with workers and clients that speak the protocol over real sockets. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { readAccess } from "../../protocol/access-file.ts";
import { testFolder } from "../support/folders.ts";
import { until } from "../support/journal.ts";
import { runScheduler, SchedulerProcess, startSchedulerProcess } from "../support/scheduler-process.ts";
import { withSmallDisk } from "../support/small-disk.ts";

const running: SchedulerProcess[] = [];

afterEach(async () => {
  for (const one of running.splice(0)) await one.end();
});

async function start(...given: Parameters<typeof SchedulerProcess.start>): Promise<SchedulerProcess> {
  const one = await SchedulerProcess.start(...given);
  running.push(one);
  return one;
}

function textsOf(results: ReadonlyMap<number, Uint8Array>): string[] {
  return [...results.entries()].toSorted(([a], [b]) => a - b).map(([, bytes]) => Buffer.from(bytes).toString());
}

const indices = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index));

describe("pe-scheduler", () => {
  test("prints where it listens and what to type next, and stops cleanly", async () => {
    const state = await testFolder();
    const started = startSchedulerProcess(state, ["--port", "0", "--journal", join(state, "j")]);
    await until(() => started.output.stdout.includes("pe-client submit"));
    const { stdout } = started.output;
    const url = /^pe-scheduler listens on (ws:\/\/127\.0\.0\.1:\d+)$/m.exec(stdout)?.[1];
    expect(url).toBeDefined();
    expect(stdout).toContain(`  pe-worker ${url} --access-file ${join(state, "pe-cluster", "access-0.json")}\n`);
    started.child.kill("SIGTERM");
    const { status, stderr } = await started.ended;
    expect(status).toBe(0);
    expect(stderr).toMatch(/stopping: what was begun is made durable[^]*stopped; nothing was lost/);
  });

  test("writes access and state for its owner alone, and keeps the tokens", async () => {
    const state = await testFolder();
    const first = await start(state);
    const { clientToken, workerToken } = first.access;
    expect(clientToken).toMatch(/^[\w-]{43}$/);
    expect(workerToken).not.toBe(clientToken);
    for (const path of [first.accessFile, join(state, "journal")]) expect(statSync(path).mode & 0o077).toBe(0);
    expect((await first.stop()).status).toBe(0);
    const second = await start(state);
    expect(second.access).toEqual({ ...first.access, url: second.url });
    expect(await readAccess({ role: "worker", file: second.accessFile })).toMatchObject({ token: workerToken });
    // No token is in what it prints.
    expect(JSON.stringify(second.started.output)).not.toContain(clientToken);
  });

  test("goes on after kill -9 where its journal ends: no finished task again, running ones adopted", async () => {
    const state = await testFolder();
    const first = await start(state);
    const worker = await first.worker({ run: (task) => (task < 500 ? Buffer.from(String(task)) : undefined) });
    const client = await first.client();
    const job = await client.submit(1000);
    await until(() => client.of("finished").reduce((sum, { tasks }) => sum + tasks.length, 0) === 500);
    await until(() => worker.begun.length > 500);
    await first.stop("SIGKILL");
    const second = await start(state);
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await second.connect(worker);
    const again = await second.client();
    expect(await again.submit(1000)).toBe(job);
    await until(() => {
      worker.finish();
      return again.of("ended").length > 0;
    });
    expect(textsOf(await again.results(job))).toEqual(indices(1000));
    expect(worker.begun.length).toBe(1000);
    await worker.close();
  });

  test("is killed at any moment of a job, and loses nothing that it has told", async () => {
    const state = await testFolder();
    const told = new Map<number, string>();
    for (let round = 0; round < 5; round++) {
      const one = await start(state);
      await one.worker();
      const client = await one.client();
      const job = await client.submit(20_000);
      await sleep(20 + 30 * round);
      await one.stop("SIGKILL");
      for (const message of client.of("finished").filter((finished) => finished.job === job))
        for (const [place, task] of message.tasks.entries()) {
          const bytes = message.results.subarray(place === 0 ? 0 : message.ends[place - 1], message.ends[place]);
          told.set(task, Buffer.from(bytes).toString());
        }
    }
    const last = await start(state);
    const asking = await last.client();
    const job = await asking.submit(20_000);
    const { jobs } = await asking.ask({ type: "status" }, "statusIs");
    expect(jobs[0]!.counts.finished).toBeGreaterThanOrEqual(told.size);
    await last.worker({ name: "other" });
    const results = await asking.results(job);
    expect(textsOf(results)).toEqual(indices(20_000));
    for (const [task, text] of told) expect(Buffer.from(results.get(task)!).toString()).toBe(text);
  });

  test("waits for a full disk, says so, and resumes by itself", async (context) => {
    await withSmallDisk(context, "1m", async (disk) => {
      const state = await testFolder();
      const journal = join(disk, "journal");
      const one = await start(state, [
        "--port",
        "0",
        "--journal",
        journal,
        "--access-file",
        join(state, "access.json"),
      ]);
      const client = await one.client();
      const job = await client.submit(10);
      writeFileSync(join(disk, "hog"), Buffer.alloc(900_000));
      const filler = Buffer.alloc(50_000, "x");
      const worker = await one.worker({ run: () => filler });
      await until(() => one.started.output.stderr.includes("the disk of the journal is full"));
      expect(client.of("ended")).toEqual([]);
      const health = await fetch(`${one.url.replace("ws", "http")}/health`);
      expect([health.status, await health.text()]).toEqual([503, '{"status":"disk-full"}\n']);
      execFileSync("rm", [join(disk, "hog")]);
      const results = await client.results(job);
      expect(results.size).toBe(10);
      expect(worker.begun.length).toBe(10);
      expect(one.started.output.stderr).toContain("has room again");
      await one.end();
    });
  });

  test("refuses other machines without TLS, unless told, and then says so", async () => {
    const state = await testFolder();
    const refused = await runScheduler(state, "--host", "0.0.0.0", "--port", "0", "--in-memory");
    expect(refused.status).toBe(64);
    expect(refused.stderr).toMatch(
      /^pe-scheduler: Cannot listen on 0\.0\.0\.0 without TLS: .*access new.*\[PE_PARAMETER\]\n$/,
    );
    const insecure = ["--host", "0.0.0.0", "--port", "0", "--in-memory", "--insecure"];
    const one = await start(state, [...insecure, "--access-file", join(state, "access.json")]);
    expect(one.started.output.stderr).toContain("--insecure: everybody on the way");
    expect(one.access.clientToken).toBeDefined();
  });

  test("serves TLS with what access new made, to whoever has a file of it", async () => {
    const state = await testFolder();
    const [file, workerFile] = [join(state, "access.json"), join(state, "worker.json")];
    const making = ["access", "new", "--host", "lab.example,10.0.0.7", "--out", file, "--worker-out", workerFile];
    const made = await runScheduler(state, ...making);
    expect([made.status, made.stderr]).toEqual([0, ""]);
    expect(made.stdout).toContain("pe-worker wss://lab.example:8786");
    expect(readdirSync(state).toSorted()).toEqual(["access.cert.pem", "access.json", "access.key.pem", "worker.json"]);
    expect(JSON.parse(readFileSync(workerFile, "utf8"))).not.toHaveProperty("clientToken");
    const before = readFileSync(file, "utf8");
    const again = await runScheduler(state, ...making);
    expect([again.status, readFileSync(file, "utf8")]).toEqual([73, before]);
    const one = await start(state, ["--host", "0.0.0.0", "--port", "0", "--in-memory", "--access-file", file]);
    expect(one.url).toMatch(/^wss:/);
    await one.worker();
    const client = await one.client();
    expect((await client.results(await client.submit(20))).size).toBe(20);
    // The file made for other machines stays as it was.
    expect(readFileSync(file, "utf8")).toBe(before);
    const { url, token, ca } = await readAccess({ role: "worker", file: workerFile, url: `localhost:${one.port}` });
    expect([url, token, ca]).toEqual([`wss://localhost:${one.port}`, one.access.workerToken, one.access.ca]);
  });

  test.each<[string, readonly string[], number, RegExp]>([
    ["an unknown option", ["--jurnal", "x"], 64, /unknown option '--jurnal'/],
    ["a port that is none", ["--port", "http"], 64, /Cannot read --port "http"/],
    ["a free port without a journal", ["--port", "0"], 64, /name one with --journal, or give --in-memory/],
    ["half of TLS", ["--tls-cert", "x"], 64, /give --tls-cert and --tls-key/],
    ["a certificate that is not there", ["--tls-cert", "/none", "--tls-key", "/none"], 77, /there is no such file/],
    ["both journal and memory", ["--journal", "x", "--in-memory"], 64, /not both/],
    ["an address of another machine", ["--host", "192.0.2.1", "--insecure"], 69, /this machine has no such address/],
  ])("refuses %s in one line", async (_, args, status, reason) => {
    const ended = await runScheduler(await testFolder(), ...args);
    expect([ended.status, ended.stdout]).toEqual([status, ""]);
    expect(ended.stderr.split("\n").filter((line) => line.startsWith("pe-scheduler: "))).toHaveLength(1);
    expect(ended.stderr).toMatch(reason);
  });

  test("says that its port is taken, its journal busy, damaged, or not writable", async () => {
    const state = await testFolder();
    const taken = createServer().listen(0, "127.0.0.1");
    await until(() => taken.listening);
    const { port } = taken.address() as { port: number };
    const busyPort = await runScheduler(state, "--port", String(port), "--in-memory");
    taken.close();
    expect([busyPort.status, busyPort.stderr]).toEqual([69, expect.stringContaining("[PE_ADDRESS]")]);
    const one = await start(state);
    const journal = join(state, "journal");
    const busy = await runScheduler(state, "--port", "0", "--journal", journal);
    expect([busy.status, busy.stderr]).toEqual([75, expect.stringContaining(`process ${one.started.child.pid}`)]);
    await one.stop();
    const segment = join(
      journal,
      readdirSync(journal).find((name) => name.startsWith("segment"))!,
    );
    const bytes = readFileSync(segment);
    bytes[20] = bytes[20]! ^ 1;
    writeFileSync(segment, bytes);
    const damaged = await runScheduler(state, "--port", "0", "--journal", journal);
    expect([damaged.status, damaged.stderr]).toEqual([65, expect.stringContaining("[PE_JOURNAL_CORRUPT]")]);
    writeFileSync(join(state, "file"), "");
    const unwritable = await runScheduler(state, "--port", "0", "--journal", join(state, "file", "journal"));
    expect([unwritable.status, unwritable.stderr]).toEqual([73, expect.stringContaining("[PE_OUTPUT_UNWRITABLE]")]);
  });

  test("refuses an access file that others may read", async () => {
    const state = await testFolder();
    mkdirSync(join(state, "pe-cluster"));
    writeFileSync(join(state, "pe-cluster", "access-8786.json"), "{}", { mode: 0o644 });
    const { status, stderr } = await runScheduler(state, "--in-memory");
    expect([status, stderr]).toEqual([77, expect.stringContaining("others may read it (mode 644); run: chmod 600")]);
  });

  test("stops at once on a second signal", async () => {
    const one = await start(await testFolder());
    one.started.child.kill("SIGINT");
    one.started.child.kill("SIGINT");
    const { status, signal } = await one.started.ended;
    // The first may have been enough.
    expect([[0, 130].includes(status ?? -1), signal]).toEqual([true, null]);
  });
});
