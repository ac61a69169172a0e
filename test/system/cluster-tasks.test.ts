/**
 * Tasks that do to their worker what no task should, beside a job that wants its maps: each is named, alone; everything else
 * finishes as if nothing had been.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { changedDist } from "../support/changed-dist.ts";
import { HOOK_MS } from "../support/client.ts";
import { endsOf, FaultCluster } from "../support/cluster-faults.ts";
import { expectUndisturbed, makeMaps, submitMaps, untilFinished, type FaultMaps } from "../support/cluster-maps.ts";
import { Program } from "../support/cluster-programs.ts";

let maps: FaultMaps;

beforeAll(async () => {
  maps = await makeMaps("1-8");
}, HOOK_MS);

describe("a task", () => {
  test("that kills each worker it meets is named after three deaths, alone; the rest finishes", async () => {
    const cluster = await FaultCluster.start();
    for (const name of ["a", "b"]) await cluster.startWorker(name, "--threads", "2");
    const { output, client: command } = submitMaps(cluster, maps);
    await untilFinished(cluster, 2);
    const POISON = 7;
    const task = (index: number): unknown => ({ dies: index === POISON, tag: index });
    const options = { priority: 1 };
    const description = { id: "poison", kind: "abort", common: null, parts: null, taskCount: 20, task, options };
    const job = await (await cluster.client()).openJob(description);
    const ends = await endsOf(job);
    for (const end of ends)
      if (end.index !== POISON) expect(end).toEqual({ index: end.index, status: "finished", result: end.index });
    const poison = ends[POISON];
    expect(poison).toMatchObject({ status: "erred", error: { code: "PE_TASK_POISON" } });
    // A hand-out that was given back before it began is an attempt too, but no death.
    expect((poison as { attempts: number }).attempts).toBeGreaterThanOrEqual(3);
    const { message } = (poison as { error: { message: string } }).error;
    expect(message).toMatch(/ended 3 workers or threads, alone in the last 2: worker "[ab]" was gone/);
    const outcome = await command.outcome;
    const deaths = cluster.workers.flatMap(({ program }) => program.output.stderr.match(/died: signal SIGKILL/g) ?? []);
    expect(deaths).toHaveLength(3);
    await expectUndisturbed(cluster, maps, output, outcome);
  });

  test("that never ends, exits, or exhausts its memory is named; its neighbours and the worker live on", async () => {
    const cluster = await FaultCluster.start();
    for (const name of ["a", "b"]) await cluster.startWorker(name, "--threads", "2", "--memory-limit", "640MiB");
    const { output, client: command } = submitMaps(cluster, maps);
    await untilFinished(cluster, 2);
    const client = await cluster.client();
    const first = { priority: 1 };
    const bad = [
      client.submit("hang", {}, { ...first, timeoutMs: 700 }),
      client.submit("die", { how: "exit" }, first),
      client.submit("die", { how: "throw" }, first),
      client.submit("exhaust", {}, first),
    ];
    const good = client.map(
      "noop",
      Array.from({ length: 200 }, (_, tag) => ({ tag })),
      first,
    );
    const told = await Promise.all(bad.map(async (future) => await future.result().catch((error: unknown) => error)));
    expect(told).toMatchObject([
      { code: "PE_TIMEOUT", message: expect.stringContaining("700 ms") },
      { code: "PE_TASK_POISON" },
      { code: "PE_TASK_POISON" },
      { code: "PE_TASK_POISON" },
    ]);
    expect(await client.gather(good)).toEqual(Array.from({ length: 200 }, (_, tag) => tag));
    await expectUndisturbed(cluster, maps, output, await command.outcome);
    // Threads ended, processes did not.
    expect(cluster.workers.map(({ program }) => program.output.stderr).join("")).not.toContain(
      "another process starts",
    );
  });
});

describe("a program of another version", () => {
  const OTHER = PROTOCOL_VERSION + 41;

  test("is refused, worker or client, with both versions named; others work on", async () => {
    const cluster = await FaultCluster.start({ workers: ["a"] });
    const { output, client: command } = submitMaps(cluster, maps);
    await untilFinished(cluster, 2);
    const dist = await changedDist({ "protocol/version.js": [[/(PROTOCOL_VERSION = )\d+/, `$1${OTHER}`]] });
    const worker = cluster.launchWorker("newer", [], { dist });
    expect(await worker.program.ended).toEqual({ status: 69, signal: null });
    const said = worker.program.output.stderr.trimEnd().split("\n").at(-1);
    expect(said).toMatch(
      new RegExp(`^pe-worker: .*protocol ${OTHER} .*scheduler ${PROTOCOL_VERSION};.*\\[PE_VERSION\\]$`),
    );
    const client = new Program("client/cli/main.js", ["status", ...cluster.reach], { dist });
    expect(await client.ended).toEqual({ status: 69, signal: null });
    expect(client.output.stderr).toMatch(
      new RegExp(`^pe-client: .*protocol ${OTHER}.*${PROTOCOL_VERSION};.*\\[PE_VERSION\\]\n$`),
    );
    await expectUndisturbed(cluster, maps, output, await command.outcome);
  });
});
