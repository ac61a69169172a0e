import { existsSync, readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { ContentExchange, type ThreadLink } from "../../../../worker/inputs/content-exchange.ts";
import type { ContentAnswer } from "../../../../worker/threads/frame.ts";
import { ScratchFiles } from "../../../../worker/inputs/scratch-files.ts";
import { testFolder } from "../../../support/folders.ts";

const object = (name: string, bytes = 100) => ({ name, path: `s3://bucket/in/${name}`, bytes, modifiedMs: 1 });

/** A thread that makes the files it is told to. */
class Thread implements ThreadLink {
  readonly told: ContentAnswer[] = [];
  postMessage(message: ContentAnswer): void {
    this.told.push(message);
  }
  /** Where it was told to put, or finds, what it asked for last. */
  get path(): string | undefined {
    const last = this.told.at(-1);
    return last?.type === "load" ? last.scratch : last?.type === "content" ? last.loaded.path : undefined;
  }
}

describe("ScratchFiles", () => {
  let parent: string, files: ScratchFiles, exchange: ContentExchange, thread: Thread, other: Thread;
  beforeEach(async () => {
    parent = await testFolder();
    files = new ScratchFiles({ parent, bytesMax: 250, memoryBytesMax: 50 });
    exchange = new ContentExchange(1000, { files });
    [thread, other] = [new Thread(), new Thread()];
  });

  async function load(name: string, task: number, { once = false, by = thread } = {}): Promise<string> {
    exchange.onWant({ ...object(name), once, task }, by);
    const path = by.path!;
    await writeFile(path, name);
    exchange.onLoaded(object(name), { content: undefined, path, sha256: "00" }, by);
    return path;
  }

  test("takes objects that are too large for memory, and nothing else", () => {
    expect(files.takes(object("a", 51))).toBe(true);
    expect(files.takes(object("a", 50))).toBe(false);
    expect(files.takes({ ...object("a"), path: "/in/a" })).toBe(false);
    expect(readdirSync(parent)).toEqual([]);
  });

  test("has one file for all threads", async () => {
    const path = await load("a", 0);
    exchange.onWant({ ...object("a"), task: 0 }, other);
    expect(other.told).toMatchObject([{ type: "content", loaded: { content: undefined, path, sha256: "00" } }]);
  });

  test("removes what was used longest ago when all exceed the bound, and never what a task uses", async () => {
    const first = await load("a", 0, { by: other });
    const second = await load("b", 0);
    const third = await load("c", 1);
    expect([first, second, third].map((path) => existsSync(path))).toEqual([true, false, true]);
    // The other thread's task is over.
    exchange.forget(other);
    const fourth = await load("d", 2);
    expect([first, third, fourth].map((path) => existsSync(path))).toEqual([false, true, true]);
  });

  test("removes what only one task needs after that task, where nothing is kept for later jobs", async () => {
    exchange = new ContentExchange(1000, { files, keeps: false });
    const path = await load("a", 0, { once: true });
    expect(existsSync(path)).toBe(true);
    exchange.onWant({ ...object("b"), once: true, task: 1 }, thread);
    expect(existsSync(path)).toBe(false);
  });

  test("keeps what only one task needed for the next job, as long as there is room", async () => {
    const path = await load("a", 0, { once: true });
    await load("b", 1, { once: true });
    expect(existsSync(path)).toBe(true);
    exchange.onWant({ ...object("a"), once: true, task: 0, job: 2 }, other);
    expect(other.path).toBe(path);
  });

  test("removes what could not be read", async () => {
    exchange.onWant({ ...object("a"), task: 0 }, thread);
    const path = thread.path!;
    await writeFile(path, "the beginning");
    exchange.onUnloadable(object("a"), { code: "PE_OBJECT_CORRUPT", message: "no", details: {} }, thread);
    expect(existsSync(path)).toBe(false);
  });

  test("tells a task that there is no folder for its file", () => {
    const nowhere = new ContentExchange(1000, {
      files: new ScratchFiles({ parent: `${parent}/nowhere`, memoryBytesMax: 50 }),
    });
    nowhere.onWant({ ...object("a"), task: 0 }, thread);
    expect(thread.told).toMatchObject([{ type: "unloadable", error: { code: "PE_OUTPUT_UNWRITABLE" } }]);
  });

  test("leaves nothing when it is closed", async () => {
    await load("a", 0);
    expect(readdirSync(parent)).toHaveLength(1);
    files.close();
    expect(readdirSync(parent)).toEqual([]);
  });
});
