/** Large results of futures, with the real core of the scheduler and a worker that holds them. */
import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, test } from "vitest";
import type { Future } from "../../../client/futures/future.ts";
import { gather } from "../../../client/futures/gather.ts";
import { asCompleted } from "../../../client/futures/gathering.ts";
import { LooseTasks } from "../../../client/futures/loose-tasks.ts";
import { persist, replicate, whoHas } from "../../../client/futures/value-requests.ts";
import { SchedulerSession } from "../../../client/session/session.ts";
import type { TaskOptions } from "../../../client/task-options.ts";
import { ValueFetcher, type FetchRequest } from "../../../client/values/value-fetcher.ts";
import { FetchFailed } from "../../../protocol/transfer/fetch-failed.ts";
import { until } from "../../support/journal.ts";
import { SmallScheduler, type SmallKind } from "../../support/small-scheduler.ts";

const schedulers: SmallScheduler[] = [];
const sessions: SchedulerSession[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  for (const scheduler of schedulers.splice(0)) scheduler.close();
});

/** Its array does not fit into a report. */
const SAMPLES = 10_000;

const sumOf = (value: unknown): number => {
  if (typeof value === "number") return value;
  if (value instanceof Float64Array) return value.reduce((total, sample) => total + sample, 0);
  const items: unknown[] = Object.values(value as object);
  return items.reduce<number>((total, item) => total + sumOf(item), 0);
};

const KINDS: Record<string, SmallKind> = {
  filled: (value) => new Float64Array(SAMPLES).fill(value as number),
  text: (value) => "a".repeat(value as number),
  echo: (value) => value,
  sum: sumOf,
  plusOne: (array) => (array as Float64Array).map((sample) => sample + 1),
};

type Submit = (kind: string, parameters?: unknown, options?: TaskOptions) => Future;

interface Begun {
  readonly scheduler: SmallScheduler;
  readonly tasks: LooseTasks;
  readonly submit: Submit;
}

async function begin(kinds = KINDS): Promise<Begun> {
  const scheduler = new SmallScheduler({ kinds });
  schedulers.push(scheduler);
  return await connect(scheduler);
}

async function connect(scheduler: SmallScheduler): Promise<Begun> {
  const session = await SchedulerSession.open({ connect: scheduler.connect, name: "test" });
  sessions.push(session);
  const values = new ValueFetcher(session, scheduler.fetchValue);
  const tasks = new LooseTasks(session, () => "1", values);
  return { scheduler, tasks, submit: (kind, parameters, options) => tasks.submit(kind, parameters, options) };
}

const finished = async (futures: readonly Future[]): Promise<void> =>
  await until(() => futures.every(({ status }) => status === "finished"));

describe("a future of a large result", () => {
  test("fetches it when it is asked for, once for all who ask while somebody has it", async () => {
    const { scheduler, submit } = await begin();
    const future = submit("filled", 3);
    await finished([future]);
    expect(scheduler.fetched).toEqual([]);
    const [first, second] = await Promise.all([future.result(), future.result()]);
    expect(first).toEqual(new Float64Array(SAMPLES).fill(3));
    expect(first).toBe(second);
    expect(await future.result()).toBe(first);
    expect(await gather([future, future])).toEqual([first, first]);
    expect(scheduler.fetched).toHaveLength(1);
  });

  test("of text, which nobody can be seen to have, fetches it each time", async () => {
    const { scheduler, submit } = await begin();
    const future = submit("text", 100_000);
    expect(await future.result()).toBe("a".repeat(100_000));
    expect(await future.result()).toHaveLength(100_000);
    expect(scheduler.fetched).toHaveLength(2);
  });

  test("stands for it in parameters beside small ones, at any depth, without coming here", async () => {
    const { scheduler, submit } = await begin();
    const [one, small, two] = [submit("filled", 1), submit("echo", 5), submit("filled", 2)];
    expect(await submit("sum", { small, more: [two, { small, one }] }).result()).toBe(3 * SAMPLES + 10);
    expect(scheduler.fetched).toEqual([]);
  });

  test("is needed by thousands of tasks at once", async () => {
    const { scheduler, tasks, submit } = await begin();
    const array = submit("filled", 1);
    const sums = tasks.map(
      "sum",
      Array.from({ length: 5000 }, (_, place) => [array, place]),
      undefined,
    );
    expect(await gather(sums)).toEqual(Array.from(sums, (_, place) => SAMPLES + place));
    expect(scheduler.runs.filter((run) => run.startsWith("filled"))).toHaveLength(1);
  });

  test("is computed again when its holder is lost before it was fetched", async () => {
    const { scheduler, submit } = await begin();
    const next = submit("plusOne", submit("filled", 1));
    await finished([next]);
    scheduler.replaceWorker();
    expect(await next.result()).toEqual(new Float64Array(SAMPLES).fill(2));
    expect(scheduler.runs.map((run) => run.split(" ")[0])).toEqual(["filled", "plusOne", "filled", "plusOne"]);
  });

  test("asks again, and says who has nothing, when a holder has lost it without a word", async () => {
    const { scheduler, submit } = await begin();
    const future = submit("filled", 1);
    await finished([future]);
    scheduler.values.clear();
    expect(await future.result()).toEqual(new Float64Array(SAMPLES).fill(1));
    expect(scheduler.fetched).toHaveLength(2);
  });

  test("is fetched through lost connections and a restart of the scheduler", async () => {
    const { scheduler, submit } = await begin();
    const future = submit("filled", 1);
    const named = submit("filled", 2, { key: "two" });
    await finished([future, named]);
    scheduler.breakConnections();
    expect(await named.result()).toEqual(new Float64Array(SAMPLES).fill(2));
    scheduler.kill();
    const result = future.result();
    scheduler.start();
    expect(await result).toEqual(new Float64Array(SAMPLES).fill(1));
    expect(scheduler.runs).toEqual(["filled 1", "filled 2"]);
  });

  test("is lost with a scheduler that has no journal; one with a key is computed again", async () => {
    const { scheduler, submit } = await begin();
    const [future, named] = [submit("filled", 1), submit("filled", 2, { key: "two" })];
    await finished([future, named]);
    scheduler.kill();
    scheduler.forgetJournal();
    scheduler.values.clear();
    scheduler.start();
    await expect(future.result()).rejects.toMatchObject({ code: "PE_VALUE_LOST", details: { key: future.key } });
    await expect(submit("sum", future).result()).rejects.toMatchObject({ code: "PE_NEED_FAILED" });
    expect(await named.result()).toEqual(new Float64Array(SAMPLES).fill(2));
  });

  test("is given up when nobody gives it, with the reason", async () => {
    await begin();
    let tries = 0;
    const refused = async ({ name }: FetchRequest): Promise<never> => {
      tries++;
      throw await Promise.resolve(new FetchFailed(name, [], ["small: it hung up"]));
    };
    const tasks = new LooseTasks(sessions[0]!, () => "1", new ValueFetcher(sessions[0]!, refused, 1));
    const future = tasks.submit("filled", 1, undefined);
    for (const asked of [1, 2]) {
      await expect(future.result()).rejects.toMatchObject({
        code: "PE_VALUE_UNREACHABLE",
        message: expect.stringContaining("tried 9 times, the last time small: it hung up"),
        details: { key: future.key },
      });
      expect(tries).toBe(9 * asked);
    }
  });

  test("is rejected when the client is closed while it is fetched", async () => {
    const { scheduler, submit } = await begin();
    const future = submit("filled", 1);
    await finished([future]);
    let open = (): void => undefined;
    scheduler.gate = new Promise((done) => (open = done));
    const result = future.result();
    result.catch(() => undefined);
    await turn();
    await sessions[0]!.close();
    open();
    await expect(result).rejects.toMatchObject({ code: "PE_CLOSED" });
  });
});

describe("gather()", () => {
  test("fetches a few at once, and begins before the last has finished", async () => {
    let release = (): void => undefined;
    const last = new Promise<void>((done) => (release = done));
    const kinds = { ...KINDS, late: async () => await last.then(() => 1) };
    const { scheduler } = await begin(kinds);
    let [now, most] = [0, 0];
    const fetch = scheduler.fetchValue;
    const session = sessions.at(-1)!;
    const counted = new ValueFetcher(session, async (request) => {
      most = Math.max(most, ++now);
      await turn();
      now--;
      return await fetch(request);
    });
    const other = new LooseTasks(session, () => "1", counted);
    const futures = other.map("filled", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], undefined);
    const all = gather([...futures, other.submit("late", null, undefined)]);
    await until(() => scheduler.fetched.length === 12);
    release();
    expect((await all).map(sumOf)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1 / SAMPLES].map((n) => n * SAMPLES),
    );
    expect(most).toBe(4);
  });

  test("fetches nothing more when one has failed", async () => {
    const { scheduler, tasks, submit } = await begin({
      ...KINDS,
      fail: () => {
        throw new Error("no");
      },
    });
    const futures = tasks.map("filled", [1, 2, 3, 4, 5, 6, 7, 8], undefined);
    await finished(futures);
    const failing = submit("fail");
    await until(() => failing.status === "erred");
    await expect(gather([...futures, failing])).rejects.toThrow("no");
    await turn();
    await turn();
    expect(scheduler.fetched.length).toBeLessThanOrEqual(4);
  });
});

describe("asCompleted()", () => {
  test("tells of large results without fetching them", async () => {
    const { scheduler, tasks } = await begin();
    const futures = tasks.map("filled", [1, 2, 3], undefined);
    let told = 0;
    for await (const future of asCompleted(futures)) told += Number(future.status === "finished");
    expect(told).toBe(3);
    expect(scheduler.fetched).toEqual([]);
  });
});

describe("release()", () => {
  test("lets workers forget a value, and its result cannot be asked for", async () => {
    const { scheduler, submit } = await begin();
    const future = submit("filled", 1);
    await finished([future]);
    expect(scheduler.values.size).toBe(1);
    future.release();
    future.release();
    await until(() => scheduler.values.size === 0);
    await expect(future.result()).rejects.toMatchObject({ code: "PE_RELEASED", details: { key: future.key } });
    await expect(gather([future])).rejects.toMatchObject({ code: "PE_RELEASED" });
    expect(() => submit("sum", [future])).toThrow(expect.objectContaining({ code: "PE_RELEASED" }));
    await expect(replicateOne(future)).rejects.toMatchObject({ code: "PE_RELEASED" });
    expect(future.status).toBe("finished");
  });

  const replicateOne = async (future: Future): Promise<void> => await replicate({} as LooseTasks, [future], {});

  test("leaves a value to tasks that were submitted before, also those that are still in line", async () => {
    const { scheduler, submit } = await begin();
    const array = submit("filled", 2);
    await finished([array]);
    const sums = [submit("sum", array), submit("sum", [array, 1])];
    array.release();
    expect(await gather(sums)).toEqual([2 * SAMPLES, 2 * SAMPLES + 1]);
    await until(() => scheduler.values.size === 0);
    expect(scheduler.runs.filter((run) => run.startsWith("filled"))).toHaveLength(1);
  });

  test("of a task that has not ended lets go of its value when it does", async () => {
    const { scheduler, submit } = await begin();
    const array = submit("filled", 2);
    const sum = submit("sum", array);
    array.release();
    expect(await sum.result()).toBe(2 * SAMPLES);
    await until(() => scheduler.values.size === 0);
  });

  test("is told again after a lost connection", async () => {
    const { scheduler, submit } = await begin();
    const [kept, released] = [submit("filled", 1), submit("filled", 2)];
    await finished([kept, released]);
    scheduler.breakConnections();
    released.release();
    await until(() => scheduler.values.size === 1);
    scheduler.kill();
    scheduler.start();
    scheduler.pass(5000);
    // What was free before the restart stays so: the new watch does not want it back.
    expect(await kept.result()).toEqual(new Float64Array(SAMPLES).fill(1));
    expect(scheduler.values.size).toBe(1);
    expect(scheduler.runs).toHaveLength(2);
  });

  test("of one of several futures of a key leaves the result to the others", async () => {
    const { scheduler, submit } = await begin();
    const [first, second] = [submit("filled", 1, { key: "one" }), submit("filled", 1, { key: "one" })];
    await finished([first, second]);
    first.release();
    await expect(first.result()).rejects.toMatchObject({ code: "PE_RELEASED" });
    expect(sumOf(await second.result())).toBe(SAMPLES);
    second.release();
    await until(() => scheduler.values.size === 0);
    expect(sumOf(await submit("filled", 1, { key: "one" }).result())).toBe(SAMPLES);
    expect(scheduler.runs).toHaveLength(2);
  });

  test("of one client leaves the result to another that has the key", async () => {
    const { scheduler, submit } = await begin();
    const other = await connect(scheduler);
    const first = submit("filled", 1, { key: "one" });
    await finished([first]);
    const second = other.submit("filled", 1, { key: "one" });
    await finished([second]);
    first.release();
    expect(sumOf(await second.result())).toBe(SAMPLES);
    second.release();
    await until(() => scheduler.values.size === 0);
    expect(scheduler.runs).toHaveLength(1);
  });

  test("comes for futures that the program dropped, when they are collected", async () => {
    const { scheduler, submit } = await begin();
    let dropped: Future[] | undefined = [submit("filled", 1), submit("filled", 2, { key: "two" })];
    await finished(dropped);
    // In another turn: what was submitted together is dropped together.
    const kept = submit("filled", 3);
    await finished([kept]);
    expect(scheduler.values.size).toBe(3);
    dropped = undefined;
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    await until(() => {
      collect();
      return scheduler.values.size === 1;
    });
    expect(sumOf(await kept.result())).toBe(3 * SAMPLES);
  });

  test("comes by itself at the end of a block", async () => {
    const { scheduler, submit } = await begin();
    {
      using future = submit("filled", 1);
      expect(sumOf(await future.result())).toBe(SAMPLES);
    }
    await until(() => scheduler.values.size === 0);
  });
});

describe("whoHas()", () => {
  test("names bytes and holders of values, in the order of the futures", async () => {
    const { tasks, submit } = await begin();
    const futures = [submit("echo", 1), submit("filled", 1), submit("filled", 2, { key: "two" })];
    await finished(futures);
    const bytes = expect.any(Number) as number;
    expect(await whoHas(tasks, futures)).toEqual([
      { bytes: 0, workers: [] },
      { bytes, workers: ["small"] },
      { bytes, workers: ["small"] },
    ]);
    expect((await whoHas(tasks, [futures[1]!]))[0]!.bytes).toBeGreaterThan(8 * SAMPLES);
    expect(await whoHas(tasks, [])).toEqual([]);
  });
});

describe("replicate()", () => {
  test("waits for the tasks, passes over small results, and refuses workers that there are not", async () => {
    const { tasks, submit } = await begin();
    const futures = [submit("echo", 1), submit("filled", 1)];
    await replicate(tasks, futures, {});
    expect(futures.map(({ status }) => status)).toEqual(["finished", "finished"]);
    await replicate(tasks, futures, { workers: ["small"] });
    await expect(replicate(tasks, futures, { workers: ["nobody"] })).rejects.toMatchObject({
      code: "PE_PARAMETER",
      message: expect.stringContaining('"nobody"'),
    });
    await expect(replicate(tasks, futures, { copies: 0 })).rejects.toMatchObject({ code: "PE_PARAMETER" });
  });
});

describe("persist()", () => {
  test("has a lost value computed again before anybody asks, through a lost connection too", async () => {
    const { scheduler, tasks, submit } = await begin();
    const [future, other] = [submit("filled", 1), submit("filled", 2)];
    await finished([future, other]);
    await persist(tasks, [future]);
    scheduler.replaceWorker();
    await until(() => scheduler.values.size === 1);
    scheduler.breakConnections();
    await until(() => scheduler.connections === 1);
    expect(sumOf(await future.result())).toBe(SAMPLES);
    scheduler.replaceWorker();
    await until(() => scheduler.values.size === 1);
    expect(scheduler.runs).toEqual(["filled 1", "filled 2", "filled 1", "filled 1"]);
  });
});
