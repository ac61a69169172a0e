import { describe, expect, test } from "vitest";
import { WorkerUnderTest } from "../../../support/worker-under-test.ts";

describe("connected", () => {
  test("says who it is, and that it holds nothing", () => {
    const worker = new WorkerUnderTest(2).connect();
    expect(worker.said("register")).toMatchObject([{ name: "w", instance: "w-1", slots: 2, holds: false }]);
    expect(worker.said("held")).toEqual([]);
  });

  test("again names what it holds and repeats reports that were not stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2, 3]);
    worker.end(0, [1]);
    worker.end(0, [], [2]);
    worker.step({ type: "disconnected" });
    worker.effects.length = 0;
    worker.connect(2);
    expect(worker.said("register")).toMatchObject([{ holds: true }]);
    expect(
      worker.said("held").map(({ id, last, ...columns }) => [id, last, ...columns.tasks, ...columns.epochs]),
    ).toEqual([["job-1", true, 1, 2, 3, 1, 1, 1]]);
    expect(worker.said("done").map(({ tasks }) => [...tasks])).toEqual([[1]]);
    expect(worker.said("failed")).toMatchObject([{ task: 2, epoch: 1 }]);
  });

  test("again names tasks of two jobs apart that had the same number in two journals", () => {
    const worker = new WorkerUnderTest(1).connect();
    worker.assign([7, 8]);
    worker.end(0, [7]);
    worker.step({ type: "disconnected" });
    worker.connect(2);
    worker.assign([3], { id: "another" });
    worker.step({ type: "disconnected" });
    worker.effects.length = 0;
    worker.connect(3);
    expect(worker.said("held").map(({ id, tasks, last }) => [id, [...tasks], last])).toEqual([
      ["job-1", [7, 8], false],
      ["another", [3], true],
    ]);
  });

  test("again forgets jobs and inputs that came ahead of nothing", () => {
    const worker = new WorkerUnderTest().connect();
    worker.hear({ type: "job", job: 7, id: "x", kind: "k", version: "1", common: new Uint8Array(0) });
    worker.hear({ type: "inputs", job: 7, ...worker.inputs([0], [[1]]) });
    worker.step({ type: "disconnected" });
    worker.connect();
    expect([worker.core.state.jobs.size, worker.core.state.inputs.size]).toEqual([0, 0]);
  });
});

describe("disconnected", () => {
  test("goes on with what it has, and says nothing", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    worker.step({ type: "disconnected" });
    worker.effects.length = 0;
    worker.end(0, [1]);
    expect(worker.hands).toEqual({ 1: "done", 2: "frame" });
    expect(worker.did("send")).toEqual([]);
  });
});

describe("assign", () => {
  test("gives each slot a frame; tasks of unknown length go one at a time", () => {
    const worker = new WorkerUnderTest(2).connect();
    worker.assign([1, 2, 3]);
    expect(worker.did("run").map(({ slot, tasks }) => [slot, ...tasks.map(({ task }) => task)])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(worker.hands).toEqual({ 1: "frame", 2: "frame", 3: "line" });
  });

  test("makes frames of twenty milliseconds of short tasks", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([0]);
    worker.end(0, [0], [], 1, 500);
    worker.assign(Array.from({ length: 50 }, (_, task) => task + 1));
    expect(worker.did("run").map(({ tasks }) => tasks.length)).toEqual([1, 40, 10]);
  });

  test("gives a slot its next frames before the one it has ends, as long as it has less than forty milliseconds", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([0]);
    worker.end(0, [0], [], 1, 12_000);
    worker.assign([1, 2, 3, 4, 5, 6]);
    expect(worker.running.get(0)).toEqual([1, 2, 3, 4]);
    expect(worker.hands).toMatchObject({ 4: "frame", 5: "line", 6: "line" });
    worker.end(0, [1], [], 1, 12_000);
    expect(worker.running.get(0)).toEqual([2, 3, 4, 5]);
  });

  test("gives idle slots frames before those that are busy", () => {
    const worker = new WorkerUnderTest(2).connect();
    worker.assign([0]);
    worker.end(0, [0], [], 1, 12_000);
    worker.assign([1]);
    worker.assign([2]);
    expect([worker.running.get(0), worker.running.get(1)]).toEqual([[1], [2]]);
    worker.assign([3, 4, 5]);
    expect([worker.running.get(0), worker.running.get(1)]).toEqual([
      [1, 3, 5],
      [2, 4],
    ]);
  });

  test("of long tasks leaves what comes next in the line, where it can be given back", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([0]);
    worker.end(0, [0], [], 1, 40_000);
    worker.assign([1, 2]);
    expect(worker.hands).toMatchObject({ 1: "frame", 2: "line" });
  });

  test("gives a task the inputs that came for this attempt, and none that came for another", () => {
    const worker = new WorkerUnderTest().connect();
    worker.hear({ type: "inputs", job: 1, ...worker.inputs([1], [[7]], 1) });
    worker.hear({ type: "inputs", job: 1, ...worker.inputs([1], [[8]], 2) });
    worker.assign([1], { attempt: 2 });
    expect(worker.did("run")[0]!.tasks[0]!.inputs.map((input) => [...(input as Uint8Array)])).toEqual([[8]]);
  });

  test("gives each task its own inputs, also those that came in several messages", () => {
    const worker = new WorkerUnderTest(3).connect();
    worker.hear({ type: "inputs", job: 1, ...worker.inputs([1, 2], [[7, 8], [9]]) });
    worker.hear({ type: "inputs", job: 1, ...worker.inputs([2, 3], [[10], []]) });
    worker.assign([1, 2, 3]);
    const given = worker
      .did("run")
      .flatMap(({ tasks }) => tasks.map(({ inputs }) => inputs.map((input) => [...(input as Uint8Array)])));
    expect(given).toEqual([[[7], [8]], [[9], [10]], []]);
  });

  test("of a task that it still has replaces the older hand-out", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.assign([1], { attempt: 2 });
    expect(worker.hands).toEqual({ 1: "line" });
    worker.end(0, [1]);
    expect(worker.said("done")).toEqual([]);
    worker.end(0, [1], [], 2);
    expect(worker.said("done")).toMatchObject([{ attempts: Uint32Array.of(2) }]);
  });

  test("before its job breaks an invariant", () => {
    const worker = new WorkerUnderTest().connect();
    const message = {
      type: "assign",
      timeoutMs: 0,
      ...worker.columns([1]),
      ends: Uint32Array.of(0),
      parameters: new Uint8Array(0),
    };
    expect(() => worker.step({ type: "said", message: message as never })).toThrow("before the job");
  });
});

describe("stored", () => {
  test("lets go of a report, of this attempt only", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.end(0, [1]);
    worker.hear({ type: "stored", ...worker.columns([1], 1, 2) });
    expect(worker.hands).toEqual({ 1: "done" });
    worker.hear({ type: "stored", ...worker.columns([1]) });
    expect(worker.hands).toEqual({});
  });
});

describe("retract", () => {
  test("gives back what waits, the last first, and answers when there is nothing", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2, 3, 4]);
    worker.hear({ type: "retract", count: 2 });
    worker.hear({ type: "retract", count: 9 });
    worker.hear({ type: "retract", count: 9 });
    expect(worker.said("returned").map(({ tasks }) => [...tasks])).toEqual([[3, 4], [2], []]);
    expect(worker.hands).toEqual({ 1: "frame" });
  });
});

describe("drop", () => {
  test("of what waits forgets it; of what has ended, too", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2, 3]);
    worker.end(0, [1]);
    worker.hear({ type: "drop", ...worker.columns([1, 3]) });
    expect(worker.hands).toEqual({ 2: "frame" });
    expect(worker.core.state.line).toEqual([]);
  });

  test("of what runs ends its thread after a second, without a report", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    worker.hear({ type: "drop", ...worker.columns([1]) });
    worker.tick(1000);
    expect(worker.did("kill")).toEqual([]);
    worker.tick(500);
    expect(worker.did("kill")).toMatchObject([{ slot: 0, reason: "it was cancelled" }]);
    worker.die(0);
    expect(worker.said("failed")).toEqual([]);
    expect(worker.running.get(0)).toEqual([2]);
  });

  test("of another attempt changes nothing", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.hear({ type: "drop", ...worker.columns([1], 1, 2) });
    expect(worker.hands).toEqual({ 1: "frame" });
  });
});

describe("ended", () => {
  test("reports results and failures, and goes on with the line", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    worker.end(0, [1]);
    expect(worker.said("done").map(({ tasks, results, took }) => [[...tasks], [...results], [...took]])).toEqual([
      [[1], [1], [1_000_000]],
    ]);
    expect(worker.running.get(0)).toEqual([2]);
  });

  test("of a computed task whose part is being stored frees the slot, and is reported when that is done", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    worker.store(0, 1);
    expect(worker.hands).toEqual({ 1: "storing", 2: "frame" });
    expect(worker.said("done")).toEqual([]);
    worker.end(0, [1]);
    expect(worker.said("done").map(({ tasks }) => [...tasks])).toEqual([[1]]);
    expect(worker.running.get(0)).toEqual([2]);
  });

  test("of a part that was stored when nobody wanted it any more says nothing", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.store(0, 1);
    worker.hear({ type: "drop", ...worker.columns([1]) });
    worker.assign([1], { attempt: 2 });
    worker.end(0, [1]);
    expect(worker.said("done")).toEqual([]);
    expect(worker.hands).toEqual({ 1: "frame" });
  });

  test("after the job was forgotten leaves nothing behind", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.hear({ type: "drop", ...worker.columns([1]) });
    worker.hear({ type: "forget", job: 1 });
    worker.end(0, [1]);
    const { hands, jobs, tookUs } = worker.core.state;
    expect([hands.size, jobs.size, tookUs.size]).toEqual([0, 0, 0]);
  });
});

describe("thread-up", () => {
  test("is when time limits begin to count: what its start takes is not its first task's", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1], { timeoutMs: 1000 });
    worker.tick(900);
    worker.step({ type: "thread-up", slot: 0 });
    worker.tick(900);
    expect(worker.did("kill")).toEqual([]);
    worker.tick(200);
    expect(worker.did("kill")).toMatchObject([{ slot: 0 }]);
  });

  test("may never come: such a thread is ended, too", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1], { timeoutMs: 1000 });
    worker.tick(1100);
    expect(worker.did("kill")).toMatchObject([{ slot: 0 }]);
  });
});

describe("thread-died", () => {
  test("blames the task that ran; those behind it run next", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([0]);
    worker.end(0, [0], [], 1, 1000);
    worker.assign([1, 2, 3]);
    expect(worker.running.get(0)).toEqual([1, 2, 3]);
    worker.die(0);
    expect(worker.said("failed")).toMatchObject([
      { task: 1, died: true, message: expect.stringContaining("out of memory") },
    ]);
    expect(worker.running.get(0)).toEqual([2, 3]);
  });

  test("blames no task whose part is being stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    worker.store(0, 1);
    worker.die(0);
    expect(worker.said("failed")).toMatchObject([{ task: 2, died: true }]);
    expect(worker.hands).toEqual({ 1: "storing", 2: "failed" });
  });

  test("of a thread that was idle blames nobody", () => {
    const worker = new WorkerUnderTest().connect();
    worker.die(0);
    expect(worker.said("failed")).toEqual([]);
  });

  test("after a time limit is the task's own failure", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1], { timeoutMs: 1000 });
    worker.tick(1500);
    expect(worker.did("kill")).toMatchObject([{ slot: 0 }]);
    worker.die(0);
    expect(worker.said("failed")).toMatchObject([{ code: "PE_TIMEOUT", died: false }]);
  });

  test("after a time limit that its task just met blames not the next one", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([0]);
    worker.end(0, [0], [], 1, 1000);
    worker.assign([1, 2], { timeoutMs: 1000 });
    worker.tick(1500);
    expect(worker.did("kill")).toHaveLength(1);
    worker.end(0, [1]);
    worker.die(0);
    expect(worker.said("failed")).toEqual([]);
    expect(worker.running.get(0)).toEqual([2]);
  });
});

describe("tick", () => {
  test("says what is held, reports too, until they are stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2, 3]);
    worker.end(0, [1]);
    worker.tick(500);
    expect([...worker.said("heartbeat").at(-1)!.tasks]).toEqual([1, 2, 3]);
  });

  test("after a stop of the process itself counts no time against tasks or the scheduler", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1], { timeoutMs: 3000 });
    worker.tick(500);
    worker.nowMs += 600_000;
    worker.step({ type: "tick" });
    expect(worker.did("kill")).toEqual([]);
    expect(worker.did("disconnect")).toEqual([]);
  });

  test("gives a scheduler up that is silent for more than 5.5 s", () => {
    const worker = new WorkerUnderTest().connect();
    worker.tick(5500);
    expect(worker.did("disconnect")).toEqual([]);
    worker.tick(500);
    expect(worker.did("disconnect")).toHaveLength(1);
    worker.tick(500);
    expect(worker.did("disconnect")).toHaveLength(1);
  });
});

describe("drain", () => {
  test("gives back what waits, ends what runs, and leaves when that is stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    worker.step({ type: "drain" });
    expect(worker.said("leaving")).toHaveLength(1);
    expect(worker.said("returned").map(({ tasks }) => [...tasks])).toEqual([[2]]);
    worker.end(0, [1]);
    expect(worker.did("left")).toEqual([]);
    worker.hear({ type: "stored", ...worker.columns([1]) });
    expect(worker.did("left")).toHaveLength(1);
  });

  test("waits for parts that are being stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.store(0, 1);
    worker.step({ type: "drain" });
    expect(worker.did("left")).toEqual([]);
    worker.end(0, [1]);
    worker.hear({ type: "stored", ...worker.columns([1]) });
    expect(worker.did("left")).toHaveLength(1);
  });

  test("gives back what is handed out later", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.step({ type: "drain" });
    worker.assign([2]);
    expect(worker.said("returned").map(({ tasks }) => [...tasks])).toEqual([[2]]);
  });

  test("is said again on a new connection", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.step({ type: "drain" });
    worker.step({ type: "disconnected" });
    worker.connect();
    expect(worker.said("leaving")).toHaveLength(2);
  });
});

describe("hand-back", () => {
  test("gives back what runs and what is being stored, not what has a report, and leaves when that is stored", () => {
    const worker = new WorkerUnderTest(3).connect();
    worker.assign([1, 2, 3, 4]);
    worker.store(0, 1);
    worker.end(1, [2]);
    worker.step({ type: "hand-back" });
    expect(worker.said("leaving")).toHaveLength(1);
    expect(
      worker
        .said("returned")
        .flatMap(({ tasks }) => [...tasks])
        .toSorted((a, b) => a - b),
    ).toEqual([1, 3, 4]);
    expect(worker.hands).toEqual({ 2: "done" });
    expect(worker.did("left")).toEqual([]);
    worker.hear({ type: "stored", ...worker.columns([2]) });
    expect(worker.did("left")).toHaveLength(1);
  });

  test("after drain says nothing twice, and no later report or death of a thread", () => {
    const worker = new WorkerUnderTest(2).connect();
    worker.assign([1, 2, 3]);
    worker.step({ type: "drain" });
    worker.step({ type: "hand-back" });
    worker.effects.length = 0;
    worker.end(0, [1]);
    worker.die(1);
    expect(worker.did("send")).toEqual([]);
  });

  test("while the scheduler is away is told by what the worker still has when it is back", () => {
    const worker = new WorkerUnderTest(2).connect();
    worker.assign([1, 2]);
    worker.end(0, [1]);
    worker.step({ type: "disconnected" });
    worker.step({ type: "hand-back" });
    worker.effects.length = 0;
    worker.connect();
    expect(worker.said("held").flatMap(({ tasks }) => [...tasks])).toEqual([1]);
    expect(worker.said("leaving")).toHaveLength(1);
  });
});

describe("ended", () => {
  test("with an error that concerns the job says so", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.end(0, [], [1], 1, 0, { endsJob: true, code: "PE_INPUT_UNREACHABLE" });
    expect(worker.said("failed")).toMatchObject([{ endsJob: true, code: "PE_INPUT_UNREACHABLE" }]);
  });

  test("with an error of any text and length is told as far as a message takes it", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.end(0, [], [1], 1, 0, { message: `\ufeff\ud800${"x".repeat(20_000)}`, code: "c".repeat(80) });
    const [failed] = worker.said("failed");
    expect([failed!.message.length, failed!.code.length]).toEqual([16_384, 64]);
  });
});

describe("memory", () => {
  test("short is said at once", () => {
    const worker = new WorkerUnderTest().connect();
    worker.step({ type: "memory", rssBytes: 5, paused: true });
    expect(worker.said("heartbeat")).toMatchObject([{ paused: true, rssBytes: 5 }]);
  });
});

describe("refuse", () => {
  const taken = { type: "refuse", code: "PE_NAME_TAKEN", message: "no" } as const;

  test("ends the worker, saying why", () => {
    const worker = new WorkerUnderTest().connect();
    worker.hear({ type: "refuse", code: "PE_VERSION", message: "old" });
    expect(worker.did("refused")).toMatchObject([{ code: "PE_VERSION", message: "old" }]);
  });

  test("of its name is tried again for ten seconds, because it may be its own last connection", () => {
    const worker = new WorkerUnderTest();
    worker.step({ type: "connected" });
    worker.hear(taken);
    worker.nowMs = 9000;
    worker.hear(taken);
    expect(worker.did("refused")).toEqual([]);
    worker.nowMs = 11_000;
    worker.hear(taken);
    expect(worker.did("refused")).toHaveLength(1);
  });
});
