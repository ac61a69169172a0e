/** Data of a client as results: stored as parts in a folder, read by a task of the real kind. */
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { gather } from "../../../client/futures/gather.ts";
import { LooseTasks } from "../../../client/futures/loose-tasks.ts";
import { SchedulerSession } from "../../../client/session/session.ts";
import type { DataWays } from "../../../client/values/data-ways.ts";
import { localWays } from "../../../client/values/local-ways.ts";
import { scatter } from "../../../client/values/scatter.ts";
import { ValueFetcher } from "../../../client/values/value-fetcher.ts";
import { openPartStore } from "../../../data/part-store.ts";
import type { TaskContext } from "../../../tasks/kind.ts";
import { scatter as kind } from "../../../tasks/scatter/run.ts";
import { SCATTER_PART_BYTES, type ScatterTask } from "../../../tasks/scatter/schema.ts";
import { testFolder } from "../../support/folders.ts";
import { SmallScheduler } from "../../support/small-scheduler.ts";

const closing: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close();
});

interface Begun {
  readonly scheduler: SmallScheduler;
  readonly tasks: LooseTasks;
  readonly ways: DataWays;
  readonly folder: string;
}

async function begin(): Promise<Begun> {
  const ways = localWays([], await testFolder());
  closing.push(ways);
  const url = await ways.partsUrl();
  const findPart: TaskContext["findPart"] = async (name) => await openPartStore(url).get(name);
  const scheduler = new SmallScheduler({
    kinds: { scatter: async (task) => await kind.run(task as ScatterTask, { findPart } as TaskContext) },
  });
  closing.push(scheduler);
  return { scheduler, tasks: await connect(scheduler), ways, folder: fileURLToPath(url) };
}

async function connect(scheduler: SmallScheduler): Promise<LooseTasks> {
  const session = await SchedulerSession.open({ connect: scheduler.connect, name: "test" });
  closing.push(session);
  return new LooseTasks(session, () => "1", new ValueFetcher(session, scheduler.fetchValue));
}

/** Two and a half parts. */
const large = (): Float64Array => new Float64Array((2.5 * SCATTER_PART_BYTES) / 8).map((_, index) => index % 1001);

/** Much faster than a comparison one by one. */
function expectLarge(array: unknown): void {
  expect(array).toBeInstanceOf(Float64Array);
  const { buffer, byteOffset, byteLength } = array as Float64Array;
  expect(Buffer.from(buffer, byteOffset, byteLength).equals(Buffer.from(large().buffer))).toBe(true);
}

describe("scatter()", () => {
  test("makes results of data of any size, in their order", async () => {
    const { tasks, ways, folder } = await begin();
    const small = { list: [1, new Float64Array([0.5])] };
    const futures = await scatter(tasks, ways, [small, { samples: large(), name: "large" }, undefined], undefined);
    const [first, second, third] = await gather(futures);
    expect([first, third]).toEqual([small, undefined]);
    expect(second).toMatchObject({ name: "large" });
    expectLarge((second as { samples: unknown }).samples);
    expect(await readdir(folder)).toHaveLength(3);
  });

  test("of the same content is the same task, of this client and of another", async () => {
    const { scheduler, tasks, ways, folder } = await begin();
    const other = await connect(scheduler);
    const futures = [
      ...(await scatter(tasks, ways, [large(), 5], undefined)),
      ...(await scatter(tasks, ways, [large(), 5], undefined)),
      ...(await scatter(other, ways, [large(), 5], undefined)),
    ];
    expect(new Set(futures.map(({ key }) => key)).size).toBe(2);
    expectLarge((await gather(futures))[4]);
    expect(scheduler.runs).toHaveLength(2);
    expect(await readdir(folder)).toHaveLength(3);
  });

  test("gives data that outlive whoever held them, and a long absence of the client", async () => {
    const { scheduler, tasks, ways } = await begin();
    const [future] = await scatter(tasks, ways, [large()], undefined);
    await future!.result();
    scheduler.replaceWorker();
    expectLarge(await future!.result());
    scheduler.kill();
    scheduler.forgetJournal();
    scheduler.start();
    const again = await scatter(tasks, ways, [large()], undefined);
    expectLarge(await again[0]!.result());
  });

  test("says which part is missing when the store has lost it", async () => {
    const { scheduler, tasks, ways } = await begin();
    const [future] = await scatter(tasks, ways, [large()], undefined);
    await ways.close();
    scheduler.replaceWorker();
    await expect(future!.result()).rejects.toMatchObject({
      code: "PE_VALUE_LOST",
      message: expect.stringMatching(/part "scatter-[0-9a-f]{64}" is not whole/),
    });
  });

  test("refuses what cannot travel", async () => {
    const { tasks, ways } = await begin();
    await expect(scatter(tasks, ways, [() => 1], undefined)).rejects.toMatchObject({ code: "PE_PARAMETER" });
    const [future] = await scatter(tasks, ways, [1], undefined);
    await expect(scatter(tasks, ways, [[future]], undefined)).rejects.toMatchObject({ code: "PE_PARAMETER" });
  });
});
