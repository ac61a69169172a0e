import { afterEach, describe, expect, test, vi } from "vitest";
import type { SchedulerCore } from "../../../scheduler/core/core.ts";
import type { SchedulerEvent } from "../../../scheduler/core/events.ts";
import type { Keeping } from "../../../scheduler/keeping.ts";
import { SnapshotTurn } from "../../../scheduler/snapshot-turn.ts";

const TICK: SchedulerEvent = { type: "tick" };
const CLOSED: SchedulerEvent = { type: "client-closed", link: 1 };

function turn(snapshot: () => Promise<void> = () => Promise.resolve()) {
  const durability = { durable: 1, written: 2 };
  const core = { state: { durability }, snapshot: () => [{ type: "epoch", epoch: 1 }] };
  const lines: string[] = [];
  const taken = vi.fn(snapshot);
  const keeping = { snapshot: taken, health: { status: "open", bytesSinceSnapshot: 0 } };
  const made = new SnapshotTurn(
    core as unknown as SchedulerCore,
    keeping as unknown as Keeping,
    ({ text }) => void lines.push(text),
  );
  return { turn: made, durability, taken, lines };
}

describe("SnapshotTurn", () => {
  let nowMs = 0;
  const clock = (): void => void vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  afterEach(() => vi.restoreAllMocks());

  test("holds events until all is durable, then takes the snapshot and lets them go in order", async () => {
    const { turn: one, durability, taken, lines } = turn();
    expect(one.hold(TICK)).toBe(false);
    expect(one.prepare()).toBe(true);
    expect([one.hold(CLOSED), one.hold(TICK), one.tryToTake().length, taken.mock.calls.length]).toEqual([
      true,
      true,
      0,
      0,
    ]);
    durability.durable = 2;
    expect(one.tryToTake()).toEqual([CLOSED, TICK]);
    expect([one.isPreparing, taken.mock.calls]).toEqual([false, [[[{ type: "epoch", epoch: 1 }]]]]);
    await vi.waitFor(() => expect(lines).toHaveLength(1));
  });

  test("gives up when the disk is too slow, and tries again later", () => {
    clock();
    const { turn: one, taken } = turn();
    one.prepare();
    one.hold(TICK);
    nowMs += 499;
    expect(one.tryToTake()).toEqual([]);
    nowMs += 1;
    expect(one.tryToTake()).toEqual([TICK]);
    expect([one.isPreparing, one.prepare(), taken.mock.calls.length]).toEqual([false, false, 0]);
    nowMs += 10_000;
    expect(one.prepare()).toBe(true);
  });

  test("goes on without a snapshot that cannot be taken", async () => {
    const { turn: one, durability, lines } = turn(() => Promise.reject(new Error("the disk is full")));
    one.prepare();
    durability.durable = 2;
    one.tryToTake();
    await vi.waitFor(() => expect(lines).toHaveLength(1));
    expect(lines[0]).toMatch(/the disk is full; the journal goes on without/);
  });
});
