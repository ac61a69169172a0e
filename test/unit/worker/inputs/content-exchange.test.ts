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
    for (const thread of [second, third]) expect(thread.told).toEqual([{ type: "content", loaded: content }]);
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
});
