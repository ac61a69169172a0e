import { describe, expect, test } from "vitest";
import { column, needsOf, OPTIONS, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

/** Why the job waits, by status, by find, and by the story of its first task. */
function reasons(scheduler: SchedulerUnderTest, job: number): (string | undefined)[] {
  scheduler.ask({ type: "status" });
  const status = scheduler.told("statusIs")[0]!.jobs.find((one) => one.job === job)?.waits;
  scheduler.ask({ type: "story", job, task: 0 } as never);
  const line = scheduler.told("storyIs")[0]!.lines.at(-1)!;
  return [status, line.startsWith("waits: ") ? line.slice("waits: ".length) : undefined];
}

describe("a job of which nothing can run", () => {
  test("says that no worker is connected", () => {
    const scheduler = new SchedulerUnderTest();
    const reason = "no worker is connected";
    expect(reasons(scheduler, scheduler.submit(2))).toEqual([reason, reason]);
  });

  test("of a kind that no worker has is accepted, waits, and says so", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.worker("w", { kinds: ["alpha", "beta"] });
    const job = scheduler.submit(1);
    const reason = 'no worker has kind "k"; they have alpha, beta';
    expect(reasons(scheduler, job)).toEqual([reason, reason]);
    scheduler.worker("late");
    expect(scheduler.state(job, 0)).toBe("processing");
    expect(reasons(scheduler, job)).toEqual([undefined, undefined]);
  });

  test("of another version of its kind names both versions and the worker", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.worker("old", { version: "0.9" });
    const reason = 'the job is for version 1 of kind "k", and worker "old" has version 0.9: give all the same version';
    expect(reasons(scheduler, scheduler.submit(1))).toEqual([reason, reason]);
  });

  test("names workers it is pinned to, and resources that nobody has", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.worker("w");
    const pinned = scheduler.submit(1, { options: { ...OPTIONS, workers: ["a", "b", "c", "d"] } }, "pinned");
    expect(reasons(scheduler, pinned)[0]).toBe("no worker that it is pinned to is connected: a, b, c and 1 more");
    const gpus = scheduler.submit(1, { options: { ...OPTIONS, resources: [{ name: "gpu", amount: 2 }] } }, "gpus");
    expect(reasons(scheduler, gpus)[0]).toBe("no worker has gpu=2");
  });

  test("names workers that take no work now", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.heartbeat(scheduler.worker("short"), [], true);
    const job = scheduler.submit(1);
    expect(reasons(scheduler, job)[0]).toBe(
      'workers that can run it take no work now: "short" is paused, its memory is short',
    );
  });

  test("names the error after which a worker rests", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker("w");
    const message = "Cannot read s3://lasers/a.hdf5: the store is away";
    scheduler.failed(worker, scheduler.leases(worker)[0]!, { blameless: true, message });
    const reason = `workers that can run it take no work now: "w" is resting after an error of its surroundings: ${message}`;
    expect(reasons(scheduler, job)).toEqual([reason, reason]);
  });

  test("says that a restarted scheduler waits for its workers", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.restart();
    expect(reasons(scheduler, job)[0]).toContain("restarted");
  });
});

describe("a task that waits", () => {
  test("names what it needs", () => {
    const scheduler = new SchedulerUnderTest();
    const first = scheduler.submit(2, { keys: ["left", "right"] }, "first");
    const job = scheduler.submit(
      1,
      {
        needs: needsOf([
          [first, 0],
          [first, 1],
        ]),
      },
      "second",
    );
    expect(reasons(scheduler, job)).toEqual([undefined, "needs left, right"]);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker).slice(0, 1));
    expect(reasons(scheduler, job)[1]).toBe("needs right");
    scheduler.ask({ type: "cancel", job: first, tasks: column(1) } as never);
    expect(scheduler.state(job, 0)).toBe("erred");
  });
});
