/** Watching a job so large that what has ended is told in pieces. */
import { describe, expect, test } from "vitest";
import type { SchedulerToClient } from "../../../../protocol/client-link.ts";
import { column, NO_BYTES, OPTIONS, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

const TASKS = 150_000;
/** Those that have ended when the watcher comes. */
const ENDED = 140_000;
const ERRED = 139_990;

type Told = Extract<SchedulerToClient, { type: "finished" | "erred" | "cancelled" }>;

/** One job: most tasks finished, ten erred, the others queued. */
function begin(): { scheduler: SchedulerUnderTest; job: number } {
  const scheduler = new SchedulerUnderTest();
  const job = 1;
  const head = { id: "job", kind: "k", version: "1", common: NO_BYTES, maxFails: 1000, transient: false };
  const finished = Uint32Array.from({ length: ERRED }, (_, task) => task);
  const error = { code: "PE_TASK_FAILED", message: "no", stack: "", attempts: 1, worker: "w" };
  scheduler.records.push(
    { type: "opened", job, ...head },
    { type: "appended", job, count: TASKS, options: OPTIONS },
    { type: "sealed", job },
    { type: "finished", job, tasks: finished, ends: finished.map((task) => task + 1), results: new Uint8Array(ERRED) },
  );
  for (let task = ERRED; task < ENDED; task++) scheduler.records.push({ type: "erred", job, task, ...error });
  scheduler.durable = scheduler.records.length;
  scheduler.restart();
  return { scheduler, job };
}

/** How often the client was told of each task. */
function timesTold(scheduler: SchedulerUnderTest): Uint8Array {
  const times = new Uint8Array(TASKS);
  for (const type of ["finished", "erred", "cancelled"] as const)
    for (const message of scheduler.told(type) as Told[])
      for (const task of "tasks" in message ? message.tasks : [message.task]) times[task]!++;
  return times;
}

const countOf = (times: Uint8Array, wanted: number): number => times.filter((one) => one === wanted).length;

describe("watch of a large job", () => {
  test("is answered before all that had ended is told; each end is told once, also of what ends meanwhile", () => {
    const { scheduler, job } = begin();
    const worker = scheduler.worker();
    scheduler.pass(3500, [worker]);
    scheduler.watch(job);
    const first = countOf(timesTold(scheduler), 1);
    expect(first).toBeGreaterThan(1000);
    expect(first).toBeLessThan(ENDED / 2);
    const hands = scheduler.leases(worker);
    scheduler.done(worker, hands);
    expect(timesTold(scheduler)[hands[0]!.task]).toBe(1);
    for (let tick = 0; tick < 10; tick++) scheduler.pass(1, [worker]);
    const times = timesTold(scheduler);
    expect([countOf(times, 0), countOf(times, 1)]).toEqual([TASKS - ENDED - hands.length, ENDED + hands.length]);
    expect(scheduler.core.state.telling.size).toBe(0);
  });

  test("tells of a task that is tried again only how it ends then", () => {
    const { scheduler, job } = begin();
    scheduler.watch(job);
    scheduler.ask({ type: "retry", job, tasks: column(ERRED) } as never);
    for (let tick = 0; tick < 10; tick++) scheduler.pass(1);
    expect(timesTold(scheduler)[ERRED]).toBe(0);
    expect(timesTold(scheduler)[ERRED + 1]).toBe(1);
  });

  test("is told the rest before the job is forgotten", () => {
    const { scheduler, job } = begin();
    scheduler.watch(job);
    scheduler.connectClient(2);
    scheduler.ask({ type: "release", job } as never, 2);
    expect(countOf(timesTold(scheduler), 1)).toBe(TASKS);
  });

  test("ends with its client", () => {
    const { scheduler, job } = begin();
    scheduler.watch(job);
    scheduler.closeClient(1);
    scheduler.pass(1);
    expect(scheduler.core.state.telling.size).toBe(0);
  });

  test("is told the end of the job after all the rest, once more where it came meanwhile", () => {
    const { scheduler, job } = begin();
    scheduler.watch(job);
    scheduler.connectClient(2);
    scheduler.ask({ type: "cancel", job } as never, 2);
    for (let tick = 0; tick < 10; tick++) scheduler.pass(1);
    expect(scheduler.told("ended").at(-1)).toMatchObject({
      counts: { finished: ERRED, erred: 10, cancelled: TASKS - ENDED },
    });
    expect(countOf(timesTold(scheduler), 1)).toBe(TASKS);
  });
});
