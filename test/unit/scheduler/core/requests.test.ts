import { describe, expect, test } from "vitest";
import { JOB_TASKS_MAX, PARAMETERS_BYTES_MAX } from "../../../../protocol/client-link.ts";
import { JOBS_MAX } from "../../../../scheduler/core/limits.ts";
import { column, needsOf, NO_BYTES, OPTIONS, SchedulerUnderTest } from "../../../support/scheduler-under-test.ts";

function refusal(answers: readonly { type: string }[]): { code: string; message: string } | undefined {
  return answers.find(({ type }) => type === "refused") as { code: string; message: string } | undefined;
}

describe("hello", () => {
  test("of another version is refused, naming both", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.connectClient(2, 99);
    expect(scheduler.told("refuse", 2)[0]).toMatchObject({
      code: "PE_VERSION",
      message: expect.stringMatching(/99.*1/),
    });
    expect(scheduler.closed).toEqual([2]);
  });

  test("said again is refused, and the connection ends", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.connectClient(2);
    scheduler.connectClient(2);
    expect(scheduler.told("refuse", 2)).toMatchObject([
      { code: "PE_PROTOCOL", message: expect.stringContaining("said hello before") },
    ]);
    expect(scheduler.closed).toEqual([2]);
  });

  test("must come first", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.ask({ type: "status" } as never, 7);
    expect(scheduler.closed).toEqual([7]);
  });
});

describe("open", () => {
  const head = {
    type: "open",
    id: "a",
    kind: "k",
    version: "1",
    common: Uint8Array.of(1),
    maxFails: 0,
    transient: false,
  };

  test("of a known job joins it, a hundred times", () => {
    const scheduler = new SchedulerUnderTest();
    for (let time = 0; time < 100; time++) scheduler.ask(head as never);
    expect(scheduler.core.state.jobs.size).toBe(1);
    expect(scheduler.told("opened")).toMatchObject([{ job: 1, known: true }]);
  });

  test("of a known job with other parameters is refused", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.ask(head as never);
    expect(refusal(scheduler.ask({ ...head, common: Uint8Array.of(2) } as never))).toMatchObject({
      code: "PE_JOB_CONFLICT",
    });
  });

  test("of one job more than there may be is refused with their number", () => {
    const scheduler = new SchedulerUnderTest();
    Object.defineProperty(scheduler.core.state.jobs, "size", { value: JOBS_MAX });
    const refused = refusal(scheduler.ask(head as never));
    expect(refused).toMatchObject({ code: "PE_LIMIT", message: expect.stringContaining(`holds ${JOBS_MAX} jobs`) });
  });

  test("is told when it is durable", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.holdDisk();
    expect(scheduler.ask(head as never)).toEqual([]);
    scheduler.fsync();
    expect(scheduler.told("opened")).toMatchObject([{ job: 1, tasks: 0, known: false }]);
  });
});

describe("append", () => {
  test("said again adds nothing", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    const message = { type: "append", job, from: 0, count: 3, options: OPTIONS };
    scheduler.ask(message as never);
    expect(scheduler.ask(message as never)).toMatchObject([{ type: "appended", tasks: 3 }]);
  });

  test.each([
    ["a gap", { from: 5 }, "goes on from 5"],
    ["parameters that do not fit", { parameters: { ends: column(1, 2), values: new Uint8Array(3) } }, "do not fit"],
    ["ends that go back", { parameters: { ends: column(3, 2), values: new Uint8Array(2) } }, "do not fit"],
    ["too few keys", { keys: ["a"] }, "1 keys for 2 tasks"],
    ["a key twice", { keys: ["a", "a"] }, "one key"],
    ["groups that do not ascend", { groups: column(1, 0) }, "do not ascend"],
    ["groups outside of it", { groups: column(7) }, "outside"],
    ["a need of itself", { needs: needsOf([[1, 0]], []) }, "cycle"],
    ["a need of a later task", { needs: needsOf([[1, 1]], []) }, "cycle"],
    ["a need of no job", { needs: needsOf([[9, 0]], []) }, "not known"],
  ])("with %s is refused, and nothing changes", (_, more, reason) => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    const written = scheduler.records.length;
    const answers = scheduler.append(job, 2, more);
    expect(refusal(answers)?.message).toContain(reason);
    expect(scheduler.core.state.jobs.get(job)!.table.rows).toBe(0);
    expect(scheduler.records).toHaveLength(written);
  });

  test("of ten million tasks is a range, and one more is refused with the limit named", () => {
    const scheduler = new SchedulerUnderTest();
    const { state, step } = scheduler.core;
    const job = scheduler.open();
    const append = { type: "append", job, from: 0, count: JOB_TASKS_MAX, options: OPTIONS, request: 1 } as const;
    step({ type: "client-said", link: 1, message: append }, 0);
    expect(state.jobs.get(job)!.batches[0]!.fresh).toHaveLength(1);
    const effects = step({ type: "client-said", link: 1, message: { ...append, from: JOB_TASKS_MAX, count: 1 } }, 0);
    expect(JSON.stringify(effects)).toContain(`at most ${JOB_TASKS_MAX} tasks`);
  });

  test("of a task with more parameters than a hand-out takes is refused, and what is allowed is handed out", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    const batch = (...sizes: number[]) => {
      let end = 0;
      const ends = column(...sizes.map((size) => (end += size)));
      return { parameters: { ends, values: new Uint8Array(end) } };
    };
    const refused = refusal(scheduler.append(job, 2, batch(10, PARAMETERS_BYTES_MAX + 1)));
    expect(refused!.message).toContain(`more than ${PARAMETERS_BYTES_MAX}`);
    scheduler.append(job, 3, batch(10, 20, 250_000));
    scheduler.append(job, 1, batch(PARAMETERS_BYTES_MAX));
    const worker = scheduler.worker("w", { slots: 4 });
    expect(scheduler.leases(worker)).toHaveLength(4);
    const sizes = scheduler.saidTo(worker, "assign").map(({ parameters }) => parameters.byteLength);
    expect(sizes).toEqual([250_030, PARAMETERS_BYTES_MAX]);
  });

  test("of tasks that one message to a worker cannot hold together hands them out in several", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    const size = 300_000;
    scheduler.append(job, 3, {
      parameters: {
        ends: column(10, size, 2 * size),
        values: Uint8Array.from({ length: 2 * size }, (_, place) => place),
      },
    });
    const worker = scheduler.worker("w", { slots: 4 });
    const said = scheduler.saidTo(worker, "assign");
    expect(said.flatMap(({ tasks }) => [...tasks])).toEqual([0, 1, 2]);
    expect(said.map(({ parameters }) => parameters.byteLength)).toEqual([10, size - 10, size]);
  });

  test("with known keys joins those tasks and adds the others", () => {
    const scheduler = new SchedulerUnderTest();
    const first = scheduler.open("first");
    scheduler.append(first, 2, { keys: ["a", "b"] });
    const second = scheduler.open("second");
    // Task 2 of the request needs its tasks 0 (known) and 1 (new).
    const needs = needsOf(
      [],
      [],
      [
        [second, 0],
        [second, 1],
      ],
    );
    const answers = scheduler.append(second, 3, { keys: ["b", "c", "d"], needs });
    expect(answers).toMatchObject([
      { type: "joined", indices: column(0), jobs: column(first), tasks: column(1) },
      { type: "appended", tasks: 2 },
    ]);
    const [batch] = scheduler.core.state.jobs.get(second)!.batches;
    expect(batch!.needs).toEqual({ ends: column(0, 2), jobs: column(first, second), tasks: column(1, 0) });
  });

  test("with a known key and other parameters is refused", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    scheduler.append(job, 1, { keys: ["a"], parameters: { ends: column(1), values: Uint8Array.of(1) } });
    const answers = scheduler.append(job, 1, {
      keys: ["a"],
      parameters: { ends: column(1), values: Uint8Array.of(2) },
    });
    expect(refusal(answers)).toMatchObject({ code: "PE_JOB_CONFLICT" });
  });

  test("with a known key and other needs is refused, but not with needs that compute the same", () => {
    const scheduler = new SchedulerUnderTest();
    const leaf = (value: number) => ({ parameters: { ends: column(1), values: Uint8Array.of(value) } });
    const [one, two] = [scheduler.open("one"), scheduler.open("two")];
    for (const job of [one, two]) {
      scheduler.append(job, 1, leaf(7));
      scheduler.append(job, 1, leaf(8));
    }
    const sums = scheduler.open("sums");
    const sumOf = (...places: readonly (readonly [number, number])[]) =>
      scheduler.append(sums, 1, { keys: ["sum"], needs: needsOf(places) });
    sumOf([one, 0], [one, 1]);
    expect(sumOf([one, 0], [one, 1])).toMatchObject([{ type: "joined" }, { type: "appended", tasks: 1 }]);
    expect(sumOf([two, 0], [one, 1])).toMatchObject([{ type: "joined" }, { type: "appended", tasks: 1 }]);
    for (const other of [sumOf([one, 1], [one, 0]), sumOf([one, 0], [two, 0]), sumOf([one, 0])])
      expect(refusal(other)).toMatchObject({ code: "PE_JOB_CONFLICT", message: expect.stringContaining("needs") });
  });

  test("of tasks whose need has failed errs them, when that is durable", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    scheduler.append(job, 1);
    scheduler.ask({ type: "cancel", job } as never);
    scheduler.append(job, 2, { needs: needsOf([[job, 0]], [[job, 1]]) });
    expect(scheduler.states(job)).toEqual(["cancelled", "erred", "erred"]);
    expect(scheduler.core.state.jobs.get(job)!.errors.get(2)).toMatchObject({ code: "PE_NEED_FAILED" });
  });
});

describe("seal", () => {
  test("with another number of tasks than the job has is refused", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.open();
    expect(refusal(scheduler.ask({ type: "seal", job, tasks: 1 } as never))?.message).toContain("it has 0");
  });

  test("ends an empty job", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(0 + 1);
    const job = scheduler.open("empty");
    scheduler.watch(job);
    scheduler.ask({ type: "seal", job, tasks: 0 } as never);
    expect(scheduler.told("ended")).toHaveLength(1);
  });
});

describe("watch", () => {
  test("tells each end once, before and after it began", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    const worker = scheduler.worker();
    const [first, second] = scheduler.leases(worker);
    scheduler.done(worker, [first!]);
    scheduler.connectClient(2);
    scheduler.watch(job, 2);
    scheduler.done(worker, [second!]);
    expect(scheduler.told("finished", 2).flatMap(({ tasks }) => [...tasks])).toEqual([0, 1]);
    expect(scheduler.told("ended", 2)).toHaveLength(1);
  });

  test("of a job that ended in an earlier life tells its end", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker));
    scheduler.restart();
    const answers = scheduler.watch(job);
    expect(answers.map(({ type }) => type)).toEqual(["ok", "finished", "ended"]);
  });

  test("goes on without clients, which then are told nothing", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(1);
    scheduler.closeClient(1);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.state(job, 0)).toBe("finished");
    expect(scheduler.told("finished")).toEqual([]);
  });
});

describe("cancel", () => {
  test("drops hand-outs and errs what needs them", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(3, { needs: needsOf([], [[1, 0]], []) });
    const worker = scheduler.worker();
    scheduler.ask({ type: "cancel", job, tasks: column(0) } as never);
    expect(scheduler.states(job)).toEqual(["cancelled", "erred", "processing"]);
    expect(scheduler.saidTo(worker, "drop")).toMatchObject([{ tasks: column(0), attempts: column(1) }]);
  });

  test("of all leaves what has ended", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(3);
    const worker = scheduler.worker();
    scheduler.done(worker, scheduler.leases(worker).slice(0, 1));
    scheduler.ask({ type: "cancel", job } as never);
    expect(scheduler.states(job)).toEqual(["finished", "cancelled", "cancelled"]);
    expect(scheduler.told("ended")).toHaveLength(1);
  });
});

describe("retry", () => {
  test("puts erred and cancelled tasks back, those that wait for others too", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2, { needs: needsOf([], [[1, 0]]) });
    const worker = scheduler.worker();
    scheduler.failed(worker, scheduler.leases(worker)[0]!);
    expect(scheduler.states(job)).toEqual(["erred", "erred"]);
    scheduler.ask({ type: "retry", job } as never);
    expect(scheduler.states(job)).toEqual(["processing", "waiting"]);
    scheduler.done(worker, scheduler.leases(worker));
    scheduler.done(worker, scheduler.leases(worker));
    expect(scheduler.states(job)).toEqual(["finished", "finished"]);
  });

  test("of a task alone, whose need has failed, errs it again", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2, { needs: needsOf([], [[1, 0]]) });
    scheduler.failed(scheduler.worker(), { job, task: 0, epoch: 1, attempt: 1 });
    scheduler.ask({ type: "retry", job, tasks: column(1) } as never);
    expect(scheduler.states(job)).toEqual(["erred", "erred"]);
  });

  test("leaves what was cancelled after it, as its record does", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    scheduler.ask({ type: "cancel", job, tasks: column(0) } as never);
    scheduler.holdDisk();
    scheduler.open("to have something on the way to the disk");
    scheduler.ask({ type: "retry", job } as never);
    scheduler.ask({ type: "cancel", job, tasks: column(1) } as never);
    scheduler.fsync();
    scheduler.fsync();
    expect(scheduler.states(job)).toEqual(["queued", "cancelled"]);
    scheduler.restart();
    expect(scheduler.states(job)).toEqual(["queued", "cancelled"]);
  });
});

describe("release", () => {
  test("forgets a job, here and at the workers, and gives its id free", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(4, { keys: ["a", "b", "c", "d"] });
    const worker = scheduler.worker();
    scheduler.ask({ type: "release", job } as never);
    const { jobs, jobsById, keys, queue } = scheduler.core.state;
    expect([jobs.size, jobsById.size, keys.size, queue.isEmpty]).toEqual([0, 0, 0, true]);
    expect(scheduler.saidTo(worker, "forget")).toMatchObject([{ job }]);
    expect(scheduler.open()).toBe(job + 1);
  });

  test("is one record, and tells watchers that the rest is cancelled", () => {
    const scheduler = new SchedulerUnderTest();
    const job = scheduler.submit(2);
    scheduler.connectClient(2);
    scheduler.watch(job, 2);
    const written = scheduler.records.length;
    scheduler.ask({ type: "release", job } as never);
    expect(scheduler.records.slice(written).map(({ type }) => type)).toEqual(["released"]);
    expect(scheduler.released).toEqual(["job"]);
    expect(scheduler.told("cancelled", 2).flatMap(({ tasks }) => [...tasks])).toEqual([0, 1]);
    expect(scheduler.told("ended", 2)).toHaveLength(1);
  });

  test("is refused while unfinished tasks of other jobs need its results", () => {
    const scheduler = new SchedulerUnderTest();
    const first = scheduler.submit(1, {}, "first");
    scheduler.submit(1, { needs: needsOf([[first, 0]]) }, "second");
    expect(refusal(scheduler.ask({ type: "release", job: first } as never))).toMatchObject({ code: "PE_JOB_NEEDED" });
  });
});

describe("requests", () => {
  test.each([
    ["an unknown job", { type: "seal", job: 9, tasks: 0 }],
    ["an unknown task", { type: "cancel", job: 1, tasks: column(5) }],
    ["an unknown task's story", { type: "story", job: 1, task: 5 }],
  ])("of %s are refused", (_, message) => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(2);
    expect(refusal(scheduler.ask(message as never))).toMatchObject({ code: "PE_JOB_UNKNOWN" });
  });

  test("status names as many of the latest jobs as one message takes, whatever they are called", () => {
    const scheduler = new SchedulerUnderTest();
    for (let job = 0; job < 900; job++) scheduler.open(`${job}${"\u4e00".repeat(250)}`);
    scheduler.ask({ type: "status" });
    const { jobs } = scheduler.told("statusIs")[0]!;
    expect(jobs.length).toBeGreaterThan(400);
    expect(jobs.at(-1)!.job).toBe(900);
  });

  test("find, status and story answer", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.submit(2);
    scheduler.worker();
    expect(scheduler.ask({ type: "find", id: "job" } as never)).toMatchObject([{ job: { tasks: 2, sealed: true } }]);
    expect(scheduler.told("found")).toMatchObject([{ job: { version: "1" }, common: NO_BYTES }]);
    expect(scheduler.ask({ type: "find", id: "none" } as never)).toEqual([
      { type: "found", request: expect.any(Number) },
    ]);
    expect(scheduler.ask({ type: "status" } as never)).toMatchObject([
      { jobs: [{ id: "job" }], workers: [{ name: "w", processing: 2 }] },
    ]);
    expect(scheduler.ask({ type: "story", job: 1, task: 0 } as never)).toMatchObject([
      { lines: [expect.stringContaining("processing, attempt 1")] },
    ]);
  });
});

describe("story", () => {
  test("is told by the key of a task, with the name of its worker and how long ago", () => {
    const scheduler = new SchedulerUnderTest();
    scheduler.worker("a");
    scheduler.append(scheduler.open(), 1, { keys: ["mine"] });
    scheduler.nowMs += 1500;
    const [told] = scheduler.ask({ type: "story", job: 0, task: 0, key: "mine" } as never);
    expect(told).toMatchObject({ lines: ['1.500 s ago: processing, attempt 1, worker "a"'] });
    const unknown = scheduler.ask({ type: "story", job: 1, task: 0, key: "yours" } as never);
    expect(refusal(unknown)).toMatchObject({ code: "PE_JOB_UNKNOWN", message: expect.stringContaining('"yours"') });
  });
});
