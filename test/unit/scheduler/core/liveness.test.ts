import { describe, expect, test } from "vitest";
import { SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

describe("a silent worker", () => {
  test("is suspect within 3 s, and what it has not begun goes elsewhere", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(2);
    const silent = scheduler.worker("silent");
    expect(scheduler.heldTasks(silent)).toHaveLength(2);
    scheduler.pass(500, [silent]);
    const other = scheduler.worker("other");
    scheduler.pass(3000, [other]);
    expect(scheduler.core.state.workers.get(silent)?.state).toBe("suspect");
    expect(scheduler.heldTasks(silent)).toHaveLength(1);
    expect(scheduler.heldTasks(other)).toHaveLength(1);
  });

  test("is lost within 6 s, without blame on anybody, and its late report is harmless", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const silent = scheduler.worker("silent");
    const hands = scheduler.leases(silent);
    const other = scheduler.worker("other");
    scheduler.pass(6000, [other]);
    expect(scheduler.closed).toEqual([silent]);
    expect(scheduler.heldTasks(other)).toEqual([0]);
    expect(scheduler.core.state.jobs.get(job)!.table.deaths(0)).toBe(0);
    scheduler.done(silent, hands);
    expect(scheduler.state(job, 0)).toBe("processing");
  });

  test("that speaks again is active again", () => {
    const scheduler = new SchedulerUnderTest();
    const worker = scheduler.worker();
    scheduler.pass(3000);
    scheduler.heartbeat(worker);
    expect(scheduler.core.state.workers.get(worker)?.state).toBe("active");
    const job = scheduler.submit(1);
    expect(scheduler.state(job, 0)).toBe("processing");
  });

  test("is not lost for a silence of the scheduler itself", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.pass(500, [worker]);
    scheduler.tick(600_000);
    expect(scheduler.closed).toEqual([]);
    expect(scheduler.heldTasks(worker)).toEqual([0]);
  });
});

describe("balance()", () => {
  test("takes from the end of a long line for an idle worker that comes late", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(8);
    const busy = scheduler.worker("busy", { slots: 4 });
    expect(scheduler.heldTasks(busy)).toHaveLength(8);
    scheduler.worker("idle");
    expect(scheduler.saidTo(busy, "retract")).toMatchObject([{ count: 1 }]);
  });

  test("takes nothing that the idle worker cannot run", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(8);
    const busy = scheduler.worker("busy", { slots: 4 });
    scheduler.worker("idle", { kinds: ["another"] });
    scheduler.pass(1000, [busy]);
    expect(scheduler.saidTo(busy, "retract")).toEqual([]);
  });
});

describe("a transient job", () => {
  test("is released a minute after its last watcher left, not while it has one", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open("session", { transient: true });
    scheduler.append(job, 1);
    scheduler.watch(job);
    scheduler.pass(70_000);
    expect(scheduler.core.state.jobs.has(job)).toBe(true);
    scheduler.closeClient(1);
    scheduler.pass(59_000);
    expect(scheduler.core.state.jobs.has(job)).toBe(true);
    scheduler.pass(2000);
    expect(scheduler.core.state.jobs.has(job)).toBe(false);
  });
});
