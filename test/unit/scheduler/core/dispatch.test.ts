import { describe, expect, test } from "vitest";
import { column, OPTIONS, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

describe("dispatch()", () => {
  test("holds two tasks a slot back to front of nothing known, more when they are short", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(2000);
    const worker = scheduler.worker("w", { slots: 2 });
    expect(scheduler.heldTasks(worker)).toEqual([0, 1, 2, 3]);
    scheduler.done(worker, scheduler.leases(worker), undefined, 100);
    // 50 ms of credit in tasks of 0.1 ms, for two slots.
    expect(scheduler.heldTasks(worker)).toHaveLength(1000);
  });

  test("expects of a new batch what the job's last tasks took", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    scheduler.append(job, 1);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker), undefined, 5000);
    scheduler.append(job, 100);
    expect(scheduler.heldTasks(worker)).toHaveLength(10);
  });

  test("spreads few tasks over many workers", () => {
    const scheduler = new SchedulerUnderTest();
    const workers = ["a", "b", "c", "d"].map((name) => scheduler.worker(name, { slots: 4 }));
    scheduler.submit(4);
    expect(workers.map((worker) => scheduler.heldTasks(worker).length)).toEqual([1, 1, 1, 1]);
  });

  test("takes the highest priority first, among equals the oldest", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    for (const priority of [0, 5, 5, -1]) scheduler.append(job, 1, { options: { ...OPTIONS, priority } });
    const worker = scheduler.worker();
    const order: number[] = [];
    while (scheduler.leases(worker).length > 0) {
      order.push(scheduler.heldTasks(worker)[0]!);
      scheduler.done(worker, scheduler.leases(worker).slice(0, 1));
    }
    expect(order).toEqual([1, 2, 0, 3]);
  });

  test("lets nothing of another kind fill the room that the first in the queue waits for", () => {
    const scheduler = new SchedulerUnderTest();
    const worker = scheduler.worker("w", { kinds: ["k", "urgent"] });
    scheduler.submit(10_000);
    scheduler.done(worker, scheduler.leases(worker), undefined, 20);
    const held = scheduler.heldTasks(worker).length;
    expect(held).toBeGreaterThan(500);
    const urgent = scheduler.open("urgent", { kind: "urgent" });
    scheduler.append(urgent, 1, { options: { ...OPTIONS, priority: 1 } });
    let reports = 0;
    for (; scheduler.state(urgent, 0) === "queued"; reports++)
      scheduler.done(worker, scheduler.leases(worker).slice(0, 100));
    expect(reports).toBeLessThanOrEqual(Math.ceil(held / 100));
    expect(scheduler.state(urgent, 0)).toBe("processing");
  });

  test("never gives more of a resource than there is", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(5, { options: { ...OPTIONS, resources: [{ name: "gpu", amount: 2 }] } });
    const worker = scheduler.worker("w", { slots: 8, gpus: 5 });
    expect(scheduler.heldTasks(worker)).toHaveLength(2);
    scheduler.done(worker, scheduler.leases(worker).slice(0, 1));
    expect(scheduler.heldTasks(worker)).toHaveLength(2);
  });

  test("gives pinned tasks to the named workers alone", () => {
    const scheduler = new SchedulerUnderTest();
    const [a, b] = [scheduler.worker("a"), scheduler.worker("b")];
    scheduler.submit(2, { options: { ...OPTIONS, workers: ["b"] } });
    expect([scheduler.heldTasks(a), scheduler.heldTasks(b)]).toEqual([[], [0, 1]]);
  });

  test("gives a task to nobody without its kind in its version", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.worker("w", { kinds: ["another"] });
    const job = scheduler.submit(1);
    expect(scheduler.state(job, 0)).toBe("queued");
  });

  describe("groups with labels", () => {
    /** Two workers; "a" has had the group of label 7, "b" that of label 8. */
    function labelled() {
      const scheduler = new SchedulerUnderTest();
      const job = scheduler.open("first");
      const links = ["a", "b"].map((name, place) => {
        const link = scheduler.worker(name);
        const pinned = { ...OPTIONS, workers: [name] };
        scheduler.append(job, 2, { options: pinned, groups: column(2 * place), labels: column(7 + place) });
        scheduler.done(link, scheduler.leases(link));
        return link;
      });
      return { scheduler, a: links[0]!, b: links[1]! };
    }

    test("go to the worker that had the last one of the label, in another job too", () => {
      const { scheduler, a, b } = labelled();
      scheduler.submit(4, { groups: column(0, 2), labels: column(8, 7) }, "second");
      expect([scheduler.heldTasks(a), scheduler.heldTasks(b)]).toEqual([
        [2, 3],
        [0, 1],
      ]);
    });

    test("go elsewhere when that worker is gone", () => {
      const { scheduler, a, b } = labelled();
      scheduler.close(a);
      scheduler.submit(2, { groups: column(0), labels: column(7) }, "second");
      expect(scheduler.heldTasks(b)).toEqual([0, 1]);
    });

    test("go elsewhere when that worker has more to do than it takes to read their input", () => {
      const { scheduler, a, b } = labelled();
      const job = scheduler.open("second");
      scheduler.append(job, 6, { groups: column(0, 2, 4), labels: column(7, 7, 7) });
      expect(scheduler.heldTasks(b)).toEqual([]);
      scheduler.done(a, scheduler.leases(a).slice(0, 1), undefined, 500_000);
      expect(scheduler.heldTasks(b)).not.toEqual([]);
    });

    test("of unknown length go elsewhere when nothing is heard of them for a while", () => {
      const { scheduler, a, b } = labelled();
      scheduler.submit(8, { groups: column(0, 4), labels: column(7, 7) }, "second");
      expect(scheduler.heldTasks(b)).toEqual([]);
      scheduler.pass(500, [a, b]);
      expect(scheduler.heldTasks(b)).not.toEqual([]);
    });

    test("are refused when there is not one for each group", () => {
      const { scheduler } = labelled();
      const job = scheduler.open("second");
      const [answer] = scheduler.append(job, 4, { groups: column(0, 2), labels: column(7) });
      expect(answer).toMatchObject({ type: "refused", message: expect.stringContaining("its labels do not fit") });
    });
  });

  test("keeps the tasks of a group on one worker", () => {
    const scheduler = new SchedulerUnderTest();
    const [a, b] = [scheduler.worker("a"), scheduler.worker("b")];
    scheduler.submit(12, { groups: column(0, 6) });
    const ran = new Map([
      [a, new Set<number>()],
      [b, new Set<number>()],
    ]);
    while (scheduler.leases(a).length + scheduler.leases(b).length > 0)
      for (const worker of [a, b])
        for (const hand of scheduler.leases(worker).slice(0, 1)) {
          ran.get(worker)!.add(Math.floor(hand.task / 6));
          scheduler.done(worker, [hand], undefined, 100_000);
        }
    expect([[...ran.get(a)!], [...ran.get(b)!]]).toEqual([[0], [1]]);
  });

  test("tells a worker of a job once, before its first task", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(9);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.saidTo(worker, "job")).toHaveLength(1);
  });

  test("hands out nothing for a while after a restart, so that workers can come back with what they run", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.restart();
    const worker = scheduler.worker();
    scheduler.pass(2500, [worker]);
    expect(scheduler.state(job, 0)).toBe("queued");
    scheduler.pass(1000, [worker]);
    expect(scheduler.state(job, 0)).toBe("processing");
  });
});
