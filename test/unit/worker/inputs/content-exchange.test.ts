import { beforeEach, describe, expect, test } from "vitest";
import { ContentExchange, type ThreadLink } from "../../../../worker/inputs/content-exchange.ts";
import type { LoadedContent, ToThread } from "../../../../worker/threads/frame.ts";

const file = (name: string, bytes = 10) => ({ name, path: `/in/${name}`, bytes, modifiedMs: 1 });
const loaded = (bytes: number): LoadedContent => ({
  content: new Uint8Array(new SharedArrayBuffer(bytes)),
  sha256: "00",
});

/** A thread that remembers what it was told. */
class Thread implements ThreadLink {
  readonly told: ToThread[] = [];
  postMessage(message: ToThread): void {
    this.told.push(message);
  }
  get names(): string[] {
    return this.told.map(({ type }) => type);
  }
}

describe("ContentExchange", () => {
  let first: Thread, second: Thread, third: Thread;
  beforeEach(() => {
    [first, second, third] = [new Thread(), new Thread(), new Thread()];
  });

  test("lets one thread load and gives the same memory to those who wait and to those who come later", () => {
    const exchange = new ContentExchange(1000);
    const content = loaded(10);
    exchange.onWant(file("a"), first);
    exchange.onWant(file("a"), second);
    expect([first.names, second.names]).toEqual([["load"], []]);
    exchange.onLoaded(file("a"), content, first);
    exchange.onWant(file("a"), third);
    for (const thread of [second, third])
      expect(thread.told).toEqual([{ type: "content", loaded: content, isNew: false }]);
  });

  test("takes a file that was written since for another one", () => {
    const exchange = new ContentExchange(1000);
    exchange.onWant(file("a"), first);
    exchange.onLoaded(file("a"), loaded(10), first);
    exchange.onWant({ ...file("a"), modifiedMs: 2 }, second);
    expect(second.names).toEqual(["load"]);
  });

  test("tells the error of the loader to those who wait, and lets the next one try again", () => {
    const exchange = new ContentExchange(1000);
    const error = { code: "PE_SHARD_UNREADABLE", message: "Cannot read it", details: {} } as const;
    exchange.onWant(file("a"), first);
    exchange.onWant(file("a"), second);
    exchange.onUnloadable(file("a"), error, first);
    exchange.onWant(file("a"), third);
    expect(second.told).toEqual([{ type: "unloadable", error }]);
    expect(third.names).toEqual(["load"]);
  });

  test("passes the loading on when the loader's thread dies", () => {
    const exchange = new ContentExchange(1000);
    exchange.onWant(file("a"), first);
    exchange.onWant(file("a"), second);
    exchange.onWant(file("a"), third);
    exchange.forget(first);
    expect([second.names, third.names]).toEqual([["load"], []]);
    exchange.onLoaded(file("a"), loaded(10), first);
    expect(third.names).toEqual([]);
    exchange.onLoaded(file("a"), loaded(10), second);
    expect(third.names).toEqual(["content"]);
  });

  test("does not answer a thread that died while it waited", () => {
    const exchange = new ContentExchange(1000);
    exchange.onWant(file("a"), first);
    exchange.onWant(file("a"), second);
    exchange.forget(second);
    exchange.onLoaded(file("a"), loaded(10), first);
    expect(second.names).toEqual([]);
  });

  test("evicts what was used longest ago, never what was just loaded", () => {
    const exchange = new ContentExchange(25);
    for (const name of ["a", "b"]) {
      exchange.onWant(file(name), first);
      exchange.onLoaded(file(name), loaded(10), first);
    }
    exchange.onWant(file("a"), first);
    exchange.onWant(file("c"), first);
    exchange.onLoaded(file("c"), loaded(10), first);
    for (const name of ["a", "b", "c"]) exchange.onWant(file(name), second);
    expect(second.names).toEqual(["content", "load", "content"]);
    exchange.onWant(file("big"), third);
    exchange.onLoaded(file("big"), loaded(100), third);
    exchange.onWant(file("big"), third);
    expect(third.names).toEqual(["load", "content"]);
  });

  describe("for the next job", () => {
    const wants = (name: string, job: number, task: number, bytes = 10) => ({
      ...file(name, bytes),
      once: true,
      job,
      task,
    });
    /** Reads what it is told to read. */
    const reads = (exchange: ContentExchange, thread: Thread, wanted: ReturnType<typeof wants>): string => {
      exchange.onWant(wanted, thread);
      const told = thread.told.at(-1)!;
      if (told.type === "load" && told.alone !== true) {
        const content = new Uint8Array(told.memory!).subarray(0, wanted.bytes);
        exchange.onLoaded(wanted, { content, sha256: "00" }, thread);
      }
      return told.type === "load" && told.alone === true ? "alone" : told.type;
    };
    const readAll = (exchange: ContentExchange, names: string, job: number): string[] =>
      [...names].map((name, task) => reads(exchange, first, wants(name, job, 10 * job + task)));

    test("keeps what one task of the first needed, and tells that nothing was read", () => {
      const exchange = new ContentExchange(100);
      expect(readAll(exchange, "abc", 1)).toEqual(["load", "load", "load"]);
      expect(readAll(exchange, "abc", 2)).toEqual(["content", "content", "content"]);
      expect(first.told.at(-1)).toMatchObject({ isNew: false });
    });

    test("keeps nothing where it is not to", () => {
      const exchange = new ContentExchange(100, { keeps: false });
      expect(readAll(exchange, "ab", 1)).toEqual(["alone", "alone"]);
      expect(readAll(exchange, "ab", 2)).toEqual(["alone", "alone"]);
    });

    test("does not evict what a job has read itself for what it reads next, so that the next job finds as much as fits", () => {
      const exchange = new ContentExchange(25);
      expect(readAll(exchange, "abcd", 1)).toEqual(["load", "load", "alone", "alone"]);
      expect(readAll(exchange, "abcd", 2)).toEqual(["content", "content", "alone", "alone"]);
    });

    test("evicts what earlier jobs have read, used longest ago first", () => {
      const exchange = new ContentExchange(25);
      readAll(exchange, "ab", 1);
      readAll(exchange, "a", 2);
      expect(readAll(exchange, "c", 3)).toEqual(["load"]);
      expect(readAll(exchange, "acb", 4)).toEqual(["content", "content", "alone"]);
    });

    test("takes a file that is larger than all room for its task alone, and evicts nothing for it", () => {
      const exchange = new ContentExchange(25);
      readAll(exchange, "ab", 1);
      expect(reads(exchange, first, wants("big", 2, 30, 26))).toBe("alone");
      expect(readAll(exchange, "ab", 3)).toEqual(["content", "content"]);
    });

    test("uses memory again that no task has any more, and no other", () => {
      const exchange = new ContentExchange(13_000);
      const memoryOf = (thread: Thread) => (thread.told.at(-1) as { memory?: SharedArrayBuffer }).memory;
      reads(exchange, first, wants("a", 1, 1, 6000));
      const memory = memoryOf(first);
      // The first thread still computes from it.
      reads(exchange, second, wants("b", 2, 1, 6000));
      expect(memoryOf(second)).not.toBe(memory);
      reads(exchange, first, wants("c", 3, 2, 6000));
      expect(memoryOf(first)).toBe(memory);
      expect(reads(exchange, third, wants("d", 4, 1, 6000))).toBe("alone");
    });

    test("does not use memory again that tasks of one job have shared: they may have it for longer", () => {
      const exchange = new ContentExchange(7000);
      const memoryOf = (thread: Thread) => (thread.told.at(-1) as { memory?: SharedArrayBuffer }).memory;
      reads(exchange, first, wants("a", 1, 1, 6000));
      const memory = memoryOf(first);
      exchange.onWant({ ...wants("a", 2, 1, 6000), once: false }, second);
      for (const thread of [first, second]) exchange.forget(thread);
      expect(reads(exchange, third, wants("b", 3, 1, 6000))).toBe("load");
      expect(memoryOf(third)).not.toBe(memory);
    });

    test("does not use memory again before the last of those that have it is done", () => {
      const exchange = new ContentExchange(13_000);
      const memoryOf = (thread: Thread) => (thread.told.at(-1) as { memory?: SharedArrayBuffer }).memory;
      reads(exchange, first, wants("a", 1, 1, 6000));
      const memory = memoryOf(first);
      reads(exchange, second, wants("a", 2, 1, 6000));
      const shared = { ...file("shared", 12_000), job: 3, task: 1 };
      exchange.onWant(shared, third);
      exchange.onLoaded(shared, loaded(12_000), third);
      for (const thread of [first, third]) exchange.forget(thread);
      expect(reads(exchange, first, wants("c", 4, 2, 6000))).toBe("load");
      expect(memoryOf(first)).not.toBe(memory);
      exchange.forget(second);
      expect(reads(exchange, third, wants("d", 5, 1, 6000))).toBe("load");
      expect(memoryOf(third)).toBe(memory);
    });

    test("does not take bytes that lie in the file itself for those that another job has hashed", () => {
      const exchange = new ContentExchange(100);
      const inPlace = { content: undefined, path: "/in/a", sha256: "00" };
      const wanted = { ...file("a"), job: 1, task: 1 };
      exchange.onWant(wanted, first);
      exchange.onLoaded(wanted, inPlace, first);
      exchange.onWant(wanted, second);
      exchange.onWant({ ...wanted, job: 2 }, third);
      expect([second.names, third.names]).toEqual([["content"], ["load"]]);
    });

    describe("what tasks make of an input", () => {
      const derive = (exchange: ContentExchange, thread: Thread, wanted: ReturnType<typeof wants>, bytes: number) => {
        exchange.onDerive({ file: wanted, name: "sum", bytes, headBytes: 4 }, thread);
        return (thread.told.at(-1) as { memory: SharedArrayBuffer | undefined }).memory;
      };

      test("is given to all tasks that have it, with zeros at its head", () => {
        const exchange = new ContentExchange(100_000);
        reads(exchange, first, wants("a", 1, 1));
        const memory = derive(exchange, first, wants("a", 1, 1), 5000)!;
        expect(memory.byteLength).toBeGreaterThanOrEqual(5000);
        expect([...new Uint8Array(memory, 0, 4)]).toEqual([0, 0, 0, 0]);
        reads(exchange, second, wants("a", 2, 1));
        expect(derive(exchange, second, wants("a", 2, 1), 5000)).toBe(memory);
      });

      test("goes before any input does, and its memory is used again with zeros at its head", () => {
        const exchange = new ContentExchange(20_000);
        reads(exchange, first, wants("a", 1, 1, 10));
        const memory = derive(exchange, first, wants("a", 1, 1), 8000)!;
        new Uint8Array(memory).fill(255);
        reads(exchange, first, wants("b", 2, 2, 6000));
        expect(derive(exchange, first, wants("b", 2, 2, 6000), 5500)).toBe(memory);
        expect([...new Uint8Array(memory, 0, 5)]).toEqual([0, 0, 0, 0, 255]);
        expect(readAll(exchange, "a", 3)).toEqual(["content"]);
      });

      test("makes room for an input that comes, and its own input stays", () => {
        const exchange = new ContentExchange(12_000);
        reads(exchange, first, wants("a", 1, 1, 10));
        derive(exchange, first, wants("a", 1, 1), 8000);
        expect(reads(exchange, first, wants("b", 2, 2, 6000))).toBe("load");
        expect(readAll(exchange, "a", 3)).toEqual(["content"]);
      });

      test("does not go while a task uses it, nor for what its own job makes next", () => {
        const exchange = new ContentExchange(12_000);
        reads(exchange, first, wants("a", 1, 1, 10));
        const memory = derive(exchange, first, wants("a", 1, 1), 8000);
        reads(exchange, second, wants("b", 2, 1, 10));
        expect(derive(exchange, second, wants("b", 2, 1), 8000)).toBeUndefined();
        reads(exchange, first, wants("c", 1, 2, 10));
        expect(derive(exchange, first, wants("c", 1, 2), 8000)).toBeUndefined();
        reads(exchange, second, wants("a", 1, 2));
        expect(derive(exchange, second, wants("a", 1, 2), 8000)).toBe(memory);
      });

      test("does not go for what the next job makes of inputs that were used before it: that job comes to it", () => {
        const exchange = new ContentExchange(20_000);
        const made = (job: number) =>
          [..."abcd"].map((name, task) => {
            const wanted = wants(name, job, 10 * job + task, 1000);
            reads(exchange, first, wanted);
            return derive(exchange, first, wanted, 8000);
          });
        const [, ofB] = made(1);
        // The input of d took the place of what was made of a.
        expect(made(2)).toEqual([undefined, ofB, undefined, undefined]);
        expect(made(3)).toEqual([undefined, ofB, undefined, undefined]);
        reads(exchange, second, wants("e", 4, 1, 1000));
        expect(derive(exchange, second, wants("e", 4, 1, 1000), 8000)).toBe(ofB);
      });

      test("has no memory where the input itself is not kept", () => {
        const exchange = new ContentExchange(5);
        expect(reads(exchange, first, wants("a", 1, 1))).toBe("alone");
        expect(derive(exchange, first, wants("a", 1, 1), 1)).toBeUndefined();
      });
    });
  });
});
