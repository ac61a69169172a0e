/**
 * Processes of a cluster are killed without warning in the middle of a job. After each: no cell lost, none twice, maps as
 * those of an undisturbed run bit for bit, every task finished once, nothing left behind.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { HOOK_MS } from "../support/client.ts";
import { COUNTED_WORKER, countedJob, runsIn } from "../support/cluster-counted.ts";
import { endsOf, FaultCluster } from "../support/cluster-faults.ts";
import {
  attachMaps,
  detachMaps,
  expectUndisturbed,
  makeMaps,
  submitMaps,
  untilFinished,
  type FaultMaps,
} from "../support/cluster-maps.ts";
import { eventually, signalProcess } from "../support/cluster-programs.ts";
import { testFolder } from "../support/folders.ts";

let maps: FaultMaps;

beforeAll(async () => {
  maps = await makeMaps();
}, HOOK_MS);

const once = (count: number): Map<number, number> => new Map(Array.from({ length: count }, (_, task) => [task, 1]));

describe("kill -9", () => {
  test("of a worker in the middle of a shard: its supervisor starts another, and the work goes on", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b"] });
    const { output, client } = submitMaps(cluster, maps);
    const { program, process } = cluster.workers[0]!;
    for (const tasks of [2, 8, 14]) {
      await untilFinished(cluster, tasks);
      signalProcess(await process(), "SIGKILL");
    }
    await expectUndisturbed(cluster, maps, output, await client.outcome);
    expect(program.output.stderr.match(/died: signal SIGKILL/g)).toHaveLength(3);
  });

  test("of a worker and its supervisor: the others do its work", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b"] });
    const { output, client } = submitMaps(cluster, maps);
    await untilFinished(cluster, 4);
    await cluster.workers[0]!.program.kill();
    await expectUndisturbed(cluster, maps, output, await client.outcome);
  });

  test("of the scheduler: the client waits, workers go on with what they run, nothing finished runs again", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b", COUNTED_WORKER] });
    const runs = await testFolder();
    const client = await cluster.client();
    const job = await client.openJob(countedJob(runs, 12, 400));
    const ends = endsOf(job);
    const { output, client: command } = submitMaps(cluster, maps);
    for (const tasks of [3, 15]) {
      await untilFinished(cluster, tasks);
      await cluster.scheduler.kill();
      await cluster.startScheduler();
    }
    const outcome = await command.outcome;
    expect((await ends).map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => "finished"));
    expect(runsIn(runs)).toEqual(once(12));
    await expectUndisturbed(cluster, maps, output, outcome);
  });

  test("of everything at one moment: started again, it goes on where the journal ends", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b", COUNTED_WORKER] });
    const runs = await testFolder();
    const client = await cluster.client();
    const job = await client.openJob(countedJob(runs, 30, 100));
    const { client: first } = submitMaps(cluster, maps);
    const before = await untilFinished(cluster, 8);
    const countedBefore = (await job.status()).counts.finished;
    first.child.kill("SIGKILL");
    await cluster.killAll();
    expect((await first.outcome).signal).toBe("SIGKILL");
    const ranBefore = runsIn(runs);
    await cluster.startScheduler();
    await Promise.all(["a", "b", COUNTED_WORKER].map(async (name) => await cluster.startWorker(name)));
    const { output, client: second } = submitMaps(cluster, maps);
    const outcome = await second.outcome;
    expect(Number(/joined: (\d+) of 30 tasks/.exec(outcome.stderr)?.[1])).toBeGreaterThanOrEqual(before);
    const again = await (await cluster.client()).findJob("counted");
    expect((await endsOf(again!)).length).toBe(30);
    // What had run and was not told yet runs again, what was told never does.
    const twice = [...runsIn(runs)].filter(([, times]) => times > 1);
    expect(twice.length).toBeLessThanOrEqual(ranBefore.size - countedBefore);
    await expectUndisturbed(cluster, maps, output, outcome);
  });

  test("of the client: the job goes on, and another gets its maps", async () => {
    const cluster = await FaultCluster.start({ workers: ["a", "b"] });
    const { client: dying } = submitMaps(cluster, maps);
    await untilFinished(cluster, 3);
    dying.child.kill("SIGKILL");
    expect((await dying.outcome).signal).toBe("SIGKILL");
    await untilFinished(cluster, 30);
    await cluster.stop();
    await cluster.startScheduler();
    // Nobody computes: all of it is there.
    const id = await detachMaps(cluster, maps);
    const { output, outcome } = await attachMaps(cluster, id);
    await expectUndisturbed(cluster, maps, output, outcome);
  });

  test("of a client that waits for others' work changes nothing, and six that submit at once make one job", async () => {
    const cluster = await FaultCluster.start();
    const ids = await Promise.all(Array.from({ length: 6 }, async () => await detachMaps(cluster, maps)));
    expect(new Set(ids).size).toBe(1);
    const { client: dying } = submitMaps(cluster, maps);
    await eventually(
      async () => (await cluster.health()).connections.clients > 0,
      () => "it is connected",
    );
    dying.child.kill("SIGKILL");
    await dying.outcome;
    await cluster.startWorker("a");
    const { output, outcome } = await attachMaps(cluster, ids[0]!);
    await expectUndisturbed(cluster, maps, output, outcome);
  });
});
