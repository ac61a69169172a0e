import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { answeredWithin, drain } from "../../../../data/objects/watchdog.ts";

const IDLE_MS = 60;

/** A body of so many pieces, each after a wait; it says whether it was destroyed. */
function bodyOf(pieces: number, bytes: number, waitMs: number) {
  const body = {
    isDestroyed: false,
    destroy: () => void (body.isDestroyed = true),
    async *[Symbol.asyncIterator]() {
      for (let piece = 0; piece < pieces && !body.isDestroyed; piece++) {
        await sleep(waitMs);
        yield new Uint8Array(bytes);
      }
    },
  };
  return body;
}

describe("drain()", () => {
  test("hands over every piece of a body that goes on, however long it takes in all", async () => {
    let seen = 0;
    await drain(
      bodyOf(30, 5000, 5),
      { idleMs: IDLE_MS * 10, signal: undefined },
      (piece) => (seen += piece.byteLength),
    );
    expect(seen).toBe(150_000);
  });

  test("takes a body that trickles for silent, and destroys it", async () => {
    const body = bodyOf(200, 1, 5);
    await expect(drain(body, { idleMs: IDLE_MS, signal: undefined }, () => undefined)).rejects.toMatchObject({
      name: "StoreFault",
      kind: "passing",
    });
    expect(body.isDestroyed).toBe(true);
  });

  test("lets the reader's own error through, and destroys the body", async () => {
    const body = bodyOf(3, 1, 0);
    const refuse = (): void => {
      throw new RangeError("no room");
    };
    await expect(drain(body, { idleMs: 5000, signal: undefined }, refuse)).rejects.toThrow(RangeError);
    expect(body.isDestroyed).toBe(true);
  });

  test("ends when it is aborted", async () => {
    const ending = new AbortController();
    const body = bodyOf(1000, 5000, 5);
    await expect(
      drain(body, { idleMs: 5000, signal: ending.signal }, () => ending.abort(new Error("enough"))),
    ).rejects.toThrow("enough");
    expect(body.isDestroyed).toBe(true);
  });
});

describe("answeredWithin()", () => {
  test("gives up an answer that never comes, whether its maker heeds the signal or not", async () => {
    let signal: AbortSignal | undefined;
    const never = answeredWithin(10, undefined, (given) => {
      signal = given;
      return new Promise(() => undefined);
    });
    await expect(never).rejects.toMatchObject({ name: "StoreFault", kind: "passing" });
    expect(signal!.aborted).toBe(true);
  });

  test("gives what comes in time", async () => {
    expect(await answeredWithin(5000, undefined, async () => 7)).toBe(7);
  });
});
