import { describe, expect, test } from "vitest";
import { Line } from "../../../common/line.ts";

const never = new AbortController().signal;
const limits = { atOnceMax: 2, waitingMax: 2, waitMs: 60_000 };

describe("Line", () => {
  test("lets so many in at once, and the next in their order when one leaves", async () => {
    const line = new Line(limits);
    expect(await Promise.all([line.enter(never), line.enter(never)])).toEqual([true, true]);
    const order: string[] = [];
    const first = line.enter(never).then((isIn) => order.push(`first ${isIn}`));
    const second = line.enter(never).then((isIn) => order.push(`second ${isIn}`));
    expect([line.inside, line.waiting]).toEqual([2, 2]);
    expect(await line.enter(never)).toBe(false);
    line.leave();
    line.leave();
    await Promise.all([first, second]);
    expect(order).toEqual(["first true", "second true"]);
    expect([line.inside, line.waiting]).toEqual([2, 0]);
    line.leave();
    line.leave();
    expect(line.inside).toBe(0);
  });

  test("loses who gives up, and who waited too long", async () => {
    const line = new Line({ ...limits, atOnceMax: 1, waitMs: 5 });
    await line.enter(never);
    expect(await line.enter(never)).toBe(false);
    const leaving = new AbortController();
    const waiting = line.enter(leaving.signal);
    leaving.abort();
    expect(await waiting).toBe(false);
    expect(await line.enter(leaving.signal)).toBe(false);
    expect([line.inside, line.waiting]).toEqual([1, 0]);
  });

  test("acts inside, and gives the place back however that ends", async () => {
    const line = new Line({ atOnceMax: 1 });
    expect(await line.through(async () => await Promise.resolve(line.inside))).toBe(1);
    const failed = line.through(async () => await Promise.reject(new Error("no")));
    const next = line.through(async () => await Promise.resolve("next"));
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("next");
    expect(line.inside).toBe(0);
  });

  test("acts for nobody who gave up in the line", async () => {
    const line = new Line({ atOnceMax: 1 });
    await line.enter();
    const leaving = new AbortController();
    let hasActed = false;
    const waiting = line.through(async () => void (hasActed = await Promise.resolve(true)), leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    line.leave();
    expect([hasActed, line.inside, line.waiting]).toEqual([false, 0, 0]);
  });
});
