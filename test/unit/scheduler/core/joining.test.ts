import { describe, expect, test } from "vitest";
import { WORKERS_MAX } from "../../../../scheduler/core/limits.ts";
import { column, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

/** Of one hand-out, of another life of the scheduler. */
const COLUMNS = { tasks: column(0), epochs: column(9), attempts: column(1) };

describe("register", () => {
  test("welcomes a worker, which has work at once", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(5);
    const worker = scheduler.worker();
    expect(scheduler.saidTo(worker, "welcome")).toMatchObject([{ epoch: 1, worker, heartbeatMs: 500 }]);
    expect(scheduler.leases(worker).length).toBeGreaterThan(0);
  });

  test("refuses another version, naming both", () => {
    const scheduler = new SchedulerUnderTest();
    const worker = scheduler.worker("w", { protocol: 99 });
    expect(scheduler.saidTo(worker, "refuse")[0]).toMatchObject({
      code: "PE_VERSION",
      message: expect.stringMatching(/99.*1/),
    });
    expect(scheduler.closed).toEqual([worker]);
  });

  test("refuses a second worker of one name while the first is alive", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.worker("w", { instance: "one" });
    const second = scheduler.worker("w", { instance: "two" });
    expect(scheduler.saidTo(second, "refuse")[0]).toMatchObject({ code: "PE_NAME_TAKEN" });
    expect(scheduler.alarms).toEqual(["name-taken"]);
    expect(scheduler.core.state.workers.size).toBe(1);
  });

  test("refuses one worker more than there may be, naming their number", () => {
    const scheduler = new SchedulerUnderTest();
    Object.defineProperty(scheduler.core.state.workers, "size", { value: WORKERS_MAX });
    const worker = scheduler.worker();
    const message = expect.stringContaining(`has ${WORKERS_MAX} workers`);
    expect(scheduler.saidTo(worker, "refuse")).toMatchObject([{ code: "PE_LIMIT", message }]);
    expect(scheduler.closed).toEqual([worker]);
  });

  test("refuses to register twice on one connection", () => {
    const scheduler = new SchedulerUnderTest();
    const worker = scheduler.worker();
    const message = {
      protocol: 1,
      software: "",
      name: "x",
      instance: "x",
      slots: 1,
      kinds: [],
      resources: [],
      holds: false,
    };
    scheduler.say(worker, { type: "register", ...message });
    expect(scheduler.closed).toEqual([worker]);
  });

  test("of the same process takes over what its last connection held, before anyone else gets it", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    const before = scheduler.worker("w", { slots: 1 });
    const hands = scheduler.leases(before);
    const idle = scheduler.worker("idle");
    const again = scheduler.worker("w", { slots: 1, holds: true });
    expect(scheduler.heldTasks(idle)).toEqual([]);
    scheduler.held(again, hands);
    expect(scheduler.leases(again)).toEqual(hands);
    expect(scheduler.states(job)).toEqual(["processing", "processing"]);
  });

  test("of the same process gives back what it no longer names", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(2);
    const before = scheduler.worker();
    const [first] = scheduler.leases(before);
    const again = scheduler.worker("w", { holds: true });
    scheduler.held(again, [first!]);
    expect(scheduler.leases(again)).toMatchObject([first!, { attempt: 2 }]);
  });

  test("gets no work before it has said what it holds, then it does", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker("w", { holds: true });
    expect(scheduler.state(job, 0)).toBe("queued");
    scheduler.held(worker, [{ job: 77, task: 0, epoch: 1, attempt: 1 }], "gone");
    expect(scheduler.state(job, 0)).toBe("processing");
  });
});

describe("held", () => {
  test("adopts a running task after a restart instead of running it again", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const [hand] = scheduler.leases(scheduler.worker());
    scheduler.restart();
    expect(scheduler.state(job, 0)).toBe("queued");
    const worker = scheduler.worker("w", { holds: true });
    scheduler.held(worker, [hand!]);
    expect(scheduler.leases(worker)).toEqual([hand]);
    scheduler.done(worker, [hand!]);
    expect(scheduler.state(job, 0)).toBe("finished");
  });

  test("adopts nothing that somebody else has", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const [hand] = scheduler.leases(scheduler.worker());
    scheduler.restart();
    scheduler.held(scheduler.worker("w", { holds: true }), [hand!]);
    const second = scheduler.worker("second", { holds: true });
    scheduler.held(second, [hand!]);
    expect(scheduler.leases(second)).toEqual([]);
    expect(scheduler.saidTo(second, "drop")).toMatchObject([{ job: 1, tasks: column(0) }]);
  });

  test("adopts nothing of a foreign job that has the same number", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker("w", { holds: true });
    scheduler.held(worker, [{ job, task: 0, epoch: 9, attempt: 1 }], "foreign");
    expect(scheduler.leases(worker)).toMatchObject([{ epoch: 1 }]);
    expect(scheduler.saidTo(worker, "forget")).toMatchObject([{ job }]);
    expect(scheduler.saidTo(worker, "drop")).toHaveLength(1);
  });

  test.each([
    ["job", "foreign"],
    ["foreign", "job"],
  ])("tells a job anew whose number stood for another job, too (%s, then %s)", (...ids) => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    const worker = scheduler.worker("w", { holds: true });
    for (const id of ids) scheduler.say(worker, { type: "held", job, id, ...COLUMNS, last: id === ids[1] });
    expect(scheduler.saidTo(worker, "job")).toMatchObject([{ job, id: "job" }]);
  });

  test("compares no results under a number that stood for another job, too", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const first = scheduler.worker("first");
    scheduler.done(first, scheduler.leases(first));
    const worker = scheduler.worker("w", { holds: true });
    const hand = { job, task: 0, epoch: 9, attempt: 1 };
    for (const id of ["foreign", "job"])
      scheduler.say(worker, { type: "held", job, id, ...COLUMNS, last: id === "job" });
    scheduler.done(worker, [hand], () => Uint8Array.of(99));
    expect(scheduler.alarms).toEqual([]);
  });

  test("drops a finished task only when its end is durable", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const first = scheduler.worker();
    const hands = scheduler.leases(first);
    scheduler.holdDisk();
    scheduler.done(first, hands);
    const again = scheduler.worker("w", { holds: true });
    scheduler.held(again, hands);
    expect(scheduler.saidTo(again, "drop")).toEqual([]);
    scheduler.fsync();
    expect(scheduler.saidTo(again, "drop")).toHaveLength(1);
  });
});

describe("a closed connection", () => {
  test("is not told afterwards that a report of it is stored: another connection may report the same again by then", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.holdDisk();
    scheduler.done(worker, scheduler.leases(worker));
    scheduler.close(worker);
    scheduler.fsync();
    expect(scheduler.saidTo(worker, "stored")).toEqual([]);
  });

  test("queues all that the worker held again, at once", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(2);
    const worker = scheduler.worker();
    scheduler.close(worker);
    const other = scheduler.worker("other");
    scheduler.pass(500, [other]);
    expect(scheduler.leases(other).length).toBeGreaterThan(0);
  });

  test("suspects only what may have begun and not been told: two frames of a slot", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    scheduler.append(job, 1);
    const worker = scheduler.worker("w", { slots: 1 });
    scheduler.done(worker, scheduler.leases(worker), undefined, 10_000);
    scheduler.append(job, 9);
    expect(scheduler.heldTasks(worker)).toEqual([1, 2, 3, 4, 5]);
    scheduler.close(worker);
    const { table } = scheduler.core.state.jobs.get(job)!;
    // Two frames of 20 ms.
    expect([1, 2, 3, 4, 5].map((task) => table.deaths(task))).toEqual([1, 1, 1, 1, 0]);
  });
});
