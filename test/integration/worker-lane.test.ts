/** Lanes of the pool, as built: frames that follow each other in one thread, and what a death does to those that wait. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { Random } from "../../common/random.ts";
import { decodeValue } from "../../protocol/values.ts";
import type { Lane } from "../../worker/threads/lane.ts";
import { until } from "../support/journal.ts";
import { frameOf, openPool } from "../support/pool.ts";

interface Told {
  readonly lane: Lane;
  readonly done: (readonly [task: number, result: unknown])[];
  readonly failed: number[];
  readonly storing: number[];
  readonly deaths: string[];
  /** For each start of its thread, how many tasks had ended. */
  readonly ups: number[];
}

async function openLane(partAccess: { schedulerUrl?: string } = {}, onEnded = (): void => undefined): Promise<Told> {
  const pool = await openPool({ partAccess });
  await pool.listKinds();
  const told = {
    done: [] as (readonly [number, unknown])[],
    failed: [] as number[],
    storing: [] as number[],
    deaths: [] as string[],
    ups: [] as number[],
  };
  const lane = pool.openLane({
    onEnded: (ended) => {
      told.done.push(...ended.done.map(({ task, result }) => [task, decodeValue(result)] as const));
      told.failed.push(...ended.failed.map(({ task }) => task));
      told.storing.push(...ended.storing.map(({ task }) => task));
      onEnded();
    },
    onUp: () => void told.ups.push(told.done.length),
    onDied: (reason) => void told.deaths.push(reason),
  });
  return { ...told, lane };
}

const noop = (tag: number) => frameOf("noop", [{ tag }], { first: tag });
const tagsUpTo = (count: number) => Array.from({ length: count }, (_, tag) => [tag, tag]);

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

describe("lane.run()", () => {
  test("runs frames that come while one runs, in their order, and tells each task once", async () => {
    const { lane, done } = await openLane();
    lane.run(frameOf("spin", [{ ms: 50, tag: 0 }]));
    for (let tag = 1; tag < 40; tag++) lane.run(noop(tag));
    await until(() => done.length >= 40);
    expect(done).toEqual(tagsUpTo(40));
    await until(() => !lane.isBusy);
  });

  test("runs a frame whenever it comes: before the thread begins, while it ends, when it is idle", async () => {
    const random = new Random(7);
    const { lane, done } = await openLane();
    for (let tag = 0; tag < 400; tag++) {
      lane.run(noop(tag));
      const pause = random.integer(4);
      if (pause === 1) await new Promise(setImmediate);
      if (pause === 2) await sleep(1);
      if (pause === 3 && random.integer(10) === 0) await until(() => !lane.isBusy);
    }
    await until(() => done.length >= 400);
    expect(done).toEqual(tagsUpTo(400));
  });

  test("gives the next frame when the last task is told, too", async () => {
    let [next, count] = [1, 0];
    const { lane, done } = await openLane({}, () => {
      if (++count < 100) lane.run(noop(next++));
    });
    lane.run(noop(0));
    await until(() => done.length >= 100);
    expect(done).toEqual(tagsUpTo(100));
  });

  test("does not wait for parts: they are told as being stored, and done when they are", async () => {
    const asked: ServerResponse[] = [];
    const server = createServer((request, response) => {
      request.resume().on("end", () => asked.push(response));
    });
    servers.push(server.listen(0, "127.0.0.1"));
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { lane, done, storing } = await openLane({ schedulerUrl: `ws://127.0.0.1:${port}` });
    lane.run(frameOf("big", [{ part: "one", partBytes: 10 }], { parts: "scheduler:" }));
    lane.run(noop(1));
    await until(() => done.length === 1);
    expect(storing).toEqual([0]);
    expect(done).toEqual([[1, 1]]);
    await until(() => !lane.isBusy && asked.length === 1);
    asked[0]!.writeHead(201).end();
    await until(() => done.length === 2);
    expect(done[1]![0]).toBe(0);
  });
});

describe("a death", () => {
  test("is told once; the frames that waited are not run, those that come later are", async () => {
    const { lane, done, deaths, ups } = await openLane();
    lane.run(noop(0));
    lane.run(frameOf("die", [{}], { first: 1 }));
    lane.run(noop(2));
    await until(() => deaths.length > 0);
    expect(done).toEqual([[0, 0]]);
    lane.run(noop(3));
    await until(() => done.length === 2);
    expect(done).toEqual([
      [0, 0],
      [3, 3],
    ]);
    expect(deaths).toHaveLength(1);
    // And each start before any task that comes of it.
    expect(ups).toEqual([0, 1]);
  });

  test("by kill() waits until the thread has started, and blames what it was given", async () => {
    const { lane, done, deaths, ups } = await openLane();
    lane.run(noop(0));
    lane.kill("it was too late");
    await until(() => deaths.length === 1);
    expect(deaths).toEqual(["it was too late"]);
    lane.run(noop(1));
    await until(() => done.some(([task]) => task === 1));
    expect(ups).toHaveLength(1);
  });

  test("by kill() says why, also when the thread had nothing to do by then", async () => {
    const { lane, done, deaths } = await openLane();
    lane.run(frameOf("hang", [{}]));
    await sleep(50);
    lane.kill("it took too long");
    await until(() => deaths.length === 1);
    lane.kill("again");
    await until(() => deaths.length === 2);
    expect(deaths).toEqual(["it took too long", "again"]);
    lane.run(noop(1));
    await until(() => done.length === 1);
  });
});
