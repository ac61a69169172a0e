/** Durable jobs of a client, with the real core of the scheduler behind connections in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { findJob, openJob, type ClusterJob, type JobDescription, type Ties } from "../../../client/cluster-job.ts";
import type { TaskEnd } from "../../../client/jobs/job-ends.ts";
import { SchedulerSession } from "../../../client/session/session.ts";
import { ValueFetcher } from "../../../client/values/value-fetcher.ts";
import { SmallScheduler, type SmallKind } from "../../support/small-scheduler.ts";

const schedulers: SmallScheduler[] = [];
const sessions: SchedulerSession[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  for (const scheduler of schedulers.splice(0)) scheduler.close();
});

const KINDS: Record<string, SmallKind> = {
  square: (value) => (value as number) ** 2,
  index: (_, { index }) => index,
  odd: (value, { attempt }) => {
    if ((value as number) % 2 === 1 && attempt < 3) throw new Error(`${String(value)} is odd`);
    return value;
  },
};

function start(kinds = KINDS, slots = 64): SmallScheduler {
  const scheduler = new SmallScheduler({ kinds, slots });
  schedulers.push(scheduler);
  return scheduler;
}

async function connect(scheduler: SmallScheduler): Promise<Ties> {
  const session = await SchedulerSession.open({ connect: scheduler.connect, name: "test" });
  sessions.push(session);
  return { session, values: new ValueFetcher(session, scheduler.fetchValue) };
}

async function open(ties: Ties, more: Partial<JobDescription> = {}): Promise<ClusterJob> {
  const description = { id: "job", kind: "square", common: { a: 1 }, parts: null, taskCount: 10, ...more };
  return await openJob(ties, { task: (index) => index, ...description }, "1");
}

async function all(job: ClusterJob, onBatch: () => void = () => undefined): Promise<TaskEnd[]> {
  const ends: TaskEnd[] = [];
  for await (const batch of job.ends()) {
    ends.push(...batch);
    onBatch();
  }
  return ends.toSorted((a, b) => a.index - b.index);
}

const squares = (count: number): TaskEnd[] =>
  Array.from({ length: count }, (_, index) => ({ index, status: "finished", result: index ** 2 }));

describe("ClusterJob", () => {
  test("tells how each task ends, then ends", async () => {
    const job = await open(await connect(start()));
    expect(await all(job)).toEqual(squares(10));
    expect(await job.status()).toMatchObject({ id: "job", tasks: 10, sealed: true, counts: { finished: 10 } });
  });

  test("is joined by whoever opens it again, and nothing runs twice", async () => {
    const scheduler = start();
    const first = await open(await connect(scheduler));
    await all(first);
    const second = await open(await connect(scheduler));
    expect([first.known, second.known]).toEqual([false, true]);
    expect(await all(second)).toEqual(squares(10));
    expect(scheduler.runs).toHaveLength(10);
  });

  test("is found by its id, with what its tasks share", async () => {
    const scheduler = start();
    await open(await connect(scheduler), { parts: "file:///parts" });
    const ties = await connect(scheduler);
    const job = await findJob(ties, "job");
    expect(job).toMatchObject({ id: "job", kind: "square", known: true, taskCount: 10, common: { a: 1 } });
    expect(job?.parts).toBe("file:///parts");
    expect(await all(job!)).toEqual(squares(10));
    expect(await findJob(ties, "another")).toBeUndefined();
  });

  test("tells of results that workers hold, and fetches them when they are asked for", async () => {
    const scheduler = start({ ...KINDS, filled: (value) => new Float64Array(10_000).fill(value as number) });
    const ties = await connect(scheduler);
    const job = await open(ties, { kind: "filled", taskCount: 3 });
    const bytes = expect.any(Number) as number;
    expect(await all(job)).toEqual(
      [0, 1, 2].map((index) => ({ index, status: "finished", result: undefined, value: { bytes } })),
    );
    expect(scheduler.fetched).toEqual([]);
    expect(await job.value(2)).toEqual(new Float64Array(10_000).fill(2));
    scheduler.replaceWorker();
    scheduler.breakConnections();
    expect(await job.value(1)).toEqual(new Float64Array(10_000).fill(1));
    const small = await open(ties, { id: "small" });
    await all(small);
    await expect(small.value(0)).rejects.toMatchObject({ code: "PE_PARAMETER" });
  });

  test("is prepared once, when it is known and before it has tasks, through a lost connection", async () => {
    const scheduler = start();
    const ties = await connect(scheduler);
    const seen: unknown[] = [];
    const prepare = async (): Promise<void> => {
      const found = await findJob(await connect(scheduler), "job");
      seen.push(found?.taskCount, (await found!.status()).sealed);
      scheduler.breakConnections();
      await sleep(1);
    };
    const job = await open(ties, { prepare });
    expect(seen).toEqual([0, false]);
    expect(await all(job)).toEqual(squares(10));
  });

  test("has no tasks when its preparation fails, and may be released or opened again", async () => {
    const scheduler = start();
    const ties = await connect(scheduler);
    const prepare = async (): Promise<void> => await Promise.reject(new Error("no room"));
    await expect(open(ties, { prepare })).rejects.toThrow("no room");
    const found = await findJob(ties, "job");
    expect(await found!.status()).toMatchObject({ tasks: 0, sealed: false });
    const again = await open(ties);
    expect([again.known, await all(again)]).toEqual([true, squares(10)]);
    await expect(open(ties, { id: "other", prepare })).rejects.toThrow("no room");
    await (await findJob(ties, "other"))!.release();
    expect(await findJob(ties, "other")).toBeUndefined();
  });

  test("is refused under an id that stands for something else", async () => {
    const ties = await connect(start());
    await open(ties);
    await expect(open(ties, { common: { a: 2 } })).rejects.toMatchObject({ code: "PE_JOB_CONFLICT" });
    await expect(open(ties, { taskCount: 9 })).rejects.toMatchObject({ code: "PE_PARAMETER" });
    await expect(open(ties, { id: "large", taskCount: 10_000_001 })).rejects.toMatchObject({ code: "PE_LIMIT" });
  });

  test("stays a range where the index is all a task needs", async () => {
    const scheduler = start();
    const ties = await connect(scheduler);
    const description = { id: "range", kind: "index", common: undefined, parts: null, taskCount: 5000 };
    const job = await openJob(ties, description, "1");
    expect(scheduler.core.state.jobsById.get("range")!.batches).toHaveLength(1);
    const ends = await all(job);
    expect(ends.map((end) => end.status === "finished" && end.result)).toEqual(ends.map((_, index) => index));
  });

  test("travels in batches of bounded size, with its groups", async () => {
    const scheduler = start({ size: (value) => (value as Uint8Array).length });
    const more = { kind: "size", taskCount: 9000, task: (index: number) => new Uint8Array(index % 300) };
    const job = await open(await connect(scheduler), { ...more, groupOf: (index) => Math.floor(index / 100) });
    const { batches } = scheduler.core.state.jobsById.get("job")!;
    expect(batches.every(({ start: first, stop }) => stop - first <= 4096)).toBe(true);
    expect(batches.every(({ parameters }) => parameters!.values.byteLength <= 512 * 1024)).toBe(true);
    const starts = new Set(batches.flatMap(({ groups }) => [...groups!]));
    for (let index = 0; index < 9000; index += 100) expect(starts).toContain(index);
    expect(await all(job)).toHaveLength(9000);
  });

  test("names failed tasks, and tells them again after a retry", async () => {
    const job = await open(await connect(start()), { kind: "odd" });
    const ends = await all(job);
    expect(ends[3]).toMatchObject({
      status: "erred",
      error: { code: "PE_TASK_FAILED", message: "3 is odd" },
      attempts: 1,
      worker: "small",
    });
    expect(ends[4]).toEqual({ index: 4, status: "finished", result: 4 });
    expect(await job.retryFailed([3, 5])).toBe(2);
    expect(await job.retryFailed()).toBeGreaterThan(1);
    await all(job);
    await job.retryFailed();
    expect((await all(job)).every(({ status }) => status === "finished")).toBe(true);
  });

  test("goes on telling what is retried while somebody listens", async () => {
    const scheduler = start();
    const job = await open(await connect(scheduler), { kind: "odd", taskCount: 4 });
    const statuses: string[] = [];
    for await (const batch of job.ends())
      for (const end of batch) {
        statuses.push(`${end.index} ${end.status}`);
        if (end.status === "erred") await job.retryFailed([end.index]);
      }
    expect(statuses.filter((text) => text.endsWith("finished")).toSorted()).toEqual(
      [0, 1, 2, 3].map((index) => `${index} finished`),
    );
  });

  test("cancels the rest after too many failures, and says why", async () => {
    const scheduler = start();
    const job = await open(await connect(scheduler), { kind: "odd", maxFails: 0, taskCount: 2000 });
    const ends = await all(job);
    expect(ends).toHaveLength(2000);
    expect(ends.filter(({ status }) => status === "erred")).toHaveLength(1);
    expect(ends.find(({ status }) => status === "cancelled")).toMatchObject({
      because: expect.stringContaining("odd"),
    });
  });

  test("is cancelled on request, tells stories, and is forgotten when released", async () => {
    const scheduler = start();
    scheduler.holdWork();
    const ties = await connect(scheduler);
    const job = await open(ties);
    await job.cancel();
    expect((await all(job)).every(({ status }) => status === "cancelled")).toBe(true);
    expect((await job.story(3)).join()).toContain("cancelled");
    await job.release();
    await expect(job.status()).rejects.toMatchObject({ code: "PE_JOB_UNKNOWN" });
    expect(await findJob(ties, "job")).toBeUndefined();
  });

  test("survives lost connections: each end is told once", async () => {
    const scheduler = start(KINDS, 2);
    const job = await open(await connect(scheduler), { taskCount: 20_000 });
    let batches = 0;
    const ends = await all(job, () => {
      if (++batches % 5 === 0) scheduler.breakConnections();
    });
    expect(batches).toBeGreaterThan(5);
    expect(ends).toEqual(squares(20_000));
  });

  test("survives a scheduler that dies and comes back on its journal", async () => {
    const scheduler = start(KINDS, 2);
    const job = await open(await connect(scheduler), { taskCount: 2000 });
    let deaths = 0;
    const ends = await all(job, () => {
      if (deaths >= 3) return;
      deaths++;
      scheduler.kill();
      setTimeout(() => scheduler.start(), 20);
      setTimeout(() => scheduler.pass(5000), 40);
    });
    expect(ends).toEqual(squares(2000));
  });

  test("is sent again to a scheduler that lost its journal", async () => {
    const scheduler = start();
    scheduler.holdWork();
    const job = await open(await connect(scheduler), { taskCount: 5000 });
    const ends = all(job);
    await sleep(20);
    scheduler.kill();
    scheduler.forgetJournal();
    scheduler.releaseWork();
    scheduler.start();
    expect(await ends).toEqual(squares(5000));
  });

  test("ends what it tells when it is detached, and goes on", async () => {
    const scheduler = start();
    scheduler.holdWork();
    const job = await open(await connect(scheduler));
    const ends = all(job);
    await sleep(20);
    job.detach();
    expect(await ends).toEqual([]);
    expect(scheduler.core.state.jobsById.has("job")).toBe(true);
  });
});

describe("SchedulerSession", () => {
  test("names both versions when the scheduler speaks another", async () => {
    const scheduler = start();
    const connectOld = async () => {
      const connection = await scheduler.connect();
      const { send } = connection;
      connection.send = (message) =>
        send.call(connection, message.type === "hello" ? { ...message, protocol: 9 } : message);
      return connection;
    };
    await expect(SchedulerSession.open({ connect: connectOld, name: "old" })).rejects.toMatchObject({
      code: "PE_VERSION",
      message: expect.stringMatching(/protocol 9 .*the scheduler 1/),
    });
  });

  test("refuses what still waits when it is closed", async () => {
    const scheduler = start();
    scheduler.holdWork();
    const { session, ...rest } = await connect(scheduler);
    const ends = all(await open({ session, ...rest }));
    await sleep(20);
    await session.close();
    await expect(ends).rejects.toMatchObject({ code: "PE_CLOSED" });
    await expect(session.link()).rejects.toMatchObject({ code: "PE_CLOSED" });
  });

  test("fails at once where nobody answers the first time", async () => {
    const scheduler = start();
    scheduler.kill();
    await expect(connect(scheduler)).rejects.toMatchObject({ code: "PE_CONNECTION" });
  });
});
