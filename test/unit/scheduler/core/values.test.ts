import { describe, expect, test } from "vitest";
import { column, needsOf, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

const BYTES = 100_000;

/** Two tasks with values, the first at worker "a", the second at "b"; then `dependants` that each need the tasks named. */
function withValues(...dependants: readonly (readonly number[])[]) {
  const s = new SchedulerUnderTest();
  const a = s.worker("a");
  const job = s.open();
  s.watch(job);
  s.append(job, 1);
  s.doneWithValues(a, s.leases(a));
  const b = s.worker("b");
  s.append(job, 1, { options: { ...PINNED, workers: ["b"] } });
  s.doneWithValues(b, s.leases(b));
  if (dependants.length > 0)
    s.append(job, dependants.length, {
      needs: needsOf(...dependants.map((tasks) => tasks.map((task) => [job, task] as const))),
    });
  return { s, a, b, job };
}

const PINNED = { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: [] as string[] };

describe("a value", () => {
  test("is told by its size, and its worker is its holder", () => {
    const { s, job } = withValues();
    expect(s.states(job)).toEqual(["finished", "finished"]);
    expect(s.holders(job, 0)).toEqual(["a"]);
    const told = s.watch(job).find((message) => message.type === "finished");
    expect(told).toMatchObject({ sizes: column(BYTES, BYTES), results: new Uint8Array(0) });
  });

  test("is named to the task that needs it, with its place among the needs, and who has it where its worker has not", () => {
    const { s, a, b, job } = withValues([0, 1]);
    const link = [a, b].find((worker) => s.heldTasks(worker).includes(2));
    const [message] = s.saidTo(link!, "values");
    expect(message).toMatchObject({ job, task: 2, places: column(0, 1) });
    const has = link === a ? "a" : "b";
    const named = [["a"], ["b"]].map(([other]) => (other === has ? [] : [other]));
    expect(message!.values.map(({ sources }) => sources.map(({ worker }) => worker))).toEqual(named);
  });

  test("of a snapshot is restored, held by nobody before its worker says that it has it", () => {
    const { s, job } = withValues();
    s.records = [...s.core.snapshot()];
    s.durable = s.records.length;
    s.restart();
    expect(s.states(job)).toEqual(["finished", "finished"]);
    expect(s.holders(job, 0)).toEqual([]);
    const link = s.worker("a", { holds: true });
    s.say(link, { type: "holds", id: "job", tasks: column(0), sizes: column(BYTES) });
    s.held(link, []);
    expect(s.holders(job, 0)).toEqual(["a"]);
  });

  test("that the scheduler does not know may be forgotten by the worker that has it", () => {
    const { s, a, job } = withValues();
    s.say(a, { type: "have", id: "job", tasks: column(1, 7), sizes: column(BYTES + 1, BYTES) });
    s.say(a, { type: "have", id: "another", tasks: column(1), sizes: column(BYTES) });
    expect(s.saidTo(a, "free").map(({ id, tasks }) => [id, ...tasks])).toEqual([
      ["job", 1],
      ["job", 7],
      ["another", 1],
    ]);
    expect(s.holders(job, 1)).toEqual(["b"]);
  });

  test("that comes too late is a copy where the task has finished elsewhere", () => {
    const { s, a, job } = withValues();
    s.doneWithValues(a, [{ job, task: 1, epoch: s.core.state.epoch, attempt: 9 }]);
    expect(s.holders(job, 1)).toEqual(["b", "a"]);
  });
});

describe("a lost value", () => {
  test("is computed again when a task that needs it has its turn, not before", () => {
    const { s, a, b, job } = withValues();
    s.close(a);
    expect(s.state(job, 0)).toBe("finished");
    s.append(job, 1, { needs: needsOf([[job, 0]]) });
    expect(s.states(job)).toEqual(["processing", "finished", "waiting"]);
    s.doneWithValues(b, s.leases(b));
    expect(s.states(job)).toEqual(["finished", "finished", "processing"]);
    expect(s.records.filter(({ type }) => type === "lost")).toHaveLength(1);
  });

  test("is computed again with all that was lost before it", () => {
    const s = new SchedulerUnderTest();
    const a = s.worker("a");
    const job = s.open();
    s.append(job, 1);
    s.doneWithValues(a, s.leases(a));
    for (const need of [0, 1]) {
      s.append(job, 1, { needs: needsOf([[job, need]]) });
      s.doneWithValues(a, s.leases(a));
    }
    s.close(a);
    const b = s.worker("b");
    s.append(job, 1, { needs: needsOf([[job, 2]]) });
    expect(s.states(job)).toEqual(["processing", "waiting", "waiting", "waiting"]);
    for (let task = 0; task < 3; task++) s.doneWithValues(b, s.leases(b));
    expect(s.states(job)).toEqual(["finished", "finished", "finished", "processing"]);
  });

  test("is not computed again after a restart while workers may come back", () => {
    const { s, job } = withValues([0]);
    s.restart();
    const b = s.worker("b");
    expect(s.states(job)).toEqual(["finished", "finished", "queued"]);
    s.pass(4000, [b]);
    expect(s.states(job)).toEqual(["processing", "finished", "waiting"]);
  });

  test("fails those who need it when it cannot be computed again", () => {
    const { s, a, b, job } = withValues();
    s.close(a);
    s.append(job, 1, { needs: needsOf([[job, 0]]) });
    s.failed(b, s.leases(b)[0]!);
    expect(s.states(job)).toEqual(["erred", "finished", "erred"]);
    expect(s.told("erred").find(({ task }) => task === 2)).toMatchObject({ code: "PE_NEED_FAILED" });
  });

  test("stays computed again in the journal", () => {
    const { s, a, job } = withValues([0]);
    s.close(a);
    expect(s.state(job, 0)).toBe("processing");
    s.restart();
    expect(s.states(job)).toEqual(["queued", "finished", "queued"]);
  });
});

describe("letting go", () => {
  test("releases a value that no unfinished task needs, and its holders forget it", () => {
    const { s, a, job } = withValues();
    s.ask({ type: "letGo", job, tasks: column(0) } as never);
    expect(s.state(job, 0)).toBe("released");
    expect(s.saidTo(a, "free")).toMatchObject([{ id: "job", tasks: column(0) }]);
  });

  test("waits for the tasks that need the value", () => {
    const { s, a, b, job } = withValues([0]);
    s.ask({ type: "letGo", job, tasks: column(0) } as never);
    expect(s.state(job, 0)).toBe("finished");
    const link = s.heldTasks(a).length > 0 ? a : b;
    s.done(link, s.leases(link));
    expect(s.state(job, 0)).toBe("released");
  });

  test("of one client leaves the value to the others that watch the job", () => {
    const { s, job } = withValues();
    s.connectClient(2);
    s.watch(job, 2);
    s.ask({ type: "letGo", job, tasks: column(0) } as never);
    expect(s.state(job, 0)).toBe("finished");
    s.closeClient(2);
    expect(s.state(job, 0)).toBe("released");
  });

  test("of what is needed after all has it computed again", () => {
    const { s, job } = withValues();
    s.ask({ type: "letGo", job, tasks: column(0) } as never);
    s.append(job, 1, { needs: needsOf([[job, 0]]) });
    expect(s.states(job)).toEqual(["processing", "finished", "waiting"]);
  });
});

describe("locate", () => {
  test("names the holders, first another for each client", () => {
    const { s, job } = withValues();
    expect(s.ask({ type: "locate", job, task: 0, gone: [] } as never)).toMatchObject([
      { type: "located", id: "job", bytes: BYTES, sources: [{ worker: "a" }] },
    ]);
  });

  test("is answered when a lost value is there again", () => {
    const { s, a, b, job } = withValues();
    s.close(a);
    expect(s.ask({ type: "locate", job, task: 0, gone: [] } as never)).toEqual([]);
    s.doneWithValues(b, s.leases(b));
    expect(s.told("located")).toMatchObject([{ sources: [{ worker: "b" }] }]);
  });

  test("does not believe that somebody has it who says no", () => {
    const { s, a, job } = withValues();
    s.ask({ type: "locate", job, task: 0, gone: ["a"] } as never);
    expect(s.state(job, 0)).toBe("processing");
    expect(s.saidTo(a, "free")).toHaveLength(1);
  });

  test("is refused for a result that is no value, and when the task fails that computes it again", () => {
    const { s, a, b, job } = withValues();
    s.append(job, 1, { options: { ...PINNED, workers: ["b"] } });
    s.done(b, s.leases(b));
    expect(s.ask({ type: "locate", job, task: 2, gone: [] } as never)).toMatchObject([{ code: "PE_PARAMETER" }]);
    s.close(a);
    s.ask({ type: "locate", job, task: 0, gone: [] } as never);
    s.failed(b, s.leases(b)[0]!);
    s.pass(500, [b]);
    expect(s.told("refused")).toMatchObject([{ code: "PE_TASK_FAILED" }]);
  });
});

describe("placement", () => {
  test("gives a task to the worker that has its value", () => {
    const { s, a, b } = withValues([0], [1]);
    expect([s.heldTasks(a), s.heldTasks(b)]).toEqual([[2], [3]]);
  });

  test("gives a task of two values to the worker of the larger one", () => {
    const s = new SchedulerUnderTest();
    const [a, b] = [s.worker("a"), s.worker("b")];
    const job = s.open();
    s.append(job, 1, { options: { ...PINNED, workers: ["a"] } });
    s.append(job, 1, { options: { ...PINNED, workers: ["b"] } });
    s.doneWithValues(a, s.leases(a), 10_000_000);
    s.doneWithValues(b, s.leases(b), 100_000);
    s.append(job, 1, {
      needs: needsOf([
        [job, 0],
        [job, 1],
      ]),
    });
    expect(s.heldTasks(a)).toEqual([2]);
  });

  test("moves a value when its holder has too much to do", () => {
    const s = new SchedulerUnderTest();
    const a = s.worker("a");
    const job = s.open();
    s.append(job, 1);
    s.doneWithValues(a, s.leases(a), BYTES, 500_000);
    s.append(job, 1, { options: { ...PINNED, workers: ["a"] } });
    const b = s.worker("b");
    s.append(job, 1, { needs: needsOf([[job, 0]]) });
    expect([s.heldTasks(a), s.heldTasks(b)]).toEqual([[1], [2]]);
  });

  test("ends what was begun before it begins more", () => {
    const s = new SchedulerUnderTest();
    const a = s.worker("a");
    const job = s.open();
    s.append(job, 6);
    s.append(job, 2, { needs: needsOf([[job, 0]], [[job, 1]]) });
    s.doneWithValues(a, s.leases(a), BYTES, 500_000);
    // Before the results were durable, nothing could build on them.
    expect(s.heldTasks(a)).toEqual([2, 3]);
    s.doneWithValues(a, s.leases(a), BYTES, 500_000);
    expect(new Set(s.heldTasks(a))).toEqual(new Set([6, 7]));
  });
});

describe("starved", () => {
  test("puts the task back without blame, and forgets the holders that had nothing", () => {
    const { s, a, b, job } = withValues([0]);
    const [hand] = s.leases(a);
    expect(hand).toMatchObject({ task: 2 });
    s.say(a, { type: "starved", ...hand!, id: "job", value: 0, gone: ["a"] });
    expect(s.holders(job, 0)).toEqual([]);
    expect(s.states(job)).toEqual(["processing", "finished", "waiting"]);
    const link = s.heldTasks(a).length > 0 ? a : b;
    s.doneWithValues(link, s.leases(link));
    expect(s.state(job, 2)).toBe("processing");
    expect(s.alarms).toEqual([]);
  });
});

describe("replicate", () => {
  test("has a value fetched by others, two at a time from each holder, and is answered at the end", () => {
    const { s, b, job } = withValues();
    const more = ["c", "d", "e"].map((name) => s.worker(name));
    s.ask({ type: "replicate", job, tasks: column(0), copies: 5, workers: [] } as never);
    const fetching = (): number[] => [...more].filter((link) => s.saidTo(link, "keep").length > 0);
    expect(fetching()).toHaveLength(2);
    for (const link of fetching()) s.say(link, { type: "have", id: "job", tasks: column(0), sizes: column(BYTES) });
    expect(s.told("ok")).toEqual([]);
    expect(fetching()).toHaveLength(3);
    const [, , last] = more;
    expect(s.saidTo(last!, "keep")[0]!.values[0]!.sources.map(({ worker }) => worker)).toEqual(["c", "a"]);
    for (const link of [b, last!]) s.say(link, { type: "have", id: "job", tasks: column(0), sizes: column(BYTES) });
    expect(s.told("ok")).toHaveLength(1);
    expect(s.holders(job, 0)).toHaveLength(5);
  });

  test("refuses a worker that is not there", () => {
    const { s, job } = withValues();
    expect(s.ask({ type: "replicate", job, tasks: column(0), copies: 1, workers: ["z"] } as never)).toMatchObject([
      { type: "refused", code: "PE_PARAMETER", message: expect.stringContaining('there is no worker "z"') },
    ]);
  });
});

describe("persist", () => {
  test("has a value computed again as soon as it is lost", () => {
    const { s, a, b, job } = withValues();
    s.ask({ type: "persist", job, tasks: column(0) } as never);
    s.close(a);
    s.pass(500, [b]);
    expect(s.state(job, 0)).toBe("processing");
  });
});

describe("a worker that leaves", () => {
  test("has its values fetched by another, and may forget them then", () => {
    const { s, a, b, job } = withValues();
    s.say(a, { type: "leaving" });
    expect(s.saidTo(b, "keep")).toMatchObject([{ values: [{ id: "job", task: 0, sources: [{ worker: "a" }] }] }]);
    s.say(b, { type: "have", id: "job", tasks: column(0), sizes: column(BYTES) });
    expect(s.saidTo(a, "free")).toMatchObject([{ tasks: column(0) }]);
    expect(s.holders(job, 0)).toEqual(["b"]);
  });

  test("has what its last tasks make fetched by another as well", () => {
    const s = new SchedulerUnderTest();
    const a = s.worker("a");
    const job = s.submit(1);
    const last = s.leases(a);
    s.say(a, { type: "leaving" });
    const b = s.worker("b");
    s.doneWithValues(a, last);
    s.pass(500, [a, b]);
    expect(s.saidTo(b, "keep")).toMatchObject([{ values: [{ id: "job", task: 0, sources: [{ worker: "a" }] }] }]);
    s.say(b, { type: "have", id: "job", tasks: column(0), sizes: column(BYTES) });
    expect(s.holders(job, 0)).toEqual(["b"]);
  });

  test("may go when there is no other", () => {
    const s = new SchedulerUnderTest();
    const a = s.worker("a");
    const job = s.submit(1);
    s.doneWithValues(a, s.leases(a));
    s.say(a, { type: "leaving" });
    expect(s.saidTo(a, "free")).toHaveLength(1);
    expect(s.state(job, 0)).toBe("finished");
  });
});
