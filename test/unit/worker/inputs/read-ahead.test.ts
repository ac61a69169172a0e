/** The reader thread is a stand-in that answers when it is told to: nothing here depends on time. */
import { beforeEach, describe, expect, test } from "vitest";
import { ContentExchange, type ThreadLink } from "../../../../worker/inputs/content-exchange.ts";
import type { ContentAnswer, LoadedContent } from "../../../../worker/threads/frame.ts";
import { ReadAhead, type ReaderListener } from "../../../../worker/inputs/read-ahead.ts";
import type { TasksToName, ToReader } from "../../../../worker/inputs/reader-messages.ts";

const KEY = { bytes: 10, modifiedMs: 1 };
const object = (name: string, bytes = KEY.bytes) => ({ ...KEY, name, path: `s3://bucket/in/${name}`, bytes });
const file = (name: string) => ({ ...KEY, name, path: `/in/${name}` });
/** Whose tasks they are. */
const [FIRST, SECOND] = [{}, {}];
const tasks = { common: { number: 7 } } as TasksToName;
const unreadable = { code: "PE_SHARD_UNREADABLE", message: "Cannot read it", details: {} } as const;

class Thread implements ThreadLink {
  readonly told: ContentAnswer[] = [];
  postMessage(message: ContentAnswer): void {
    this.told.push(message);
  }
  get names(): string[] {
    return this.told.map(({ type }) => type);
  }
}

/** A reader thread that does nothing by itself. */
class Reader {
  listener!: ReaderListener;
  readonly told: ToReader[] = [];
  starts = 0;
  ends = 0;
  get reading(): string[] {
    return this.told.flatMap((message) => (message.type === "read" ? [message.file.name] : []));
  }
  get reused(): SharedArrayBuffer[] {
    return this.told.flatMap((message) => (message.type === "reuse" ? [message.memory] : []));
  }
  named(files: readonly ReturnType<typeof file>[], shared = false): void {
    this.listener.onMessage({ type: "named", inputs: files.map((each) => ({ file: each, shared })) });
  }
  loaded(each: ReturnType<typeof file>): LoadedContent {
    const loaded = { content: new Uint8Array(new SharedArrayBuffer(each.bytes)), sha256: "00" };
    this.listener.onMessage({ type: "loaded", file: each, loaded });
    return loaded;
  }
  start(keeps = false): { exchange: ContentExchange; ahead: ReadAhead } {
    const exchange = new ContentExchange(100, { keeps });
    const ahead = new ReadAhead(exchange, (listener) => {
      this.listener = listener;
      this.starts++;
      return {
        postMessage: (message) => void this.told.push(message),
        end: async () => void this.ends++,
      };
    });
    return { exchange, ahead };
  }
}

describe("ReadAhead", () => {
  let reader: Reader, thread: Thread, other: Thread, exchange: ContentExchange, ahead: ReadAhead;
  beforeEach(() => {
    [reader, thread, other] = [new Reader(), new Thread(), new Thread()];
    ({ exchange, ahead } = reader.start());
  });

  test("begins the input of the second task before the first has ended, and gives it at once", () => {
    ahead.prefetch(tasks, FIRST);
    ahead.prefetch(tasks, SECOND);
    reader.named([object("a")]);
    exchange.onWant({ ...object("a"), once: true, task: 0 }, thread);
    reader.loaded(object("a"));
    expect(thread.names).toEqual(["content"]);
    // The first task computes; nothing is said of its end.
    reader.named([object("b")]);
    expect(reader.reading).toEqual(["a", "b"]);
    const second = reader.loaded(object("b"));
    exchange.onWant({ ...object("b"), once: true, task: 1 }, thread);
    expect(thread.told[1]).toEqual({ type: "content", loaded: second, isNew: true });
  });

  test("starts no thread before there is something to read", () => {
    expect(reader.starts).toBe(0);
    ahead.prefetch(tasks, FIRST);
    ahead.prefetch(tasks, SECOND);
    expect(reader.starts).toBe(1);
  });

  test("reads once what a task asks for while it is read, and lets it wait for that", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a")]);
    exchange.onWant({ ...object("a"), once: true, task: 0 }, thread);
    expect([reader.reading, thread.names]).toEqual([["a"], []]);
    const loaded = reader.loaded(object("a"));
    expect(thread.told).toEqual([{ type: "content", loaded, isNew: true }]);
  });

  test("does not read for a task what that asked for before its inputs were named", () => {
    ahead.prefetch(tasks, FIRST);
    exchange.onWant({ ...file("a"), once: true, task: 0 }, thread);
    expect(thread.told).toEqual([{ type: "load", alone: true }]);
    reader.named([file("a"), file("b")]);
    expect(reader.reading).toEqual(["b"]);
  });

  test("leaves to a task's thread what it has not begun, and reads files of the disk one after the other", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([file("a"), file("b"), file("c")]);
    expect(reader.reading).toEqual(["a"]);
    exchange.onWant({ ...file("b"), once: true, task: 0 }, thread);
    expect(thread.told).toEqual([{ type: "load", alone: true }]);
    reader.loaded(file("a"));
    expect(reader.reading).toEqual(["a", "c"]);
  });

  test("reads objects for the threads, several at once, and leaves them those beyond", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([]);
    for (let task = 0; task < 9; task++) exchange.onWant({ ...object(String(task)), once: true, task }, new Thread());
    expect(reader.reading).toEqual(["0", "1", "2", "3", "4", "5", "6", "7"]);
    exchange.onWant({ ...object("9"), once: true, task: 9 }, thread);
    expect(thread.told).toEqual([{ type: "load", alone: true }]);
  });

  test("fails for nobody: who waits reads again, and tells", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a"), object("b")], true);
    reader.listener.onMessage({ type: "unloadable", file: object("b"), error: unreadable });
    exchange.onWant({ ...object("a"), task: 0 }, thread);
    exchange.onWant({ ...object("a"), task: 0 }, other);
    reader.listener.onMessage({ type: "unloadable", file: object("a"), error: unreadable });
    expect([thread.names, other.names]).toEqual([["load"], []]);
    exchange.onUnloadable(object("a"), unreadable, thread);
    expect(other.told).toEqual([{ type: "unloadable", error: unreadable }]);
  });

  test("tells who waits of a store that was tried for as long as a task waits", () => {
    const error = { ...unreadable, code: "PE_STORE_UNAVAILABLE" } as const;
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a")]);
    exchange.onWant({ ...object("a"), once: true, task: 0 }, thread);
    reader.listener.onMessage({ type: "unloadable", file: object("a"), error });
    expect(thread.told).toEqual([{ type: "unloadable", error }]);
  });

  test("keeps half of the room free of what nobody asked for, and goes on when somebody did", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a", 30), object("b", 30), object("c", 10)]);
    expect(reader.reading).toEqual(["a"]);
    reader.loaded(object("a", 30));
    expect(reader.reading).toEqual(["a"]);
    exchange.onWant({ ...object("a", 30), once: true, task: 0 }, thread);
    expect(reader.reading).toEqual(["a", "b", "c"]);
  });

  test("uses the memory of a task again when its thread asks for the next one", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a"), object("b")]);
    const first = reader.loaded(object("a"));
    reader.loaded(object("b"));
    exchange.onWant({ ...object("a"), once: true, task: 0 }, thread);
    expect(reader.reused).toEqual([]);
    exchange.onWant({ ...object("b"), once: true, task: 1 }, thread);
    expect(reader.reused).toEqual([first.content!.buffer]);
    exchange.forget(thread);
    expect(reader.reused).toHaveLength(2);
  });

  test("never uses memory again that threads share", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a")], true);
    reader.loaded(object("a"));
    exchange.onWant({ ...object("a"), task: 0 }, thread);
    exchange.onWant({ ...object("b"), task: 1 }, thread);
    exchange.forget(thread);
    expect(reader.reused).toEqual([]);
  });

  test("keeps what it read for the tasks of later jobs where there is room, and uses its memory again when there is none", () => {
    ({ exchange, ahead } = reader.start(true));
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a", 50)]);
    const first = reader.loaded(object("a", 50));
    exchange.onWant({ ...object("a", 50), once: true, task: 0, job: 7 }, thread);
    exchange.onWant({ ...object("a", 50), once: true, task: 0, job: 8 }, other);
    expect(other.told).toEqual([{ type: "content", loaded: first, isNew: false }]);
    exchange.forget(thread);
    exchange.forget(other);
    expect(reader.reused).toEqual([]);
    ahead.prefetch({ common: { number: 9 } } as TasksToName, SECOND);
    reader.named([object("b", 60)]);
    expect(reader.reused).toEqual([first.content!.buffer]);
    reader.loaded(object("b", 60));
    exchange.onWant({ ...object("b", 60), once: true, task: 1, job: 9 }, thread);
    expect(thread.told.map((told) => told.type === "content" && told.isNew)).toEqual([true, true]);
  });

  test("drops what it read for tasks that do not come", () => {
    ahead.prefetch(tasks, FIRST);
    reader.named([object("a", 50), object("b")]);
    const loaded = reader.loaded(object("a", 50));
    ahead.forget(FIRST);
    expect(reader.reused).toEqual([loaded.content!.buffer]);
    ahead.prefetch(tasks, SECOND);
    ahead.forget(SECOND);
    reader.named([object("c")]);
    expect(reader.reading).toEqual(["a"]);
  });

  test("lets threads read by themselves when its thread died, starts another, and gives up in the end", () => {
    for (let death = 1; death <= 4; death++) {
      ahead.prefetch(tasks, FIRST);
      if (death === 4) break;
      reader.named([object("a")]);
      const waiting = new Thread();
      exchange.onWant({ ...object("a"), once: true, task: 0 }, waiting);
      reader.listener.onDied();
      expect(waiting.names).toEqual(["load"]);
      exchange.forget(waiting);
    }
    expect(reader.starts).toBe(3);
  });

  test("ends its thread and starts no other when it is closed", async () => {
    ahead.prefetch(tasks, FIRST);
    await ahead.close();
    ahead.prefetch(tasks, SECOND);
    expect(reader).toMatchObject({ starts: 1 });
    expect(reader.ends).toBeGreaterThan(0);
  });
});
