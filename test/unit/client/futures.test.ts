/** Futures, with the real core of the scheduler behind connections in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { PeError } from "../../../common/errors.ts";
import type { Future } from "../../../client/futures/future.ts";
import { gather } from "../../../client/futures/gather.ts";
import { asCompleted } from "../../../client/futures/gathering.ts";
import { LooseTasks } from "../../../client/futures/loose-tasks.ts";
import { SchedulerSession } from "../../../client/session/session.ts";
import type { TaskOptions } from "../../../client/task-options.ts";
import { ValueFetcher } from "../../../client/values/value-fetcher.ts";
import type { SchedulerToClient } from "../../../protocol/client-link.ts";
import { SmallScheduler, type SmallKind } from "../../support/small-scheduler.ts";

const schedulers: SmallScheduler[] = [];
const sessions: SchedulerSession[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  for (const scheduler of schedulers.splice(0)) scheduler.close();
});

const sum = (value: unknown): number => {
  if (typeof value === "number") return value;
  return Object.values(value as object).reduce((total: number, one) => total + sum(one), 0);
};

const KINDS: Record<string, SmallKind> = {
  echo: (value) => value,
  square: (value) => (value as number) ** 2,
  sum,
  common: (_, { common }) => common,
  // Fails until its third attempt, whoever asks for it.
  third: (value, { attempt }) => {
    if (attempt < 3) throw new Error(`attempt ${attempt} is not the third`);
    return value;
  },
  deadly: () => {
    throw new PeError("PE_THREAD_DIED", "the thread ran out of memory");
  },
};

function start(): SmallScheduler {
  const scheduler = new SmallScheduler({ kinds: KINDS });
  schedulers.push(scheduler);
  return scheduler;
}

async function connect(scheduler: SmallScheduler, way = scheduler.connect): Promise<LooseTasks> {
  const session = await SchedulerSession.open({ connect: way, name: "test" });
  sessions.push(session);
  return new LooseTasks(session, (_, version = "1") => version, new ValueFetcher(session, scheduler.fetchValue));
}

async function begin(): Promise<{ scheduler: SmallScheduler; tasks: LooseTasks; submit: Submit }> {
  const scheduler = start();
  const tasks = await connect(scheduler);
  return { scheduler, tasks, submit: submitTo(tasks) };
}

/** Connects so that from a message of the type `first` on nothing is heard until one of the type `last` can be. */
function heardTogether(scheduler: SmallScheduler, first: string, last: string): SmallScheduler["connect"] {
  return async () => {
    const connection = await scheduler.connect();
    const onMessages = connection.onMessages.bind(connection);
    connection.onMessages = (listener) => {
      let held: SchedulerToClient[] = [];
      onMessages((messages) => {
        held.push(...messages);
        if (held.some(({ type }) => type === first) && !held.some(({ type }) => type === last)) return;
        const heard = held;
        held = [];
        listener(heard);
      });
    };
    return connection;
  };
}

type Submit = (kind: string, parameters?: unknown, options?: TaskOptions) => Future;
const submitTo =
  (tasks: LooseTasks): Submit =>
  (kind, parameters, options) =>
    tasks.submit(kind, parameters, options);

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const batchesOf = (scheduler: SmallScheduler) =>
  [...scheduler.core.state.jobs.values()].flatMap(({ batches }) => batches);

describe("Future", () => {
  test("has the result of its task, each time the same object", async () => {
    const { submit } = await begin();
    const future = submit("echo", { a: [1, new Float64Array([0.5])] });
    expect(future.status).toBe("pending");
    const result = await future.result();
    expect(result).toEqual({ a: [1, new Float64Array([0.5])] });
    expect(await future.result()).toBe(result);
    expect(future.status).toBe("finished");
    expect(future.key).toMatch(/^session-[0-9a-f]{12}-1\/0$/);
  });

  test("goes with all of its turn in one batch for each kind and set of options", async () => {
    const { scheduler, tasks, submit } = await begin();
    const futures = [
      ...tasks.map("square", numbers(100), undefined),
      ...numbers(50).map((value) => submit("square", value)),
      ...numbers(10).map((value) => submit("square", value, { priority: 1 })),
      ...numbers(10).map((value) => submit("echo", value)),
    ];
    await gather(futures);
    expect(batchesOf(scheduler).map(({ start: first, stop }) => stop - first)).toEqual([150, 10, 10]);
  });

  test("stands for its result in parameters, at any depth and across kinds", async () => {
    const { scheduler, submit } = await begin();
    const squares = numbers(5).map((value) => submit("square", value));
    const deep = submit("sum", { list: squares, more: { one: submit("echo", 100) } });
    const twice = submit("sum", [deep, deep, submit("square", submit("echo", 3))]);
    expect(await twice.result()).toBe(2 * (30 + 100) + 9);
    expect(await submit("square", deep).result()).toBe(130 ** 2);
    expect(scheduler.runs).toHaveLength(11);
  });

  test("carries options to the scheduler, and what its tasks share", async () => {
    const { scheduler, submit } = await begin();
    const options = { priority: 7, retries: 2, timeoutMs: 1500.5, volatile: true, workers: ["small"] };
    expect(await submit("echo", 1, options).result()).toBe(1);
    expect(batchesOf(scheduler)[0]!.options).toMatchObject({ ...options, timeoutMs: 1501 });
    expect(await submit("common", null, { common: { wide: "world" } }).result()).toEqual({ wide: "world" });
    submit("echo", 1, { resources: { gpu: 2 } });
    await sleep(20);
    expect(batchesOf(scheduler).flatMap(({ options: { resources } }) => resources)).toEqual([
      { name: "gpu", amount: 2 },
    ]);
  });

  test("refuses options and parameters that cannot be, at once", async () => {
    const { tasks, submit } = await begin();
    const codeOf = (act: () => unknown): unknown => {
      try {
        return act();
      } catch (error) {
        return (error as PeError).code;
      }
    };
    expect(codeOf(() => submit("echo", 1, { priority: 1.5 }))).toBe("PE_PARAMETER");
    expect(codeOf(() => submit("echo", 1, { retires: 2 } as TaskOptions))).toBe("PE_PARAMETER");
    expect(codeOf(() => submit("echo", () => 1))).toBe("PE_PARAMETER");
    expect(codeOf(() => submit("echo", new Uint8Array(1 << 20)))).toBe("PE_LIMIT");
    expect(codeOf(() => submit("echo", 1, { key: "" }))).toBe("PE_PARAMETER");
    expect(codeOf(() => tasks.map("echo", [1], { key: "one" }))).toBe("PE_PARAMETER");
    const other = await connect(start());
    expect(codeOf(() => other.submit("echo", [submit("echo", 1)], undefined))).toBe("PE_PARAMETER");
  });

  test("is rejected with the error of its task: code, stack, attempts, worker, story", async () => {
    const { submit } = await begin();
    const future = submit("third", 5, { retries: 1 });
    const error = await future.result().catch((reason: unknown) => reason as PeError);
    expect(error).toBeInstanceOf(PeError);
    expect(error).toMatchObject({
      code: "PE_TASK_FAILED",
      message: `attempt 2 is not the third (task ${future.key}, 2 attempts, last on worker "small")`,
      details: { key: future.key, kind: "third", attempts: 2, worker: "small" },
    });
    const { cause, details } = error as PeError;
    expect((cause as Error).stack).toContain("futures.test.ts");
    expect((details.story as string[]).join("\n")).toMatch(/processing, attempt 2/);
    expect(future.status).toBe("erred");
    expect((await future.story()).join("\n")).toContain("erred");
  });

  test("of a task that ends each thread it meets says so", async () => {
    const { submit } = await begin();
    const error = (await submit("deadly")
      .result()
      .catch((reason: unknown) => reason)) as PeError;
    expect(error.code).toBe("PE_TASK_POISON");
    expect(error.message).toMatch(/ended 3 workers or threads.*out of memory.*last on worker "small"/);
  });

  test("fails with what it needs, names it, and is retried with it", async () => {
    const { submit } = await begin();
    const third = submit("third", 5);
    const next = submit("square", submit("echo", third));
    const error = await next.result().catch((reason: unknown) => reason as PeError);
    expect(error).toMatchObject({ code: "PE_NEED_FAILED", message: expect.stringContaining(third.key) });
    next.retry();
    expect([third.status, next.status]).toEqual(["pending", "pending"]);
    await next.result().catch(() => undefined);
    next.retry();
    expect(await next.result()).toBe(25);
    expect(third.status).toBe("finished");
  });

  test("is cancelled with those that need it", async () => {
    const { scheduler, submit } = await begin();
    scheduler.holdWork();
    const first = submit("echo", 1);
    const second = submit("echo", first);
    first.cancel();
    await expect(first.result()).rejects.toMatchObject({ code: "PE_CANCELLED" });
    await expect(second.result()).rejects.toMatchObject({ code: "PE_NEED_FAILED" });
    scheduler.releaseWork();
    second.retry();
    expect(await second.result()).toBe(1);
  });

  test("is cancelled when its signal aborts", async () => {
    const { scheduler, tasks, submit } = await begin();
    scheduler.holdWork();
    const abort = new AbortController();
    const futures = tasks.map("echo", numbers(10), { signal: abort.signal });
    const other = submit("echo", 1);
    await sleep(20);
    abort.abort();
    const ends = await Promise.allSettled(futures.map(async (future) => await future.result()));
    expect(ends.every(({ status }) => status === "rejected")).toBe(true);
    expect(other.status).toBe("pending");
    expect(() => submit("echo", 1, { signal: abort.signal })).toThrow("aborted");
  });

  test("is rejected when the client is closed before", async () => {
    const { scheduler, tasks, submit } = await begin();
    scheduler.holdWork();
    const result = submit("echo", 1).result();
    result.catch(() => undefined);
    await sleep(20);
    tasks.abandon();
    await sessions[0]!.close();
    await expect(result).rejects.toMatchObject({ code: "PE_CLOSED" });
    expect(() => submit("echo", 2)).toThrow(expect.objectContaining({ code: "PE_CLOSED" }));
    await sleep(20);
    expect(scheduler.core.state.jobs.size).toBe(0);
  });
});

describe("a key", () => {
  test("joins what this client has submitted under it", async () => {
    const { scheduler, submit } = await begin();
    const futures = [submit("square", 3, { key: "nine" }), submit("square", 3, { key: "nine" })];
    expect(await gather(futures)).toEqual([9, 9]);
    expect(await submit("square", 3, { key: "nine" }).result()).toBe(9);
    expect(futures[0]!.key).toBe("nine");
    expect(scheduler.runs).toEqual(["square 3"]);
  });

  test("is refused for other parameters or another kind", async () => {
    const { submit } = await begin();
    const first = submit("square", 3, { key: "nine" });
    for (const other of [() => submit("square", 4, { key: "nine" }), () => submit("echo", 3, { key: "nine" })])
      expect(other).toThrow(expect.objectContaining({ code: "PE_JOB_CONFLICT" }));
    expect(await first.result()).toBe(9);
  });

  test("joins what another client has submitted, before or after it ends", async () => {
    const { scheduler, submit } = await begin();
    await submit("square", 5, { key: "early" }).result();
    scheduler.holdWork();
    const late = submit("square", 6, { key: "late" });
    await sleep(20);
    const other = submitTo(await connect(scheduler));
    const joined = ["early", "late", "new"].map((key, index) => other("square", 5 + index, { key }));
    await sleep(20);
    scheduler.releaseWork();
    expect(await gather([late, ...joined])).toEqual([36, 25, 36, 49]);
    expect(scheduler.runs).toHaveLength(3);
  });

  test("of another client with other parameters fails alone", async () => {
    const { scheduler, submit } = await begin();
    await submit("square", 5, { key: "five" }).result();
    const other = submitTo(await connect(scheduler));
    const futures = numbers(9).map((value) => other("square", value, { key: value === 4 ? "five" : `own ${value}` }));
    await expect(futures[4]!.result()).rejects.toMatchObject({ code: "PE_JOB_CONFLICT" });
    expect(await gather(futures.filter((_, index) => index !== 4))).toEqual([0, 1, 4, 9, 25, 36, 49, 64]);
  });

  test("of another client fails with large parameters as often as it is used, and other tasks go on", async () => {
    const { scheduler, submit } = await begin();
    const keys = numbers(12).map((index) => `key ${index}`);
    await gather(keys.map((key) => submit("echo", 1, { key })));
    const other = submitTo(await connect(scheduler));
    // Together more than may be sent and not confirmed.
    const large = new Uint8Array(900 << 10);
    for (const key of keys)
      await expect(other("echo", large, { key }).result()).rejects.toMatchObject({ code: "PE_JOB_CONFLICT" });
    expect(await other("echo", 1).result()).toBe(1);
  });

  test("has its result also when that is told in the same breath as the key is taken", async () => {
    const scheduler = start();
    const submit = submitTo(await connect(scheduler, heardTogether(scheduler, "appended", "finished")));
    expect(await gather(numbers(3).map((value) => submit("square", value, { key: `key ${value}` })))).toEqual([
      0, 1, 4,
    ]);
  });

  test("goes through a lost connection and a lost journal", async () => {
    const { scheduler, submit } = await begin();
    scheduler.holdWork();
    const first = submit("square", 5, { key: "first" });
    const second = submit("sum", [first, 1], { key: "second" });
    await sleep(20);
    scheduler.breakConnections();
    await sleep(100);
    scheduler.kill();
    scheduler.forgetJournal();
    scheduler.releaseWork();
    scheduler.start();
    expect(await second.result()).toBe(26);
    scheduler.breakConnections();
    expect(await submit("sum", [first, second], { key: "third" }).result()).toBe(51);
    expect(scheduler.runs).toHaveLength(3);
  });
});

describe("gather", () => {
  test("gives results in order, fails with the first failure, and takes what it is given twice", async () => {
    const { tasks, submit } = await begin();
    const futures = tasks.map("square", numbers(5000), undefined);
    expect(await gather([...futures, futures[3]!])).toEqual([...numbers(5000).map((value) => value ** 2), 9]);
    expect(await gather([])).toEqual([]);
    await expect(gather([...futures, submit("third", 1)])).rejects.toThrow("attempt 1 is not the third");
  });
});

describe("asCompleted", () => {
  test("gives each future as it ends, whichever way", async () => {
    const { scheduler, tasks, submit } = await begin();
    scheduler.holdWork();
    const futures = [...tasks.map("square", numbers(500), undefined), submit("third", 1)];
    const cancelled = submit("echo", 1);
    cancelled.cancel();
    const order: Future[] = [];
    for await (const future of asCompleted([...futures, cancelled])) {
      expect(future.status).not.toBe("pending");
      if (order.push(future) === 1) scheduler.releaseWork();
    }
    expect(order[0]).toBe(cancelled);
    expect(new Set(order).size).toBe(502);
  });
});

describe("a lost connection", () => {
  test("loses no future: what was not confirmed is sent again, nothing runs twice", async () => {
    const { scheduler, tasks } = await begin();
    const futures: Future[] = [];
    for (let round = 0; round < 10; round++) {
      futures.push(...tasks.map("square", numbers(300), undefined));
      if (round % 2 === 0) await sleep(1);
      scheduler.breakConnections();
      if (round % 3 === 0) await sleep(30);
    }
    expect(await gather(futures)).toEqual(numbers(10).flatMap(() => numbers(300).map((value) => value ** 2)));
    expect(scheduler.runs).toHaveLength(3000);
  });

  test("keeps what was asked for meanwhile", async () => {
    const { scheduler, submit } = await begin();
    const failing = submit("third", 1);
    await failing.result().catch(() => undefined);
    scheduler.holdWork();
    const waiting = submit("echo", 1);
    await sleep(20);
    scheduler.kill();
    await sleep(20);
    waiting.cancel();
    failing.retry();
    const fresh = submit("echo", 2);
    scheduler.start();
    await expect(waiting.result()).rejects.toMatchObject({ code: "PE_CANCELLED" });
    scheduler.releaseWork();
    scheduler.pass(5000);
    expect(await fresh.result()).toBe(2);
    await expect(failing.result()).rejects.toThrow("is not the third");
    expect(scheduler.runs.filter((run) => run.startsWith("third"))).toHaveLength(2);
  });

  test("does not undo a retry by telling how the task had ended before", async () => {
    const { scheduler, submit } = await begin();
    const failing = submit("third", 1, { retries: 1 });
    await expect(failing.result()).rejects.toThrow("attempt 2");
    scheduler.breakConnections();
    await sleep(5);
    failing.retry();
    expect(await failing.result()).toBe(1);
  });

  test("to a scheduler that has lost everything sends what has not ended anew, with results it had", async () => {
    const { scheduler, tasks, submit } = await begin();
    const done = tasks.map("square", numbers(100), undefined);
    await gather(done);
    const failed = submit("third", 1);
    await failed.result().catch(() => undefined);
    scheduler.holdWork();
    const half = tasks.map("square", numbers(100), undefined);
    const total = submit("sum", { done, half });
    const hopeless = submit("echo", failed);
    await sleep(20);
    scheduler.kill();
    scheduler.forgetJournal();
    const late = submit("sum", [total, done[3]]);
    const lateHopeless = submit("echo", [failed]);
    scheduler.releaseWork();
    scheduler.start();
    const squares = sum(numbers(100).map((value) => value ** 2));
    expect(await late.result()).toBe(2 * squares + 9);
    await expect(hopeless.result()).rejects.toMatchObject({ code: "PE_NEED_FAILED" });
    await expect(lateHopeless.result()).rejects.toMatchObject({ code: "PE_NEED_FAILED" });
    lateHopeless.retry();
    await lateHopeless.result().catch(() => undefined);
    expect(failed.status).toBe("erred");
    expect(scheduler.runs.filter((run) => run.startsWith("square"))).toHaveLength(200);
  });
});
