import { describe, expect, test } from "vitest";
import { WorkerUnderTest } from "../../../support/worker-under-test.ts";

const BYTES = 1000;
const SOURCES = [{ worker: "other" }];

/** Hands out task 9 of job 1, which needs these tasks of job "job-1" as values. */
function assignNeedy(worker: WorkerUnderTest, needs: readonly number[], task = 9, attempt = 1): void {
  worker.hear({
    type: "values",
    job: 1,
    task,
    attempt,
    places: Uint32Array.from(needs.keys()),
    values: needs.map((need) => ({ id: "job-1", task: need, bytes: BYTES, sources: SOURCES })),
  });
  worker.assign([task], { attempt });
}

function here(worker: WorkerUnderTest, task: number): void {
  worker.step({ type: "value-here", name: { id: "job-1", task } });
}

/** Task `task` of slot 0 ends with a value. */
function endWithValue(worker: WorkerUnderTest, task: number, { attempt = 1, bytes = BYTES } = {}): void {
  worker.running.delete(0);
  worker.step({
    type: "ended",
    slot: 0,
    done: [
      {
        job: 1,
        task,
        epoch: 1,
        attempt,
        tookUs: 1e6,
        result: new Uint8Array(0),
        held: { id: "job-1", bytes },
      },
    ],
    failed: [],
    storing: [],
  });
}

function stored(worker: WorkerUnderTest, task: number): void {
  worker.hear({ type: "stored", ...worker.columns([task]) });
}

function held(worker: WorkerUnderTest): Record<number, string> {
  return Object.fromEntries([...worker.core.state.values.values()].map(({ task, state }) => [task, state]));
}

describe("a hand-out that needs values", () => {
  test("begins when all of them are there, with each in its place", () => {
    const worker = new WorkerUnderTest().connect();
    worker.hear({ type: "inputs", job: 1, ...worker.inputs([9], [[7]]) });
    worker.hear({
      type: "values",
      job: 1,
      task: 9,
      attempt: 1,
      places: Uint32Array.of(0, 2),
      values: [1, 2].map((task) => ({ id: "job-1", task, bytes: BYTES, sources: SOURCES })),
    });
    worker.assign([9]);
    expect(worker.did("fetch-value").map(({ name: { task }, sources }) => [task, sources])).toEqual([
      [1, SOURCES],
      [2, SOURCES],
    ]);
    here(worker, 2);
    expect(worker.hands).toEqual({ 9: "fetching" });
    here(worker, 1);
    expect(worker.hands).toEqual({ 9: "frame" });
    expect(worker.did("run")[0]!.tasks[0]!.inputs).toEqual([
      { id: "job-1", task: 1 },
      new Uint8Array([7]),
      { id: "job-1", task: 2 },
    ]);
  });

  test("fetches what another waits for only once, and offers it to others", () => {
    const worker = new WorkerUnderTest(2).connect();
    assignNeedy(worker, [1], 8);
    assignNeedy(worker, [1], 9);
    expect(worker.did("fetch-value")).toHaveLength(1);
    here(worker, 1);
    expect(worker.hands).toEqual({ 8: "frame", 9: "frame" });
    expect(worker.said("have")).toMatchObject([
      { id: "job-1", tasks: Uint32Array.of(1), sizes: Uint32Array.of(BYTES) },
    ]);
  });

  test("is given back when one cannot be had, with those that said that they do not have it", () => {
    const worker = new WorkerUnderTest().connect();
    assignNeedy(worker, [1, 2]);
    worker.step({ type: "value-missing", name: { id: "job-1", task: 1 }, gone: ["other"] });
    expect(worker.said("starved")).toMatchObject([
      { job: 1, task: 9, attempt: 1, id: "job-1", value: 1, gone: ["w", "other"] },
    ]);
    expect(worker.hands).toEqual({});
    expect(worker.core.state.values.get("2/job-1")!.users.size).toBe(0);
  });

  test("is returned before what waits in line when work is asked back", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1, 2]);
    assignNeedy(worker, [5]);
    worker.hear({ type: "retract", count: 1 });
    expect(worker.said("returned").map(({ tasks }) => [...tasks])).toEqual([[9]]);
  });

  test("that is replaced leaves its values to the next", () => {
    const worker = new WorkerUnderTest().connect();
    assignNeedy(worker, [1]);
    assignNeedy(worker, [1], 9, 2);
    here(worker, 1);
    expect(worker.did("run").flatMap(({ tasks }) => tasks.map(({ attempt }) => attempt))).toEqual([2]);
  });
});

describe("a value that was computed here", () => {
  test("is reported by its size, and stays when the report is stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    expect(worker.said("done")).toMatchObject([{ sizes: Uint32Array.of(BYTES), results: new Uint8Array(0) }]);
    stored(worker, 1);
    expect(held(worker)).toEqual({ 1: "here" });
  });

  test("is announced on a new connection, but not before its report is stored", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    worker.step({ type: "disconnected" });
    worker.connect(2);
    expect(worker.said("holds")).toEqual([]);
    stored(worker, 1);
    worker.step({ type: "disconnected" });
    worker.connect(3);
    expect(worker.said("holds")).toMatchObject([{ id: "job-1", tasks: Uint32Array.of(1) }]);
    expect(worker.said("held").at(-1)).toMatchObject({ last: true });
  });

  test("is forgotten with a report that nobody wants, and that is said", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    worker.hear({ type: "drop", ...worker.columns([1]) });
    expect(worker.did("free-value")).toMatchObject([{ name: { id: "job-1", task: 1 } }]);
    expect(worker.said("lost")).toMatchObject([{ id: "job-1", tasks: Uint32Array.of(1) }]);
  });

  test("is not kept when its task was dropped before it ended", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    worker.hear({ type: "drop", ...worker.columns([1]) });
    endWithValue(worker, 1);
    expect(worker.did("hold-value")).toEqual([]);
    expect(held(worker)).toEqual({});
  });

  test("of an attempt that counts takes the place of one that an earlier attempt made, and differs", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    worker.assign([1], { attempt: 2 });
    endWithValue(worker, 1, { attempt: 2, bytes: 2 * BYTES });
    const effects = worker.effects.map(({ type }) => type).filter((type) => type.endsWith("-value"));
    expect(effects).toEqual(["hold-value", "free-value", "hold-value"]);
    expect(worker.core.state.hereBytes).toBe(2 * BYTES);
    expect(worker.said("done").at(-1)).toMatchObject({ sizes: Uint32Array.of(2 * BYTES) });
  });

  test("is had at once by hand-outs that wait for a copy", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    assignNeedy(worker, [1]);
    endWithValue(worker, 1);
    expect(worker.hands).toEqual({ 1: "done", 9: "frame" });
  });
});

describe("free", () => {
  test("forgets a value at once, or when the last task that uses it has ended", () => {
    const worker = new WorkerUnderTest().connect();
    assignNeedy(worker, [1]);
    here(worker, 1);
    worker.hear({ type: "free", id: "job-1", tasks: Uint32Array.of(1, 2) });
    expect(worker.did("free-value")).toEqual([]);
    worker.end(0, [9]);
    expect(worker.did("free-value")).toMatchObject([{ name: { task: 1 } }]);
  });
});

describe("too much in memory", () => {
  function laden(): WorkerUnderTest {
    const worker = new WorkerUnderTest(1, 2.5 * BYTES).connect();
    for (const task of [1, 2]) {
      worker.assign([task]);
      endWithValue(worker, task);
    }
    return worker;
  }

  test("drops copies first, and says so", () => {
    const worker = new WorkerUnderTest(1, 2.5 * BYTES).connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    assignNeedy(worker, [2], 8);
    here(worker, 2);
    worker.end(0, [8]);
    assignNeedy(worker, [3], 9);
    here(worker, 3);
    expect(worker.did("free-value")).toMatchObject([{ name: { task: 2 } }]);
    expect(worker.said("lost")).toMatchObject([{ tasks: Uint32Array.of(2) }]);
    expect(held(worker)).toEqual({ 1: "here", 3: "here" });
  });

  test("moves what was used longest ago to the disk", () => {
    const worker = laden();
    worker.assign([3]);
    endWithValue(worker, 3);
    expect(worker.did("spill-value")).toMatchObject([{ name: { task: 1 } }]);
    worker.step({ type: "value-spilled", name: { id: "job-1", task: 1 } });
    expect(held(worker)).toEqual({ 1: "spilled", 2: "here", 3: "here" });
  });

  test("reads a value back before a task that needs it begins", () => {
    const worker = laden();
    worker.assign([3]);
    endWithValue(worker, 3);
    assignNeedy(worker, [1]);
    expect(worker.hands[9]).toBe("fetching");
    worker.step({ type: "value-spilled", name: { id: "job-1", task: 1 } });
    expect(worker.did("fetch-value")).toMatchObject([{ name: { task: 1 }, sources: [] }]);
    here(worker, 1);
    expect(worker.hands[9]).toBe("frame");
  });

  test("leaves in memory what the disk does not take", () => {
    const worker = laden();
    worker.assign([3]);
    endWithValue(worker, 3);
    worker.step({ type: "value-not-spilled", name: { id: "job-1", task: 1 } });
    expect(held(worker)[1]).toBe("here");
  });

  test("tells when the disk has lost a value", () => {
    const worker = laden();
    worker.assign([3]);
    endWithValue(worker, 3);
    worker.step({ type: "value-spilled", name: { id: "job-1", task: 1 } });
    assignNeedy(worker, [1]);
    worker.step({ type: "value-missing", name: { id: "job-1", task: 1 }, gone: [] });
    expect(worker.said("lost")).toMatchObject([{ tasks: Uint32Array.of(1) }]);
    expect(worker.said("starved")).toHaveLength(1);
  });

  test("moves more when memory is short altogether", () => {
    const worker = laden();
    worker.step({ type: "memory", rssBytes: 1e9, paused: true });
    expect(worker.did("spill-value").map(({ name: { task } }) => task)).toEqual([1, 2]);
  });
});

describe("a worker that leaves", () => {
  test("stays until its values are freed, but not for ever", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    stored(worker, 1);
    worker.step({ type: "drain" });
    expect(worker.did("left")).toEqual([]);
    worker.hear({ type: "free", id: "job-1", tasks: Uint32Array.of(1) });
    expect(worker.did("left")).toHaveLength(1);
  });

  test("goes when nobody fetches them", () => {
    const worker = new WorkerUnderTest().connect();
    worker.assign([1]);
    endWithValue(worker, 1);
    stored(worker, 1);
    worker.step({ type: "drain" });
    for (let seconds = 0; seconds < 31; seconds++) {
      worker.tick(1000);
      worker.hear({ type: "alive" });
    }
    expect(worker.did("left")).toHaveLength(1);
  });
});
