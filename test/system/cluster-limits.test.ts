/** What cannot go on without end: results that nobody reads, a disk that is full. Others are not disturbed, nothing is lost. */
import { spawn } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { HOOK_MS, ROOT } from "../support/client.ts";
import { TEST_KINDS } from "../support/built.ts";
import { endsOf, FaultCluster } from "../support/cluster-faults.ts";
import { expectUndisturbed, makeMaps, submitMaps, untilFinished, type FaultMaps } from "../support/cluster-maps.ts";
import { eventually } from "../support/cluster-programs.ts";
import { withSmallDisk } from "../support/small-disk.ts";

const TASKS = 1_000_000;
/** The state of a million tasks with results, and what waits for a reader until it is cut off. */
const GROWTH_BYTES_MAX = 600e6;

let maps: FaultMaps;

beforeAll(async () => {
  maps = await makeMaps("1-8");
}, HOOK_MS);

test("a client that stops reading a million results disturbs nobody, and gets each once when it goes on", async () => {
  const cluster = await FaultCluster.start({ workers: ["a", "b"] });
  const text = `
    import { Client } from "pe-cluster";
    const options = ${JSON.stringify({ accessFile: cluster.accessFile, kinds: [TEST_KINDS] })};
    const client = await Client.connect(${JSON.stringify(cluster.url)}, options);
    const job = await client.openJob({ id: "million", kind: "echo", common: null, parts: null, taskCount: ${TASKS} });
    const seen = new Uint8Array(${TASKS});
    for await (const ends of job.ends())
      for (const { index, status, result } of ends) {
        if (seen[index]++ > 0 || status !== "finished" || result.index !== index) throw new Error("task " + index);
        if (index === 0) console.log("reads");
      }
    console.log("all", seen.every((times) => times === 1));
    await client.close();
  `;
  const reader = spawn(process.execPath, ["--input-type=module", "--eval", text], { cwd: ROOT });
  let said = "";
  for (const stream of [reader.stdout, reader.stderr]) stream.on("data", (data: Buffer) => (said += data.toString()));
  const ended = new Promise((done) => reader.once("close", (status) => done(status)));
  try {
    await eventually(
      () => said.includes("reads"),
      () => `it reads: ${said}`,
    );
    reader.kill("SIGSTOP");
    const start = await cluster.health();
    const client = await cluster.client();
    let rssBytes = 0;
    let asked = 0;
    for (let finished = 0; finished < TASKS; asked++) {
      const health = await cluster.health();
      rssBytes = Math.max(rssBytes, health.memory.rssBytes);
      finished = health.tasks.finished;
      // Before all that waits, and while nobody reads.
      const tag = `${asked}`;
      expect(await client.submit("noop", { tag }, { priority: 1 }).result()).toBe(tag);
    }
    console.log(`${asked} asked meanwhile, ${Math.round((rssBytes - start.memory.rssBytes) / 1e6)} MB more`);
    expect(asked).toBeGreaterThan(5);
    expect(rssBytes - start.memory.rssBytes).toBeLessThan(GROWTH_BYTES_MAX);
    reader.kill("SIGCONT");
    expect(await ended, said).toBe(0);
    expect(said).toBe("reads\nall true\n");
  } finally {
    reader.kill("SIGKILL");
    await ended;
  }
  await cluster.stop();
});

/** Takes what room there is on a disk. */
function fill(file: string): void {
  for (const piece of [64 << 10, 4 << 10, 1])
    try {
      for (;;) appendFileSync(file, Buffer.alloc(piece));
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
}

test("a full disk of the journal and of the parts: told, waited for, and then the job goes on", async (context) => {
  await withSmallDisk(context, "24m", async (disk) => {
    const cluster = await FaultCluster.start({ workers: ["a"], journal: join(disk, "journal") });
    try {
      const { output, client: command } = submitMaps(cluster, maps);
      const before = await untilFinished(cluster, 3);
      const hog = join(disk, "hog");
      fill(hog);
      const client = await cluster.client();
      const task = (index: number): unknown => ({ tag: "x".repeat(1000) + String(index) });
      const common = { common: null, parts: null, options: { priority: 1 } };
      const opening = client.openJob({ ...common, id: "more", kind: "noop", taskCount: 500, task });
      await eventually(
        async () => (await cluster.health()).status === "disk-full",
        () => "the disk is full",
      );
      const { tasks } = await cluster.health();
      expect(tasks.finished).toBeGreaterThanOrEqual(before);
      expect(tasks.erred).toBe(0);
      rmSync(hog);
      expect((await endsOf(await opening)).map(({ status }) => status)).toEqual(Array(500).fill("finished"));
      await expectUndisturbed(cluster, maps, output, await command.outcome);
      const { stderr } = cluster.scheduler.output;
      expect(stderr).toMatch(/the disk of the journal is full[^]*has room again/);
    } finally {
      // Before the disk goes.
      await cluster.killAll();
    }
  });
});
