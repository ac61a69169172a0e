/** Jobs on a real scheduler with real workers, by the commands of a user: the maps are those of a run on one machine, bit for bit. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { HOOK_MS, runClient, runWell } from "../support/client.ts";
import { startCluster, until, type TestCluster } from "../support/cluster-processes.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { compareMaps } from "../support/maps-files.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

/** Some seconds of one thread, so that something can be done to it on its way: a command that asks how far it is takes 0.3. */
const LONG = ["--measures", "weighted", "--orders", "6-8", "--delays", "1-24"];
const LONG_SAMPLES = 24_000;

let input = "";
let longInput = "";
let clean = "";
let cleanLong = "";

beforeAll(async () => {
  const folder = await fileFolder();
  input = await simulateShardsInto(folder, 4000);
  longInput = await simulateShardsInto(join(folder, "long"), LONG_SAMPLES);
  clean = join(folder, "clean.hdf5");
  cleanLong = join(folder, "clean-long.hdf5");
  await runWell(runArgs(input, clean));
  await runWell(["run", "--input", longInput, "--output", cleanLong, ...LONG]);
}, HOOK_MS);

function submitArgs(output: string, ...more: readonly string[]): string[] {
  return ["submit", ...runArgs(input, output, ...more).slice(1)];
}

function longArgs(output: string, ...more: readonly string[]): string[] {
  return ["submit", "--input", longInput, "--output", output, ...LONG, ...more];
}

interface Job {
  readonly id: string;
  readonly counts: { finished: number; cancelled: number; erred: number };
}

async function jobsOf(cluster: TestCluster): Promise<Job[]> {
  const { stdout } = await cluster.runWell("status", "--json");
  return (JSON.parse(stdout) as { jobs: Job[] }).jobs;
}

async function untilFinished(cluster: TestCluster, tasks: number): Promise<void> {
  await until(async () => ((await jobsOf(cluster))[0]?.counts.finished ?? 0) >= tasks, `${tasks} tasks are finished`);
}

describe("submit", () => {
  test("over disjoint ranges, with a worker killed on the way, gives the maps of one run", async () => {
    const cluster = await startCluster();
    const workers = [await cluster.startWorker("a"), await cluster.startWorker("b")];
    const output = join(cluster.folder, "maps.hdf5");
    const first = cluster.start(...longArgs(output, "--shards", "0:9"));
    await untilFinished(cluster, 1);
    await workers[0]!.kill("SIGKILL");
    const { status, stderr } = await first.outcome;
    expect(status, stderr).toBe(0);
    await cluster.runWell(...longArgs(output, "--shards", "9:"));
    expect(await compareMaps(output, cleanLong)).toEqual([]);
    const jobs = await jobsOf(cluster);
    expect(jobs).toHaveLength(2);
    expect((await cluster.runWell("workers")).stdout).toMatch(/^b /m);
    expect(leftovers(cluster.folder).filter((name) => !name.startsWith("journal"))).toEqual([]);
  });

  test("goes on when the scheduler is killed and comes back", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("a");
    const output = join(cluster.folder, "maps.hdf5");
    const waiting = cluster.start(...longArgs(output));
    await untilFinished(cluster, 2);
    await cluster.scheduler.kill("SIGKILL");
    await cluster.startScheduler();
    const { status, stderr } = await waiting.outcome;
    expect(status, stderr).toBe(0);
    expect(await compareMaps(output, cleanLong)).toEqual([]);
  });

  test("twice is one job, and whoever comes later finds it finished", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("a");
    const outputs = ["one.hdf5", "two.hdf5"].map((name) => join(cluster.folder, name));
    const both = outputs.map((output) => cluster.start(...submitArgs(output)).outcome);
    const ids = (await Promise.all(both)).map(({ stdout }) => stdout.split("\n")[0]);
    expect(ids[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(ids[1]).toBe(ids[0]);
    for (const output of outputs) expect(await compareMaps(output, clean)).toEqual([]);
    const third = await cluster.runWell(...submitArgs(join(cluster.folder, "three.hdf5")));
    expect(third.stderr).toContain("joined: 16 of 16 tasks finished before");
    expect(await jobsOf(cluster)).toHaveLength(1);
  });

  test("--detach, attach from another folder, and reduce without the scheduler give the same maps", async () => {
    const cluster = await startCluster();
    const parts = join(cluster.folder, "parts");
    const { stdout } = await cluster.runWell(...submitArgs("none.hdf5", "--detach", "--parts", parts));
    const id = stdout.trim();
    expect((await cluster.runWell("status", id.slice(0, 8))).stdout).toMatch(/queued +16/);
    await cluster.startWorker("a");
    const output = join(await testFolder(), "attached.hdf5");
    await cluster.runWell("attach", id.slice(0, 6), "--output", output);
    expect(await compareMaps(output, clean)).toEqual([]);
    await cluster.scheduler.kill("SIGTERM");
    const reduced = join(await testFolder(), "reduced.hdf5");
    await runWell(["reduce", parts, "--output", reduced]);
    expect(await compareMaps(reduced, clean)).toEqual([]);
  });

  test("ended by Ctrl-C detaches, says how to go on, and loses nothing", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("a");
    const output = join(cluster.folder, "maps.hdf5");
    const waiting = cluster.start(...longArgs(output));
    await untilFinished(cluster, 1);
    waiting.child.kill("SIGINT");
    const { status, stderr } = await waiting.outcome;
    expect(status, stderr).toBe(130);
    const id = /pe-client attach ([0-9a-f]{32})/.exec(stderr)![1]!;
    expect(stderr).toContain(`pe-client cancel ${id}`);
    await cluster.runWell("attach", id, "--output", output);
    expect(await compareMaps(output, cleanLong)).toEqual([]);
  });

  test("ends early and names the host when a worker cannot reach the input", async () => {
    const cluster = await startCluster();
    const moved = await simulateShardsInto(await testFolder());
    const args = ["submit", ...runArgs(moved, join(cluster.folder, "maps.hdf5")).slice(1)];
    const { stdout } = await cluster.runWell(...args, "--detach");
    await (await import("node:fs/promises")).rm(moved, { recursive: true });
    await cluster.startWorker("a");
    const { status, stderr } = await cluster.run(
      "attach",
      stdout.trim(),
      "--output",
      join(cluster.folder, "maps.hdf5"),
    );
    expect(stderr).toMatch(/\[PE_INPUT_UNREACHABLE\]\n$/);
    expect(stderr).toContain((await import("node:os")).hostname());
    expect(status).toBe(66);
  });
});

describe("a job", () => {
  test("that is cancelled tells what is missing, is reduced in part, and goes on by retry", async () => {
    const cluster = await startCluster();
    const worker = await cluster.startWorker("a");
    const output = join(cluster.folder, "maps.hdf5");
    const id = (await cluster.runWell(...longArgs(output, "--detach"))).stdout.trim();
    await untilFinished(cluster, 2);
    await worker.kill("SIGTERM");
    await cluster.runWell("cancel", id);
    const refused = await cluster.run("reduce", id, "--output", output);
    expect(refused.status).toBe(65);
    expect(refused.stderr).toMatch(/tasks are cancelled.*raw_shard_\d+_\d+\.hdf5 \(cells .*\[PE_INCOMPLETE\]\n$/);
    const partial = await cluster.run("reduce", id, "--output", output, "--partial");
    expect(partial.status, partial.stderr).toBe(65);
    expect(partial.stdout).toContain("not computed: raw_shard_");
    expect((await cluster.run("watch", id)).stdout).toMatch(/cancelled/);
    await cluster.startWorker("b");
    expect((await cluster.runWell("retry", id, "--failed")).stdout).toMatch(/run again/);
    await cluster.runWell("attach", id, "--output", output);
    expect(await compareMaps(output, cleanLong)).toEqual([]);
    expect((await cluster.runWell("story", `${id}/15`)).stdout).toMatch(/finished/);
  });

  test("of a task list writes its result files where the lines say, and reduce makes a map of them", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("a");
    const [list, results] = [join(cluster.folder, "tasks-m05t02.txt"), join(cluster.folder, "two  words")];
    const listed = await runWell(["tasks", "--input", input, "--orders", "5", "--delays", "2", "--output", results]);
    await writeFile(list, listed.stdout);
    const { stdout } = await cluster.runWell("submit", "--task-file", list);
    expect(stdout).toMatch(/16 result files of 120 series/);
    const output = join(cluster.folder, "maps.hdf5");
    await runWell(["reduce", results, "--order", "5", "--delay", "2", "--output", output]);
    const text = async (path: string): Promise<string> => (await runWell(["export", path, "--map", "m005t002"])).stdout;
    expect(await text(output)).toBe(await text(clean));
    const lines = await readFile(join(results, "raw_shard_000_000.hdf5-pe.txt"), "utf8");
    expect(lines).toMatch(/^0,0,0\.\d+\n0,1,0\.\d+\n/);
  });

  test("that nobody knows is told with those that are like it", async () => {
    const cluster = await startCluster();
    const id = (await cluster.runWell(...submitArgs("none.hdf5", "--detach"))).stdout.trim();
    const { status, stderr } = await cluster.run("status", `${id.slice(0, 5)}x`);
    expect([status, stderr]).toEqual([66, expect.stringContaining(id.slice(0, 12))]);
  });
});

describe("a command without a way to its scheduler", () => {
  test("says how to start one", async () => {
    const env = { XDG_STATE_HOME: await testFolder() };
    const none = await runClient(["status", "--scheduler", "ws://127.0.0.1:9"], { env });
    expect(none.stderr).toMatch(/access file.*pe-scheduler/);
    expect(none.stderr.trim().split("\n")).toHaveLength(1);
    const cluster = await startCluster();
    await cluster.scheduler.kill("SIGKILL");
    const gone = await cluster.run("status");
    expect(gone.status).toBe(69);
    expect(gone.stderr).toMatch(/pe-scheduler.*\[PE_CONNECTION\]/);
  });

  test("says that the token is wrong", async () => {
    const cluster = await startCluster();
    const file = join(cluster.folder, "other.json");
    const access = JSON.parse(await readFile(join(cluster.folder, "access.json"), "utf8")) as object;
    await writeFile(file, JSON.stringify({ ...access, clientToken: "x".repeat(43) }), { mode: 0o600 });
    const { status, stderr } = await runClient(["status", "--access-file", file]);
    expect([status, stderr]).toEqual([77, expect.stringContaining("[PE_ACCESS]")]);
  });
});
