/** What people do to jobs by commands, beside waiting for them, and what they are told. */
import { readdirSync } from "node:fs";
import { rename } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { Client } from "../../client/client.ts";
import { TEST_KINDS } from "../support/built.ts";
import { HOOK_MS } from "../support/client.ts";
import { startCluster, until, type TestCluster } from "../support/cluster-processes.ts";
import { fileFolder, testFolder } from "../support/folders.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

let input = "";

beforeAll(async () => {
  input = await simulateShardsInto(await fileFolder());
}, HOOK_MS);

function submitArgs(shards: string, ...more: readonly string[]): string[] {
  return ["submit", ...runArgs(shards, "none.hdf5", "--detach", ...more).slice(1)];
}

async function submit(cluster: TestCluster, ...more: readonly string[]): Promise<string> {
  return (await cluster.runWell(...submitArgs(input, ...more))).stdout.trim();
}

describe("pe-client submit", () => {
  test("of a known job joins it wherever its parts go, but does not take them elsewhere", async () => {
    const cluster = await startCluster();
    const parts = join(cluster.folder, "parts");
    const id = await submit(cluster, "--parts", parts);
    expect(await submit(cluster)).toBe(id);
    const { status, stderr } = await cluster.run(...submitArgs(input, "--parts", join(cluster.folder, "other")));
    expect(status).toBe(64);
    expect(stderr).toMatch(
      /results go to file:.*parts; leave --parts out.*pe-client release [0-9a-f]{32} \[PE_JOB_CONFLICT\]/,
    );
  });

  test("of the same shards in another folder says where the job reads them, and how to forget it", async () => {
    const cluster = await startCluster();
    const [here, there] = [join(await testFolder(), "here"), join(await testFolder(), "there")];
    await rename(await simulateShardsInto(await testFolder()), here);
    const id = (await cluster.runWell(...submitArgs(here))).stdout.trim();
    await rename(here, there);
    const { status, stderr } = await cluster.run(...submitArgs(there));
    expect(status).toBe(64);
    expect(stderr).toContain(`in "${here}"`);
    await cluster.runWell("cancel", id);
    // It ended without success: nothing is lost by doing it there.
    expect((await cluster.runWell(...submitArgs(there))).stdout.trim()).toBe(id);
  });
});

describe("pe-client story", () => {
  test("tells what happened to a task, on which worker, and how long ago", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("a");
    const id = await submit(cluster);
    await cluster.runWell("attach", id);
    const { stdout } = await cluster.runWell("story", `${id.slice(0, 8)}/3`);
    expect(stdout).toMatch(
      /^\d.* ago: processing, attempt 1, worker "a"\n\d.* ago: finished, attempt 1, worker "a"\n$/,
    );
    const { status, stderr } = await cluster.run("story", "nobody");
    expect([status, stderr]).toEqual([66, expect.stringMatching(/has this key.*3f2a9c\/17 \[PE_JOB_UNKNOWN\]/)]);
  });
});

describe("pe-client status", () => {
  test("says what jobs compute, how fast they go on, and what went wrong first", async () => {
    const cluster = await startCluster();
    const id = await submit(cluster, "--shards", "0:2");
    const lines = (await cluster.runWell("status", id)).stdout.split("\n");
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.stringMatching(new RegExp(`^${id}: \\d+ tasks? of kind pe \\(.*\\), stuck$`)),
        `input       ${input}`,
        expect.stringMatching(/^orders {6}\d/),
        expect.stringMatching(/^delays {6}\d/),
        expect.stringMatching(/^maps {8}\d+: pe$/),
        expect.stringMatching(/^shards {6}0:2 of \d+ files$/),
        "progress    0 %",
      ]),
    );
    await cluster.startWorker("a", "--kinds", TEST_KINDS);
    const client = await Client.connect(cluster.url, { accessFile: cluster.access[1], kinds: [TEST_KINDS] });
    try {
      const common = { common: null, parts: null };
      const fails = (index: number): unknown => ({ message: `no ${index}` });
      const bad = await client.openJob({ id: "bad", kind: "fail", taskCount: 6, task: fails, ...common });
      await until(async () => (await bad.status()).counts.erred === 6, "all tasks fail");
      const slow = { taskCount: 400, task: (index: number): unknown => ({ ms: 50, tag: index }) };
      await client.openJob({ id: "slow", kind: "sleep", ...slow, ...common });
      const one = JSON.parse((await cluster.runWell("status", "bad", "--json")).stdout) as Record<string, unknown>;
      expect(one.firstError).toMatchObject({
        key: "bad/0",
        code: "PE_TASK_FAILED",
        message: expect.stringContaining("no 0"),
      });
      expect((await cluster.runWell("status", "bad")).stdout).toMatch(
        /^first error bad\/0: .*no 0 \[PE_TASK_FAILED\]$/m,
      );
      const { jobs } = JSON.parse((await cluster.runWell("status", "--json")).stdout) as {
        jobs: Record<string, never>[];
      };
      expect(jobs).toMatchObject([{ id, about: { input } }, { id: "bad" }, { id: "slow" }]);
      expect(Object.keys(jobs[1]!)).not.toContain("perSecond");
      expect(jobs[2]!.perSecond).toBeGreaterThan(1);
      expect(jobs[2]!.secondsLeft).toBeGreaterThan(0);
      expect((await cluster.runWell("status")).stdout).toMatch(/slow +sleep +running .*\d s/);
    } finally {
      await client.close();
    }
  });
});

describe("pe-client attach", () => {
  test("says what a job waits for that cannot go on", async () => {
    const cluster = await startCluster();
    const id = await submit(cluster);
    const waiting = cluster.start("attach", id);
    await waiting.said(`(job ${id}): no worker is connected`);
    await cluster.startWorker("a");
    expect((await waiting.outcome).status).toBe(0);
  });
});

describe("pe-client watch", () => {
  test("shows what goes on: with nothing it says so, and jobs that ended long ago do not count", async () => {
    const cluster = await startCluster();
    const id = await submit(cluster);
    await cluster.runWell("cancel", id);
    expect((await cluster.runWell("watch")).stdout).toMatch(/^nothing goes on/);
    expect((await cluster.run("watch", id)).status).toBe(65);
  });
});

describe("pe-client cancel and release", () => {
  test("say what becomes of the job, and refuse what would lose work", async () => {
    const cluster = await startCluster();
    const id = await submit(cluster);
    const early = await cluster.run("release", id);
    expect([early.status, early.stderr]).toEqual([75, expect.stringMatching(/pe-client cancel .*\[PE_JOB_NEEDED\]/)]);
    expect((await cluster.runWell("cancel", id)).stdout).toMatch(/^cancelled .*pe-client retry/);
    expect((await cluster.runWell("cancel", id)).stdout).toMatch(/^nothing to cancel/);
    expect((await cluster.runWell("release", id)).stdout).toBe(
      `forgot ${id}, and freed the parts that no other job needs\n`,
    );
    expect((await cluster.runWell("status")).stdout).toMatch(/^no jobs/);
  });

  test("frees what the scheduler's own store holds for the job alone", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("a");
    const folder = join(cluster.folder, "journal", "parts");
    const id = await submit(cluster);
    await cluster.runWell("attach", id);
    const parts = readdirSync(folder).filter((name) => !name.startsWith("."));
    expect(parts).toContain(`manifest-${id}`);
    expect(parts.length).toBeGreaterThan(1);
    await cluster.runWell("release", id);
    await until(() => readdirSync(join(folder, ".jobs")).length === 0, "its parts are freed");
    expect(readdirSync(folder)).toEqual([".jobs"]);
  });
});
