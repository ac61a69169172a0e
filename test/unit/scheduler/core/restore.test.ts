import { describe, expect, test } from "vitest";
import { createSchedulerCore } from "../../../../scheduler/core/core.ts";
import { checkAgreement } from "../../../simulation/checks.ts";
import { Ledger } from "../../../simulation/ledger.ts";
import { needsOf, OPTIONS, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

/** A state with something of everything. */
function busyScheduler(): SchedulerUnderTest {
  const scheduler = new SchedulerUnderTest();
  const job = scheduler.submit(8, { options: { ...OPTIONS, retries: 2 }, keys: [..."abcdefgh"] });
  scheduler.submit(3, { needs: needsOf([[job, 0]], [[2, 0]], []) }, "graph");
  const released = scheduler.submit(1, {}, "released");
  scheduler.ask({ type: "release", job: released } as never);
  const worker = scheduler.worker("w", { slots: 2 });
  const [a, b, c, d] = scheduler.leases(worker);
  scheduler.done(worker, [a!]);
  scheduler.failed(worker, b!);
  scheduler.failed(worker, c!, { died: true });
  scheduler.ask({ type: "cancel", job, tasks: Uint32Array.of(d!.task) } as never);
  scheduler.close(worker);
  return scheduler;
}

describe("a new life", () => {
  test("has another epoch, journaled before anything else", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.restart();
    expect(scheduler.core.state.epoch).toBe(2);
    expect(scheduler.records.map((record) => (record.type === "epoch" ? record.epoch : record.type))).toEqual([1, 2]);
  });

  test("has an epoch no lower than the shell asks for, so that journals have none in common", () => {
    const { core } = createSchedulerCore({ records: [], sequence: 0, epochMin: 1_700_000_000 }, 0);
    expect(core.state.epoch).toBe(1_700_000_000);
  });

  test("knows what was durable and nothing else", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    const worker = scheduler.worker("w", { slots: 2 });
    const [first, second] = scheduler.leases(worker);
    scheduler.done(worker, [first!]);
    scheduler.holdDisk();
    scheduler.done(worker, [second!]);
    scheduler.restart();
    expect(scheduler.states(job)).toEqual(["finished", "queued"]);
  });

  test("errs tasks whose need failed just before the crash", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2, { needs: needsOf([], [[1, 0]]) });
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!);
    // The record of the dependant did not reach the disk.
    expect(scheduler.records.pop()).toMatchObject({ type: "erred", task: 1 });
    scheduler.durable = scheduler.records.length;
    const { core, effects } = createSchedulerCore({ records: scheduler.records, sequence: scheduler.durable }, 0);
    expect(core.state.jobs.get(job)!.errors.get(1)).toMatchObject({ code: "PE_NEED_FAILED" });
    expect(effects).toMatchObject([{ record: { type: "epoch" } }, { record: { type: "erred", task: 1 } }]);
  });
});

describe("snapshot()", () => {
  test("restores what the whole journal does", () => {
    const scheduler = busyScheduler();
    const ledger = new Ledger();
    for (const record of scheduler.records) ledger.apply(record);
    const records = [...scheduler.core.snapshot()];
    const { core } = createSchedulerCore({ records, sequence: 99 }, 0);
    checkAgreement(core.state, ledger);
    const { state } = scheduler.core;
    expect(core.state.keys).toEqual(state.keys);
    expect(core.state.nextJob).toBe(state.nextJob);
    expect(core.state.accused).toEqual(state.accused);
    expect(core.state.spent).toEqual(state.spent);
    expect(core.state.suspects.size).toBe(state.suspects.size);
    expect(core.state.edges.count).toBe(state.edges.count);
  });

  test("of a restored state is the same again", () => {
    const records = [...busyScheduler().core.snapshot()];
    const { core } = createSchedulerCore({ records, sequence: 99 }, 0);
    core.step({ type: "durable", sequence: core.state.durability.written }, 0);
    expect([...core.snapshot()].slice(1)).toEqual(records.slice(1));
  });

  test("holds no record with much more than four megabytes of results", () => {
    const scheduler = new SchedulerUnderTest();
    const tasks = 150;
    scheduler.submit(tasks);
    const worker = scheduler.worker("w", { slots: tasks });
    for (const hand of scheduler.leases(worker)) scheduler.done(worker, [hand], () => new Uint8Array(60_000));
    const records = [...scheduler.core.snapshot()];
    const sizes = records.flatMap((record) => (record.type === "finished" ? [record.results.byteLength] : []));
    expect(sizes.length).toBeGreaterThan(1);
    expect(Math.max(...sizes)).toBeLessThan(4.1 * 2 ** 20);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(tasks * 60_000);
  });

  test("keeps the number of a released job from being given again", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.ask({ type: "release", job } as never);
    const { core } = createSchedulerCore({ records: [...scheduler.core.snapshot()], sequence: 9 }, 0);
    expect(core.state.nextJob).toBe(job + 1);
  });

  test("needs everything to be durable", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.holdDisk();
    scheduler.open();
    expect(() => [...scheduler.core.snapshot()]).toThrow("durable");
  });
});
