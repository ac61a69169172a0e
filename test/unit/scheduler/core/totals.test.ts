import { describe, expect, test } from "vitest";
import { HELD_BYTES_MAX, KEYS_MAX, NEEDS_MAX, TASKS_MAX } from "../../../../scheduler/core/limits.ts";
import { column, needsOf, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

const parameters = { ends: column(2, 4), values: Uint8Array.of(1, 2, 3, 4) };

describe("totals", () => {
  test("count what is held, also after a restart, and nothing when the jobs are released", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2, { parameters, needs: needsOf([], [[1, 0]]) });
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker), () => Uint8Array.of(1, 2, 3));
    const held = { tasks: 2, needs: 1, bytes: 7 };
    expect(scheduler.core.state.totals).toEqual(held);
    scheduler.restart();
    expect(scheduler.core.state.totals).toEqual(held);
    scheduler.ask({ type: "release", job } as never);
    expect(scheduler.core.state.totals).toEqual({ tasks: 0, needs: 0, bytes: 0 });
  });

  test.each([
    ["tasks", { tasks: TASKS_MAX - 1 }, {}, TASKS_MAX],
    ["needs", { needs: NEEDS_MAX }, { needs: needsOf([], [[1, 0]]) }, NEEDS_MAX],
    ["bytes", { bytes: HELD_BYTES_MAX - 1 }, { parameters }, HELD_BYTES_MAX],
  ])("of %s above the limit refuse a batch, naming it, and change nothing", (_, held, batch, most) => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    Object.assign(scheduler.core.state.totals, held);
    const [refused] = scheduler.append(job, 2, batch);
    expect(refused).toMatchObject({ type: "refused", message: expect.stringContaining(`its limit of ${most}`) });
    expect(scheduler.core.state.jobs.get(job)!.table.rows).toBe(0);
  });

  test("of keys above the limit refuse a batch", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    const { keys } = scheduler.core.state;
    Object.defineProperty(keys, "size", { value: KEYS_MAX });
    expect(scheduler.append(job, 1, { keys: ["a"] })).toMatchObject([{ type: "refused" }]);
  });

  test("of bytes above the limit err the task that gives one more", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.core.state.totals.bytes = HELD_BYTES_MAX;
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.state(job, 0)).toBe("erred");
    expect(scheduler.told("erred")).toMatchObject([{ code: "PE_LIMIT", message: expect.stringContaining("release") }]);
  });
});
