import { describe, expect, test } from "vitest";
import { SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

describe("a task under which a thread died", () => {
  test("runs alone from then on, and its worker gets more work when it has ended", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(6);
    const worker = scheduler.worker("w", { slots: 2 });
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { died: true });
    expect(scheduler.state(job, 0)).toBe("queued");
    while (scheduler.state(job, 0) === "queued") scheduler.done(worker, scheduler.leases(worker).slice(0, 1));
    expect(scheduler.heldTasks(worker)).toEqual([0]);
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.heldTasks(worker).length).toBeGreaterThan(0);
  });

  test("is erred as poison at the third death, with the reason and the worker", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    for (let death = 0; death < 3; death++) scheduler.failed(worker, scheduler.leases(worker)[0]!, { died: true });
    expect(scheduler.state(job, 0)).toBe("erred");
    expect(scheduler.told("erred")[0]).toMatchObject({
      code: "PE_TASK_POISON",
      worker: "w",
      message: expect.stringContaining("3"),
    });
  });

  test("is erred with the name and the memory of the worker that was gone the third time", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    for (const name of ["a", "b", "c"]) {
      const worker = scheduler.worker(name);
      scheduler.heartbeat(worker, scheduler.leases(worker), false, 900 * 2 ** 20);
      scheduler.close(worker);
    }
    scheduler.pass(6000);
    const [{ message } = { message: "" }] = scheduler.told("erred");
    expect(message).toContain('worker "c" was gone while it held the task, with 900 MiB of memory');
  });

  test("is erred with how each process died, as the next ones of its workers tell it", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    const lines = ["fatal: one", "fatal: two"];
    for (const [instance, how] of [
      ["one", "signal SIGABRT"],
      ["two", "exit status 7"],
      ["three", "signal SIGKILL"],
    ] as const) {
      scheduler.close(scheduler.worker("w", { instance }));
      // What it tells is of another process.
      const other = { instance: "zero", how, rssBytes: 0, lines };
      scheduler.worker(`other-${instance}`, { kinds: [], lastDeath: other });
      scheduler.close(
        scheduler.worker("w", {
          instance: `${instance}-next`,
          kinds: [],
          lastDeath: { instance, how, rssBytes: 700 * 2 ** 20, lines: instance === "three" ? lines : [] },
        }),
      );
      scheduler.pass(1);
    }
    scheduler.pass(6000);
    const [{ message } = { message: "" }] = scheduler.told("erred");
    expect(message).toContain("(attempt 1: signal SIGABRT, 700 MiB of memory); ");
    expect(message).toContain("(attempt 2: exit status 7, 700 MiB of memory); ");
    expect(message).toContain("(attempt 3: signal SIGKILL, 700 MiB of memory, last lines: fatal: one | fatal: two)");
  });

  test("is not said to have ended a worker that came back", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(1);
    scheduler.close(scheduler.worker("back"));
    const back = scheduler.worker("back");
    for (let death = 0; death < 3; death++)
      scheduler.failed(back, scheduler.leases(back)[0]!, { died: true, message: "its thread died: exit" });
    const [{ message } = { message: "" }] = scheduler.told("erred");
    expect(message).not.toContain("was gone");
    expect(message.match(/on worker "back" its thread died: exit \(attempt \d\)/g)).toHaveLength(3);
  });

  test("keeps its deaths over a restart, and runs alone in the next life", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(3);
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { died: true });
    scheduler.restart();
    expect(scheduler.core.state.suspects.size).toBe(1);
    const next = scheduler.worker("next");
    scheduler.pass(3500, [next]);
    expect(scheduler.heldTasks(next)).toEqual([0]);
    expect(scheduler.state(job, 1)).toBe("queued");
  });

  test("leaves no worker reserved when nobody can run it", () => {
    const scheduler = new SchedulerUnderTest();
    const pinned = {
      options: { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: ["w"] },
    };
    scheduler.submit(1, pinned, "pinned");
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { died: true });
    scheduler.close(worker);
    const job = scheduler.submit(1);
    scheduler.worker("other");
    expect(scheduler.state(job, 0)).toBe("processing");
  });

  test("is suspected no more after a retry", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    for (let death = 0; death < 3; death++) scheduler.failed(worker, scheduler.leases(worker)[0]!, { died: true });
    scheduler.ask({ type: "retry", job } as never);
    expect(scheduler.state(job, 0)).toBe("processing");
    expect(scheduler.core.state.jobs.get(job)!.table.deaths(0)).toBe(0);
  });
});

describe("a task whose worker vanished", () => {
  test("is cleared when the worker comes back, even if it has not the task", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.close(worker);
    expect(scheduler.core.state.jobs.get(job)!.table.deaths(0)).toBe(1);
    scheduler.worker();
    expect(scheduler.core.state.jobs.get(job)!.table.deaths(0)).toBe(0);
    expect(scheduler.core.state.accused.size).toBe(0);
  });

  test("is cleared in a later life of the scheduler, too", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.close(scheduler.worker());
    scheduler.restart();
    scheduler.worker();
    expect(scheduler.core.state.jobs.get(job)!.table.deaths(0)).toBe(0);
  });

  test("is not cleared by another process of the name", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.close(scheduler.worker("w", { instance: "one" }));
    scheduler.worker("w", { instance: "two" });
    expect(scheduler.core.state.jobs.get(job)!.table.deaths(0)).toBe(1);
  });

  test("waits with the last verdict for workers that may come back", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    for (const instance of ["one", "two", "three"]) scheduler.close(scheduler.worker("w", { instance }));
    expect(scheduler.state(job, 0)).toBe("queued");
    const idle = scheduler.worker("idle");
    scheduler.pass(5000, [idle]);
    expect(scheduler.state(job, 0)).toBe("queued");
    scheduler.pass(1000, [idle]);
    expect(scheduler.state(job, 0)).toBe("erred");
    expect(scheduler.told("erred")[0]).toMatchObject({ code: "PE_TASK_POISON", worker: "w" });
  });
});
