/** The pool and its threads, as built: what becomes of results, errors, parts and threads. */
import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { PeError } from "../../common/errors.ts";
import { readPart } from "../../data/part-folder.ts";
import { layOut } from "../../protocol/large-values.ts";
import { encodeValue } from "../../protocol/values.ts";
import { storeFailureOf } from "../../worker/failure.ts";
import type { Lane } from "../../worker/threads/lane.ts";
import { TEST_KINDS } from "../support/built.ts";
import { testFolder } from "../support/folders.ts";
import { until } from "../support/journal.ts";
import { frameOf, openPool, runFrame } from "../support/pool.ts";

const tags = (count: number): { tag: number }[] => Array.from({ length: count }, (_, tag) => ({ tag }));

describe("a frame", () => {
  test("tells the result of each task, in few calls where they are quick", async () => {
    const pool = await openPool();
    const { end, results, calls } = await runFrame(pool, { kind: "noop", parameters: tags(256) });
    expect(end).toEqual({ type: "ended" });
    expect([...results]).toEqual(tags(256).map(({ tag }) => [tag, tag]));
    expect(calls).toBeLessThan(64);
  });

  test("gives a task the common part of its job, its index, and nothing for no parameters", async () => {
    const pool = await openPool();
    const parameters = [{ a: 1 }, new Uint8Array(0)];
    const { results } = await runFrame(pool, { kind: "echo", parameters, common: { of: "all" } });
    expect([...results.values()]).toEqual([
      { parameters: { a: 1 }, common: { of: "all" }, index: 0 },
      { parameters: undefined, common: { of: "all" }, index: 1 },
    ]);
  });

  test("puts results that a task needs in their places", async () => {
    const pool = await openPool();
    const needs = [{}, {}];
    const placeOf = (object: object): number | undefined => {
      const place = needs.indexOf(object);
      return place === -1 ? undefined : place;
    };
    const parameters = [encodeValue({ numbers: [1, ...needs] }, placeOf), encodeValue({ numbers: [5] })];
    const { results } = await runFrame(pool, { kind: "add", parameters, inputs: [[20, 300], []] });
    expect([...results.values()]).toEqual([321, 5]);
  });

  test("tells results of any size, those that are too large for a report as blobs", async () => {
    const pool = await openPool();
    const sizes = [0, 100, 8000, 20_000, 60_000, 65_530, 70_000, 10];
    const { results, blobs } = await runFrame(pool, {
      kind: "big",
      parameters: [...sizes, ...Array.from({ length: 100 }, () => 8000)].map((bytes) => ({ bytes })),
    });
    expect([...results.keys()]).toEqual(Array.from({ length: 108 }, (_, task) => task));
    expect([...results.values()].slice(0, 8).map((bytes) => (bytes as Uint8Array).byteLength)).toEqual(sizes);
    expect([...blobs.keys()]).toEqual([6]);
  });

  test("gives a large result to tasks as it lies, decoded for each of them", async () => {
    const pool = await openPool({ threads: 2 });
    const made = await runFrame(pool, { kind: "array", parameters: [{ make: 100_000, note: "made" }] });
    const [blob] = made.blobs.values();
    expect(blob!.byteLength).toBeGreaterThan(800_000);
    const placeOf = (object: object) => ("need" in object ? Number(object.need) : undefined);
    const [first, second] = [{ need: 0 }, { need: 1 }];
    const { results } = await runFrame(pool, {
      kind: "array",
      parameters: [{ sum: first }, { sum: second, and: [first] }, { make: 2 }, { sum: first }].map((value) =>
        encodeValue(value, placeOf),
      ),
      inputs: [[blob], ["small", blob], [], [blob]],
    });
    const sum = (100_000 * 99_999) / 2;
    expect([...results.values()]).toEqual([
      { sum, note: "made", isShared: true },
      { sum, note: "made", isShared: true, and: ["small"] },
      { numbers: Float64Array.of(0, 1), note: undefined },
      // The task before has written into its copy of the note.
      { sum, note: "made", isShared: true },
    ]);
  });

  test("fails a task whose result is larger than a value may be, or that cannot be read, and goes on", async () => {
    const { results, failures } = await runFrame(await openPool(), {
      kind: "array",
      parameters: [
        { zeros: 2 ** 31 },
        encodeValue({ sum: { need: 0 } }, (object) => ("need" in object ? 0 : undefined)),
        { make: 1 },
      ],
      inputs: [[], [new SharedArrayBuffer(100_000)]],
    });
    expect(failures.get(0)).toMatchObject({ code: "PE_LIMIT", message: expect.stringContaining("divide it") });
    expect(failures.get(1)).toMatchObject({ code: "PE_PROTOCOL" });
    expect(results.size).toBe(1);
  });

  test("tells an error with its code, its text and the stack of its thread, and goes on", async () => {
    const pool = await openPool();
    const { results, failures, end } = await runFrame(pool, {
      kind: "fail",
      parameters: [
        { message: "no luck" },
        { how: "code", code: "PE_INPUT_CHANGED", message: "it changed" },
        { how: "odd" },
        { how: "text", message: "just text" },
        { how: "code", code: "PE_INPUT_UNREACHABLE", message: "not here" },
        { how: "code", code: "PE_CONNECTION", message: "not now" },
      ],
    });
    expect([end.type, results.size]).toEqual(["ended", 0]);
    expect(failures.get(0)).toMatchObject({ code: "PE_TASK_FAILED", blameless: false, endsJob: false });
    expect(failures.get(0)!.message).toBe("Task 0 of kind fail failed: no luck");
    expect(failures.get(0)!.stack).toMatch(/fail\.js[\s\S]*caused by Error: the cause of it/);
    expect(failures.get(1)).toMatchObject({ code: "PE_INPUT_CHANGED", message: "it changed" });
    expect(failures.get(2)!.message).toContain("something without a text");
    expect(failures.get(3)!.message).toContain("just text");
    expect(failures.get(4)).toMatchObject({ endsJob: true, blameless: false });
    expect(failures.get(5)).toMatchObject({ endsJob: false, blameless: true });
  });

  test("refuses parameters that do not fit, by the kind's schema", async () => {
    const { failures } = await runFrame(await openPool(), { kind: "add", parameters: [{ numbers: ["one"] }] });
    expect(failures.get(0)).toMatchObject({
      code: "PE_PARAMETER",
      message: "Cannot read the parameters of a add task: numbers.0: expected a number",
    });
  });

  test("tells what finished before the thread died under a later task, and leaves the rest untold", async () => {
    const pool = await openPool();
    for (const how of ["exit", "throw"]) {
      const parameters = [
        { dies: false, tag: "a" },
        { dies: false, tag: "b" },
        { how },
        { dies: false },
        { dies: false },
      ];
      const { end, results, failures } = await runFrame(pool, { kind: "die", parameters });
      expect(end).toMatchObject({ type: "died", reason: expect.stringMatching(/exit|nobody catches this/) });
      expect([...results]).toEqual([
        [0, "a"],
        [1, "b"],
      ]);
      expect(failures.size).toBe(0);
    }
    expect((await runFrame(pool, { kind: "noop", parameters: tags(1) })).results.get(0)).toBe(0);
  });

  test("contains a heap that overflows", async () => {
    const pool = await openPool({ heapBytesMax: 64 * 2 ** 20 });
    const { end } = await runFrame(pool, { kind: "exhaust", parameters: [{}] });
    expect(end).toMatchObject({ type: "died", reason: expect.stringContaining("memory") });
    expect((await runFrame(pool, { kind: "noop", parameters: tags(1) })).end.type).toBe("ended");
  });

  test("tells quick tasks while a long one still runs behind them", async () => {
    const pool = await openPool();
    const abort = new AbortController();
    const parameters = [{ hangs: false, tag: 0 }, { hangs: false, tag: 1 }, {}];
    let told = 0;
    const running = runFrame(pool, {
      kind: "hang",
      parameters,
      signal: abort.signal,
      onEnded: ({ done }) => {
        told += done.length;
        // Only the end of the endless task could tell them otherwise, and it has none.
        if (told === 2) abort.abort("enough");
      },
    });
    const { end, results } = await running;
    expect([...results.keys()]).toEqual([0, 1]);
    expect(end).toEqual({ type: "died", reason: "enough" });
  });

  test("does not run a kind whose file was changed since it was listed", async () => {
    const folder = await testFolder();
    await copyFile(join(TEST_KINDS, "die.js"), join(folder, "die.js"));
    const pool = await openPool({ kinds: [folder] });
    expect((await runFrame(pool, { kind: "die", parameters: [{ dies: false, tag: 1 }] })).results.get(0)).toBe(1);
    const text = 'export default () => ({ name: "die", version: "1", run: () => "other" });';
    await writeFile(join(folder, "die.js"), text);
    // A new thread reads the new file.
    await runFrame(pool, { kind: "die", parameters: [{}] });
    const { failures } = await runFrame(pool, { kind: "die", parameters: [{ dies: false }] });
    expect(failures.get(0)).toMatchObject({ code: "PE_KIND", message: expect.stringContaining("restart the worker") });
  });

  test("refuses a kind that it does not know", async () => {
    const { failures } = await runFrame(await openPool(), { kind: "nothing", parameters: [{}] });
    expect(failures.get(0)).toMatchObject({ code: "PE_KIND", endsJob: true });
  });
});

describe("context.storePart()", () => {
  test("makes a part durable before its task is told", async () => {
    const folder = await testFolder();
    const parts = pathToFileURL(folder).href;
    const seen: Promise<Uint8Array | undefined>[] = [];
    const { results } = await runFrame(await openPool(), {
      kind: "big",
      parts,
      parameters: [{ part: "one", partBytes: 1000 }, {}, { part: "two", partBytes: 0 }],
      onEnded: ({ done }) => {
        for (const { task } of done) if (task === 0) seen.push(readPart(folder, "one"));
      },
    });
    expect(results.size).toBe(3);
    expect(new Uint8Array((await seen[0])!)).toEqual(new Uint8Array(1000).fill(7));
    expect((await readdir(folder)).toSorted()).toEqual(["one", "two"]);
    const again = await runFrame(await openPool(), { kind: "big", parts, parameters: [{ part: "one", find: true }] });
    expect(again.results.get(0)).toBe("found");
  });

  test("makes it durable before a large result is told, too", async () => {
    const folder = await testFolder();
    const seen: Promise<Uint8Array | undefined>[] = [];
    const { results, blobs } = await runFrame(await openPool(), {
      kind: "big",
      parts: pathToFileURL(folder).href,
      parameters: [{ part: "one", partBytes: 1000, bytes: 300_000 }],
      onEnded: ({ done }) => {
        if (done.length > 0) seen.push(readPart(folder, "one"));
      },
    });
    expect(results.get(0)).toEqual(new Uint8Array(300_000).fill(1));
    expect([blobs.size, (await seen[0])!.byteLength]).toEqual([1, 1000]);
  });

  test("fails a task whose host has no such folder for the whole job", async () => {
    const parts = pathToFileURL(join(await testFolder(), "missing")).href;
    const { failures } = await runFrame(await openPool(), {
      kind: "big",
      parts,
      parameters: [{ part: "one", partBytes: 1 }],
    });
    expect(failures.get(0)).toMatchObject({ code: "PE_PARTS_UNREACHABLE", endsJob: true, blameless: false });
  });

  test("tells a store that refuses for good from one that may take it later", () => {
    const refuses = storeFailureOf(new PeError("PE_OUTPUT_UNWRITABLE", "read-only"));
    expect(refuses).toMatchObject({ endsJob: true, blameless: false });
    for (const error of [new PeError("PE_DISK_FULL", "full"), new PeError("PE_CONNECTION", "gone"), new Error("EIO")])
      expect(storeFailureOf(error)).toMatchObject({ endsJob: false, blameless: true });
  });

  test("refuses names that are paths, and jobs without a store", async () => {
    const pool = await openPool();
    const parts = pathToFileURL(await testFolder()).href;
    const bad = await runFrame(pool, { kind: "big", parts, parameters: [{ part: "../x" }] });
    expect(bad.failures.get(0)).toMatchObject({ code: "PE_PARAMETER", message: expect.stringContaining("../x") });
    const none = await runFrame(pool, { kind: "big", parameters: [{ part: "x" }] });
    expect(none.failures.get(0)!.message).toContain("without a store");
  });
});

describe("context.input()", () => {
  test("of a folder that this host has not ends the job, of a file that is missing only its task", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "here"), "x");
    const pool = await openPool();
    const parameters = [join(folder, "nowhere"), folder].map((root) => ({
      file: { name: "a/b.hdf5", path: join(root, "a/b.hdf5"), bytes: 1, modifiedMs: 1 },
    }));
    const { failures } = await runFrame(pool, { kind: "reader", parameters });
    expect(failures.get(0)).toMatchObject({ code: "PE_INPUT_UNREACHABLE", endsJob: true });
    expect(failures.get(1)).toMatchObject({ code: "PE_SHARD_UNREADABLE", endsJob: false });
  });
});

describe("pool.letGo()", () => {
  const BYTES = 64 * 2 ** 20;
  const memoryOfArrays = (): number => process.memoryUsage().arrayBuffers;

  /** Gives a task a blob as its input, and keeps nothing of it. */
  function useBlob(lane: Lane): void {
    const laidOut = layOut({ numbers: new Float64Array(BYTES / 8), note: "" });
    const blob = new SharedArrayBuffer(laidOut.bytes);
    laidOut.writeInto(new Uint8Array(blob));
    const sum = encodeValue({ sum: {} }, (object) => (Object.keys(object).length === 0 ? 0 : undefined));
    lane.run(frameOf("array", [sum], { inputs: [[blob]] }));
  }

  test("gives the memory of inputs back, which threads saw that make no garbage", async () => {
    const pool = await openPool();
    await pool.listKinds();
    let told = 0;
    const lane = pool.openLane({ onEnded: ({ done }) => void (told += done.length), onDied: () => undefined });
    const before = memoryOfArrays();
    for (let round = 1; round <= 3; round++) {
      useBlob(lane);
      await until(() => told === round);
    }
    await until(() => !lane.isBusy);
    pool.letGo(3 * BYTES);
    await until(() => {
      pool.collect();
      return memoryOfArrays() - before < BYTES;
    });
  });
});

describe("pool.destroy()", () => {
  test("interrupts no thread that still loads its modules, nor one that takes the place of another", async () => {
    const up = new WeakSet<Worker>();
    const stopped: boolean[] = [];
    const { emit, terminate } = Worker.prototype;
    Worker.prototype.emit = function (this: Worker, name: string, ...args: unknown[]) {
      if (name === "message" && Object.hasOwn(args[0] as object, "up")) up.add(this);
      return emit.call(this, name, ...args);
    };
    Worker.prototype.terminate = async function (this: Worker) {
      stopped.push(up.has(this));
      return await terminate.call(this);
    };
    try {
      await (await openPool({ threads: 3 })).destroy();
      expect(stopped).toEqual([true, true, true]);
      const pool = await openPool();
      await pool.listKinds();
      expect(await runFrame(pool, { kind: "die", parameters: [{}] })).toMatchObject({ end: { type: "died" } });
      await pool.destroy();
      expect(stopped.slice(3)).not.toContain(false);
    } finally {
      Object.assign(Worker.prototype, { emit, terminate });
    }
  });
});

describe("pool.listKinds()", () => {
  test("names kinds of this program and of folders, with the hash of their files", async () => {
    const kinds = await (await openPool()).listKinds();
    expect(kinds.map(({ name }) => name)).toEqual(expect.arrayContaining(["pe", "simulate", "noop", "spin"]));
    expect(kinds.find(({ name }) => name === "noop")!.version).toMatch(/^1\+[0-9a-f]{16}$/);
  });

  test("names the file that cannot be used", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, "bad.js"), "export default 5;");
    const pool = await openPool({ kinds: [folder] });
    await expect(pool.listKinds()).rejects.toMatchObject({
      code: "PE_KIND",
      message: expect.stringContaining("bad.js"),
    });
  });
});
