import { describe, expect, test } from "vitest";
import { column, needsOf, OPTIONS, SchedulerUnderTest, type Hand } from "../../../support/scheduler-under-test.ts";

describe("done", () => {
  test("finishes a task, and tells and acknowledges it when it is durable, not before", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.holdDisk();
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.state(job, 0)).toBe("finished");
    expect(scheduler.told("finished")).toEqual([]);
    expect(scheduler.saidTo(worker, "stored")).toEqual([]);
    scheduler.fsync();
    expect(scheduler.told("finished").map(({ tasks, results }) => [[...tasks], [...results]])).toEqual([[[0], [0]]]);
    expect(scheduler.told("ended")).toHaveLength(1);
    expect(scheduler.saidTo(worker, "stored")).toHaveLength(1);
  });

  test("of an older attempt is dropped, acknowledged and counted, and changes nothing", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1, { options: { ...OPTIONS, retries: 3 } });
    const worker = scheduler.worker();
    const [first] = scheduler.leases(worker);
    scheduler.failed(worker, first!);
    scheduler.done(worker, [first!]);
    expect(scheduler.state(job, 0)).toBe("processing");
    expect(scheduler.core.state.counters.droppedReports).toBe(1);
    expect(scheduler.saidTo(worker, "stored")).toHaveLength(2);
  });

  test("that counts in part is journaled and told without the rest", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(3);
    const worker = scheduler.worker("w", { slots: 2 });
    const [first, second, third] = scheduler.leases(worker);
    const result = (task: number): Uint8Array => new Uint8Array(task * 100 + 1).fill(task + 1);
    scheduler.done(worker, [first!, { ...second!, attempt: 9 }, third!], result);
    const [told] = scheduler.told("finished");
    expect([[...told!.tasks], [...told!.ends]]).toEqual([
      [0, 2],
      [1, 202],
    ]);
    expect([...told!.results]).toEqual([...result(0), ...result(2)]);
    const record = scheduler.records.find(({ type }) => type === "finished");
    expect(record).toEqual({ ...told, type: "finished" });
  });

  test("with columns that do not fit each other ends the connection, and nothing has finished", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    const [{ task, epoch, attempt }] = scheduler.leases(worker) as [Hand];
    const [tasks, epochs, attempts] = [column(task), column(epoch), column(attempt)];
    const rest = { type: "done", job, tasks, epochs, attempts, took: column(1) } as const;
    scheduler.say(worker, { ...rest, ends: column(9), results: new Uint8Array(3) });
    scheduler.say(worker, { ...rest, took: column(), ends: column(3), results: new Uint8Array(3) });
    expect([scheduler.closed, scheduler.state(job, 0)]).toEqual([[worker, worker], "processing"]);
  });

  test("of another epoch is dropped", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.done(worker, [{ ...scheduler.leases(worker)[0]!, epoch: 7 }]);
    expect(scheduler.state(job, 0)).toBe("processing");
  });

  test("of a volatile task is told at once and never journaled", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1, { options: { ...OPTIONS, volatile: true } });
    const worker = scheduler.worker();
    const written = scheduler.records.length;
    scheduler.holdDisk();
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.told("finished")).toHaveLength(1);
    expect(scheduler.records).toHaveLength(written);
  });

  test("with another result than before is an alarm", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const worker = scheduler.worker();
    const hands = scheduler.leases(worker);
    scheduler.done(worker, hands);
    scheduler.done(worker, hands);
    expect(scheduler.alarms).toEqual([]);
    scheduler.done(worker, hands, () => Uint8Array.of(9));
    expect(scheduler.alarms).toEqual(["result-differs"]);
  });

  test("with another result than before is no alarm for a kind that says so", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const worker = scheduler.worker("w", { impure: true });
    const hands = scheduler.leases(worker);
    scheduler.done(worker, hands);
    scheduler.done(worker, hands, () => Uint8Array.of(9));
    expect(scheduler.alarms).toEqual([]);
  });

  test("with a result above the limit fails the task and says what to do", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker), () => new Uint8Array(64 * 1024 + 1));
    expect(scheduler.state(job, 0)).toBe("erred");
    expect(scheduler.told("erred")[0]).toMatchObject({
      code: "PE_LIMIT",
      message: expect.stringContaining("as a part"),
    });
  });

  test("queues the dependant when the result is durable, and sends it the result", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2, { needs: needsOf([], [[1, 0]]) });
    const worker = scheduler.worker();
    scheduler.holdDisk();
    scheduler.done(worker, scheduler.leases(worker), () => Uint8Array.of(42));
    expect(scheduler.states(job)).toEqual(["finished", "waiting"]);
    scheduler.fsync();
    expect(scheduler.states(job)).toEqual(["finished", "processing"]);
    expect(scheduler.saidTo(worker, "inputs").map(({ tasks, values }) => [...tasks, ...values])).toEqual([[1, 42]]);
  });
});

describe("failed", () => {
  test("puts a task back until its retries are used up, then it is erred with its story", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1, { options: { ...OPTIONS, retries: 1 } });
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!);
    expect(scheduler.leases(worker)).toMatchObject([{ task: 0, attempt: 2 }]);
    scheduler.failed(worker, scheduler.leases(worker)[0]!);
    expect(scheduler.state(job, 0)).toBe("erred");
    const [told] = scheduler.told("erred");
    expect(told).toMatchObject({ code: "PE_TASK_FAILED", attempts: 2, worker: "w" });
    expect(told!.story.length).toBeGreaterThan(3);
  });

  test("without blame counts for nothing, and its worker rests twice as long each time", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { blameless: true });
    expect(scheduler.state(job, 0)).toBe("queued");
    scheduler.pass(500, [worker]);
    expect(scheduler.state(job, 0)).toBe("processing");
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { blameless: true });
    scheduler.pass(500, [worker]);
    expect(scheduler.state(job, 0)).toBe("queued");
    scheduler.pass(500, [worker]);
    expect(scheduler.state(job, 0)).toBe("processing");
  });

  test("counts once when its worker tells it again on another connection", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1, { options: { ...OPTIONS, retries: 1 } });
    const worker = scheduler.worker("w", { slots: 1 });
    const [hand] = scheduler.leases(worker);
    scheduler.heartbeat(worker, [hand!], true);
    scheduler.failed(worker, hand!);
    scheduler.close(worker);
    const again = scheduler.worker("w", { holds: true });
    scheduler.held(again, [hand!]);
    scheduler.failed(again, hand!);
    expect(scheduler.core.state.jobs.get(job)!.table.fails(0)).toBe(1);
    expect(scheduler.state(job, 0)).toBe("processing");
  });

  test("above the job's limit cancels the rest before it is erred", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open("job", { maxFails: 0 });
    scheduler.append(job, 3);
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!);
    expect(scheduler.states(job).toSorted()).toEqual(["cancelled", "cancelled", "erred"]);
    expect(scheduler.records.slice(-3).map(({ type }) => type)).toEqual(["failed", "cancelled", "erred"]);
    expect(scheduler.saidTo(worker, "drop")).toHaveLength(1);
  });

  test("above the job's limit says why to those it cancels: when it happens, to a later watcher, in status and story", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open("job", { maxFails: 0 });
    scheduler.append(job, 3);
    scheduler.watch(job);
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { message: "no such laser" });
    const because = "1 tasks failed, and the job may have 0 that fail; the last: task job/0 failed: no such laser";
    expect(scheduler.told("cancelled")).toMatchObject([{ because }]);
    scheduler.restart();
    scheduler.watch(job);
    expect(scheduler.told("cancelled")).toMatchObject([{ because }]);
    scheduler.ask({ type: "find", id: "job" } as never);
    expect(scheduler.told("found")).toMatchObject([{ job: { because } }]);
    scheduler.ask({ type: "story", job, task: 2 } as never);
    expect(scheduler.told("storyIs")[0]!.lines.at(-1)).toContain("no such laser");
    scheduler.ask({ type: "retry", job } as never);
    scheduler.ask({ type: "find", id: "job" } as never);
    expect(scheduler.told("found")[0]!.job).not.toHaveProperty("because");
  });

  test("that ends its job is not tried again, and cancels the rest, whose watchers learn why", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(3, { options: { ...OPTIONS, retries: 5 } });
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!, {
      endsJob: true,
      message: "Cannot open /data on this host",
    });
    expect(scheduler.states(job).toSorted()).toEqual(["cancelled", "cancelled", "erred"]);
    expect(scheduler.told("erred")).toMatchObject([{ message: "Cannot open /data on this host", attempts: 1 }]);
    expect(scheduler.told("cancelled")).toMatchObject([
      { because: "One error ends the job: task job/0 failed: Cannot open /data on this host" },
    ]);
    expect(scheduler.told("ended")).toHaveLength(1);
    expect(scheduler.records.slice(-3).map(({ type }) => type)).toEqual(["failed", "cancelled", "erred"]);
  });

  test("that ends its job errs what needs its tasks in other jobs", () => {
    const scheduler = new SchedulerUnderTest();
    const first = scheduler.submit(2, {}, "first");
    const second = scheduler.submit(1, { needs: needsOf([[first, 1]]) }, "second");
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { endsJob: true });
    expect(scheduler.state(second, 0)).toBe("erred");
  });

  test("with text that was cut in the middle of a character is told all the same", () => {
    const scheduler = new SchedulerUnderTest();
    const first = scheduler.submit(2, { needs: needsOf([], [[1, 0]]) }, "first");
    const worker = scheduler.worker();
    for (const pad of ["", " "]) {
      scheduler.failed(worker, scheduler.leases(worker)[0]!, { message: `${pad}${"\u{1f52c}".repeat(8000)}` });
      expect(scheduler.told("erred").map(({ task }) => task)).toContain(1);
      scheduler.ask({ type: "retry", job: first } as never);
    }
  });
});

describe("returned", () => {
  test("queues a task again under a new attempt", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    const worker = scheduler.worker();
    const [, second] = scheduler.leases(worker);
    scheduler.say(worker, { type: "leaving" });
    scheduler.say(worker, { type: "returned", job, tasks: column(second!.task), attempts: column(second!.attempt) });
    expect(scheduler.state(job, second!.task)).toBe("queued");
    const other = scheduler.worker("other");
    expect(scheduler.leases(other)).toMatchObject([{ task: second!.task, attempt: 2 }]);
  });

  test("of another attempt changes nothing", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.say(worker, { type: "returned", job, tasks: column(0), attempts: column(9) });
    expect(scheduler.state(job, 0)).toBe("processing");
  });
});

describe("leaving", () => {
  test("takes no more work, and its death blames nobody", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(4);
    const worker = scheduler.worker();
    scheduler.say(worker, { type: "leaving" });
    scheduler.done(worker, scheduler.leases(worker).slice(0, 1));
    expect(scheduler.leases(worker)).toHaveLength(1);
    scheduler.close(worker);
    expect(scheduler.states(job).filter((state) => state === "queued")).toHaveLength(3);
    expect(scheduler.core.state.suspects.isEmpty).toBe(true);
  });
});

describe("heartbeat", () => {
  test("renews the leases it names and no others: a forgotten one is queued again after 4 s", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    const worker = scheduler.worker("w", { slots: 2 });
    const [kept] = scheduler.leases(worker);
    for (let beat = 0; beat < 9; beat++) {
      scheduler.heartbeat(worker, [kept!]);
      scheduler.tick(500);
    }
    expect(scheduler.alarms).toEqual(["lease-expired"]);
    expect(scheduler.leases(worker).map(({ task, attempt }) => [task, attempt])).toEqual([
      [kept!.task, 1],
      [1 - kept!.task, 2],
    ]);
    expect(scheduler.state(job, 1 - kept!.task)).toBe("processing");
  });

  test("is answered, so that the worker can tell silence from idleness", () => {
    const scheduler = new SchedulerUnderTest();
    const worker = scheduler.worker();
    scheduler.heartbeat(worker);
    expect(scheduler.saidTo(worker, "alive")).toHaveLength(1);
  });

  test("of a paused worker stops its work until it goes on", () => {
    const scheduler = new SchedulerUnderTest();
    const worker = scheduler.worker();
    scheduler.heartbeat(worker, [], true);
    const job = scheduler.submit(1);
    expect(scheduler.state(job, 0)).toBe("queued");
    scheduler.heartbeat(worker, [], false);
    expect(scheduler.state(job, 0)).toBe("processing");
  });
});

test("a worker that speaks before it registers is disconnected", () => {
  const scheduler = new SchedulerUnderTest();
  scheduler.heartbeat(55);
  expect(scheduler.closed).toEqual([55]);
});
