/**
 * Processes that stop without dying (SIGSTOP), and go on when nobody counts on them any more. After each: no cell lost, none
 * twice, maps as those of an undisturbed run bit for bit, nothing left behind.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import { HOOK_MS } from "../support/client.ts";
import { COUNTED_WORKER, countedJob, runsIn } from "../support/cluster-counted.ts";
import { endsOf, FaultCluster } from "../support/cluster-faults.ts";
import { expectUndisturbed, makeMaps, submitMaps, untilFinished, type FaultMaps } from "../support/cluster-maps.ts";
import { eventually, signalProcess } from "../support/cluster-programs.ts";
import { testFolder } from "../support/folders.ts";

/** What is promised of a worker that says nothing, and what a test needs to look. */
const SUSPECT_MS_MAX = 3000;
const LOST_MS_MAX = 6000;
const LOOK_MS_MAX = 250;

let maps: FaultMaps;

beforeAll(async () => {
  maps = await makeMaps();
}, HOOK_MS);

describe("SIGSTOP", () => {
  test("of a worker: suspect within 3 s, lost within 6 s, its work is done elsewhere, its late report is harmless", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b"] });
    const client = await cluster.client();
    const { output, client: command } = submitMaps(cluster, maps);
    await untilFinished(cluster, 4);
    const pid = await cluster.workers[0]!.process();
    const busy = (await client.status()).workers.find(({ name }) => name === "a")!;
    expect(busy.processing).toBeGreaterThan(0);
    signalProcess(pid, "SIGSTOP");
    const startMs = performance.now();
    const states = async (): Promise<string> => {
      const { workers } = await cluster.health();
      return `${workers.active} active, ${workers.suspect} suspect`;
    };
    await eventually(
      async () => (await states()) === "1 active, 1 suspect",
      () => "the worker is suspect",
    );
    expect(performance.now() - startMs).toBeLessThan(SUSPECT_MS_MAX + LOOK_MS_MAX);
    await eventually(
      async () => (await states()) === "1 active, 0 suspect",
      () => "the worker is lost",
    );
    expect(performance.now() - startMs).toBeLessThan(LOST_MS_MAX + LOOK_MS_MAX);
    const outcome = await command.outcome;
    signalProcess(pid, "SIGCONT");
    await eventually(
      async () => (await states()) === "2 active, 0 suspect",
      () => "the worker is back",
    );
    expect(cluster.scheduler.output.stderr).toMatch(/silent for \d+ ms/);
    expect(cluster.scheduler.output.stderr).not.toContain("result-differs");
    await expectUndisturbed(cluster, maps, output, outcome);
  });

  test("of the scheduler for 8 s: no worker counts as lost, nothing runs twice", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b", COUNTED_WORKER] });
    const runs = await testFolder();
    const job = await (await cluster.client()).openJob(countedJob(runs, 12, 400));
    const ends = endsOf(job);
    const { output, client: command } = submitMaps(cluster, maps);
    await untilFinished(cluster, 2);
    cluster.scheduler.signal("SIGSTOP");
    await sleep(8000);
    cluster.scheduler.signal("SIGCONT");
    expect((await ends).length).toBe(12);
    expect([...runsIn(runs).values()]).toEqual(Array.from({ length: 12 }, () => 1));
    expect(cluster.scheduler.output.stderr).not.toContain("silent for");
    await expectUndisturbed(cluster, maps, output, await command.outcome);
  });

  test("of a worker whose name another takes: the one that went silent leaves, and says why", async () => {
    const cluster = await FaultCluster.start({ workers: ["twin"] });
    const { output, client: command } = submitMaps(cluster, maps);
    await untilFinished(cluster, 4);
    const first = cluster.workers[0]!;
    const second = cluster.launchWorker("twin");
    await eventually(
      () => cluster.scheduler.output.stderr.includes("name-taken"),
      () => "the second is refused while the first is alive",
    );
    const pid = await first.process();
    signalProcess(pid, "SIGSTOP");
    const before = await untilFinished(cluster, 5);
    await untilFinished(cluster, before + 3);
    signalProcess(pid, "SIGCONT");
    expect(await first.program.ended).toEqual({ status: 75, signal: null });
    expect(first.program.output.stderr).toMatch(
      /pe-worker: Cannot register worker "twin": another worker has this name .*--name.*\[PE_NAME_TAKEN\]\n$/,
    );
    expect(second.program.isRunning).toBe(true);
    await expectUndisturbed(cluster, maps, output, await command.outcome);
  });
});
