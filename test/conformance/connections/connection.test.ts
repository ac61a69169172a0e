/** One suite for every way to connect: memory as it is, memory through bytes, a WebSocket, one with TLS. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PeError } from "../../../common/errors.ts";
import { FRAME_BYTES_MAX } from "../../../protocol/codec.ts";
import { CLOSE, FRAME_BYTES_GOOD, type Connection, type End, type Link } from "../../../protocol/connection.ts";
import { pair } from "../../../protocol/memory.ts";
import { bytes, integer, messages, optional, since, text, type Infer } from "../../../protocol/schema.ts";
import { connectSocket, door, listenSockets } from "../../../protocol/socket.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { watchHandles } from "../../support/handles.ts";

const up = messages({ count: { value: integer(0, 1_000_000) }, blob: { bytes: bytes(2 * FRAME_BYTES_MAX) } });
const down = messages(
  {
    word: { text: text(FRAME_BYTES_MAX), loud: since(2, optional(integer(0, 9))) },
    number: { value: integer(0, 1_000_000) },
    later: {},
  },
  { later: 3 },
);
type Up = Infer<typeof up>;
type Down = Infer<typeof down>;

interface Pair {
  readonly first: Connection<Up, Down>;
  readonly second: Connection<Down, Up>;
  readonly dispose: () => Promise<void>;
}

interface Options {
  readonly bufferedBytesMax?: number;
}

type Open = (options?: Options) => Promise<Pair>;

const link = { out: up, in: down } as const satisfies Link;
const reversed = { out: down, in: up } as const satisfies Link;

function inMemory(codec: boolean): Open {
  return async (options = {}) => {
    const [first, second] = pair({ link, codec, ...options });
    return { first, second, dispose: () => Promise.resolve() };
  };
}

const certificate = makeCertificate();

function overSockets(scheme: "ws" | "wss"): Open {
  return async (options = {}) => {
    const server: Server = scheme === "ws" ? createServer() : createTlsServer(certificate!);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    let second: Connection<Down, Up> | undefined;
    const sockets = listenSockets({
      server,
      doors: [
        door({
          path: "/worker",
          link: reversed,
          onConnection(connection) {
            second = connection;
          },
        }),
      ],
      ...options,
    });
    const url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/worker`;
    const first = await connectSocket(url, { link, ca: certificate?.cert, ...options });
    return {
      first,
      second: second!,
      async dispose() {
        await sockets.close("the test is over");
        server.close();
        await once(server, "close");
      },
    };
  };
}

const ways: [string, Open][] = [
  ["memory", inMemory(false)],
  ["memory with codec", inMemory(true)],
  ["WebSocket", overSockets("ws")],
];
if (certificate !== undefined) ways.push(["WebSocket with TLS", overSockets("wss")]);
else test.skip("WebSocket with TLS: there is no openssl program here to make a certificate", () => {});

/** Waits for what other turns bring. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > 10_000) throw new Error("it does not happen");
    await (turn < 100 ? nextTurn() : sleep(1));
  }
}

describe.each(ways)("Connection over %s", (_, open) => {
  let left: () => Promise<string[]>;
  let opened: Pair[] = [];

  const openPair: Open = async (options) => {
    const made = await open(options);
    opened.push(made);
    return made;
  };

  beforeEach(() => {
    left = watchHandles();
  });
  afterEach(async () => {
    for (const { first, second, dispose } of opened) {
      first.resume();
      second.resume();
      first.close("the test is over");
      await dispose();
    }
    opened = [];
    expect(await left()).toEqual([]);
  });

  test("send() brings messages over in order, both ways at once", async () => {
    const { first, second } = await openPair();
    const there: number[] = [];
    const back: number[] = [];
    second.onMessages((frame) => {
      for (const message of frame) {
        if (message.type !== "count") continue;
        there.push(message.value);
        second.send({ type: "number", value: message.value });
      }
    });
    first.onMessages((frame) => back.push(...frame.map((message) => (message.type === "number" ? message.value : -1))));
    const values = Array.from({ length: 10_000 }, (__, index) => index);
    for (const value of values) {
      first.send({ type: "count", value });
      if (value % 997 === 0) await nextTurn();
    }
    await until(() => back.length === values.length);
    expect(there).toEqual(values);
    expect(back).toEqual(values);
  });

  test("send() gathers what one turn of the event loop sends into one frame", async () => {
    const { first, second } = await openPair();
    const frames: number[] = [];
    second.onMessages((frame) => frames.push(frame.length));
    for (let turn = 1; turn <= 3; turn++) {
      for (let value = 0; value < turn * 10; value++) {
        first.send({ type: "count", value });
        // Promises belong to the same turn.
        if (value === 5) await Promise.resolve();
      }
      await until(() => frames.length === turn);
    }
    expect(frames).toEqual([10, 20, 30]);
  });

  test("send() cuts much into frames of moderate size, in order", async () => {
    const { first, second } = await openPair();
    const blobs: Uint8Array[] = [];
    const sizes: number[] = [];
    second.onMessages((frame) => {
      const received = frame.flatMap((message) => (message.type === "blob" ? [message.bytes] : []));
      sizes.push(received.reduce((sum, blob) => sum + blob.byteLength, 0));
      blobs.push(...received);
    });
    for (let value = 0; value < 40; value++) first.send({ type: "blob", bytes: new Uint8Array(50_000).fill(value) });
    await until(() => blobs.length === 40);
    expect(blobs.every((blob, index) => blob.every((byte) => byte === index))).toBe(true);
    expect(sizes.length).toBeGreaterThan(7);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(FRAME_BYTES_GOOD);
  });

  test("send() takes a message as large as a frame and refuses a larger one, which harms nobody", async () => {
    const { first, second } = await openPair();
    const sizes: number[] = [];
    second.onMessages((frame) => {
      for (const message of frame) sizes.push(message.type === "blob" ? message.bytes.byteLength : 0);
    });
    const largest = FRAME_BYTES_MAX - 8;
    first.send({ type: "blob", bytes: new Uint8Array(largest) });
    expect(() => first.send({ type: "blob", bytes: new Uint8Array(largest + 1) })).toThrow(
      "Cannot encode frame: 1048577 bytes are more than 1048576; send less at once",
    );
    first.send({ type: "count", value: 1 });
    await until(() => sizes.length === 2);
    expect(sizes).toEqual([largest, 0]);
  });

  test("send() takes text that its length makes look too large", async () => {
    const { first, second } = await openPair();
    let received = 0;
    first.onMessages(([message]) => (received = message?.type === "word" ? message.text.length : -1));
    second.send({ type: "word", text: "a".repeat(600_000) });
    await until(() => received !== 0);
    expect(received).toBe(600_000);
  });

  test("send() refuses what is no message of the link", async () => {
    const { first } = await openPair();
    const wrong = { type: "count", value: 0.5 } as const;
    expect(() => first.send(wrong)).toThrow(PeError);
    expect(() => first.send(wrong)).toThrow("Cannot encode message count.value: expected an integer from 0 to 1000000");
  });

  test("speak() keeps from an older side what it would not know", async () => {
    const { first, second } = await openPair();
    const received: string[] = [];
    first.onMessages((frame) => received.push(...frame.map(({ type }) => type)));
    for (const version of [1, 2, 3, 4]) {
      second.speak(version);
      second.send({ type: "later" });
      second.send({ type: "number", value: version });
      // Of the same frame, the last word counts.
      await nextTurn();
    }
    await until(() => received.length === 6);
    expect(received).toEqual(["number", "number", "later", "number", "later", "number"]);
  });

  test("onMessages() loses nothing that came before it was called", async () => {
    const { first, second } = await openPair();
    for (let value = 0; value < 3; value++) {
      first.send({ type: "count", value });
      await nextTurn();
    }
    first.close("said all");
    await sleep(20);
    const story: unknown[] = [];
    second.onClose(({ reason }) => story.push(reason));
    second.onMessages((frame) => story.push(...frame.map((message) => message.type === "count" && message.value)));
    await until(() => story.length === 4);
    expect(story).toEqual([0, 1, 2, "said all"]);
  });

  test("close() delivers what was sent before, and the reason, and tells both sides once", async () => {
    const { first, second } = await openPair();
    const ends: Record<"first" | "second", End[]> = { first: [], second: [] };
    const received: number[] = [];
    first.onClose((end) => ends.first.push(end));
    second.onClose((end) => ends.second.push(end));
    second.onMessages((frame) => {
      for (const message of frame) if (message.type === "count") received.push(message.value);
    });
    first.send({ type: "count", value: 7 });
    first.send({ type: "blob", bytes: new Uint8Array(900_000) });
    first.send({ type: "count", value: 8 });
    first.close("work is done");
    first.close("again");
    first.send({ type: "count", value: 9 });
    await until(() => ends.first.length > 0 && ends.second.length > 0);
    await sleep(10);
    second.send({ type: "number", value: 1 });
    expect(received).toEqual([7, 8]);
    const end = { code: CLOSE.normal, reason: "work is done" };
    expect(ends).toEqual({ first: [end], second: [end] });
  });

  test("close() delivers nothing more to the side that called it", async () => {
    const { first, second } = await openPair();
    let received = 0;
    let ended = false;
    first.onMessages(() => received++);
    first.onClose(() => (ended = true));
    for (let value = 0; value < 100; value++) second.send({ type: "number", value });
    first.close("enough");
    await until(() => ended);
    await sleep(10);
    expect(received).toBe(0);
  });

  test("close() by both sides at once ends well", async () => {
    const { first, second } = await openPair();
    const ends: string[] = [];
    first.onClose(({ reason }) => ends.push(`first: ${reason}`));
    second.onClose(({ reason }) => ends.push(`second: ${reason}`));
    first.close("a");
    second.close("b");
    await until(() => ends.length === 2);
    expect(ends.toSorted()).toEqual(["first: a", "second: b"]);
  });

  test("close() cuts a reason that is too long for the wire", async () => {
    const { first, second } = await openPair();
    let end: End | undefined;
    second.onClose((other) => (end = other));
    first.close("é".repeat(100));
    await until(() => end !== undefined);
    expect(end!.reason).toBe(`${"é".repeat(60)}...`);
  });

  test("onClose() tells of an end that came before it was called", async () => {
    const { first, second } = await openPair();
    first.close("early");
    await sleep(20);
    const ends: End[] = [];
    first.onClose((end) => ends.push(end));
    second.onClose((end) => ends.push(end));
    await until(() => ends.length === 2);
    expect(ends.map(({ reason }) => reason)).toEqual(["early", "early"]);
  });

  test("pause() keeps messages away until resume()", async () => {
    const { first, second } = await openPair();
    const received: number[] = [];
    second.onMessages((frame) => {
      for (const message of frame) if (message.type === "count") received.push(message.value);
    });
    first.send({ type: "count", value: 0 });
    await until(() => received.length === 1);
    second.pause();
    for (let value = 1; value < 4; value++) {
      first.send({ type: "count", value });
      await nextTurn();
    }
    await sleep(20);
    expect(received).toEqual([0]);
    second.resume();
    await until(() => received.length === 4);
    expect(received).toEqual([0, 1, 2, 3]);
  });

  test("pause() within a handler keeps the next frame away", async () => {
    const { first, second } = await openPair();
    const received: number[] = [];
    second.onMessages((frame) => {
      for (const message of frame) if (message.type === "count") received.push(message.value);
      second.pause();
    });
    for (let value = 0; value < 3; value++) {
      first.send({ type: "count", value });
      await nextTurn();
    }
    for (let count = 1; count <= 3; count++) {
      await until(() => received.length === count);
      await sleep(5);
      expect(received).toHaveLength(count);
      second.resume();
    }
  });

  test.each([
    ["large", 1_000_000],
    ["small", 100_000],
  ])("a reader that stops reading %s messages is cut off at the cap, and both sides learn of it", async (__, size) => {
    const bufferedBytesMax = 16 << 20;
    const { first, second } = await openPair({ bufferedBytesMax });
    const ends: Record<string, End> = {};
    first.onClose((end) => (ends.first = end));
    second.onClose((end) => (ends.second = end));
    second.onMessages(() => {});
    await nextTurn();
    second.pause();
    let sent = 0;
    // Some of it goes into the buffers of the operating system.
    for (; ends.first === undefined && sent * size < 1e8; sent++) {
      first.send({ type: "blob", bytes: new Uint8Array(size) });
      expect(first.bufferedBytes).toBeLessThanOrEqual(bufferedBytesMax + 1_100_000);
      await nextTurn();
    }
    expect(ends.first?.code).toBe(CLOSE.slowReader);
    expect(ends.first?.reason).toMatch(/^the other side does not read: \d+ bytes wait, more than 16777216$/);
    second.resume();
    await until(() => ends.second !== undefined);
    expect(ends.second?.code).toBe(CLOSE.lost);
  });

  test("a reader that is only slow is not cut off", async () => {
    const { first, second } = await openPair({ bufferedBytesMax: 8 << 20 });
    let received = 0;
    let ended = false;
    first.onClose(() => (ended = true));
    second.onMessages((frame) => (received += frame.length));
    for (let sent = 0; sent < 60; sent++) {
      first.send({ type: "blob", bytes: new Uint8Array(1_000_000) });
      await until(() => first.bufferedBytes < 4 << 20);
    }
    await until(() => received === 60);
    expect(ended).toBe(false);
    await until(() => first.bufferedBytes === 0);
  });
});

describe("a side of another version", () => {
  const newer = { out: messages({ count: { value: integer(0, 9), more: integer(0, 9) } }), in: down } as const;

  test("is refused by name over a WebSocket, and both sides learn why", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const ends: Record<string, End> = {};
    let delivered = 0;
    const onConnection = (connection: Connection<Down, Up>): void => {
      connection.onMessages(() => delivered++);
      connection.onClose((end) => (ends.scheduler = end));
    };
    const sockets = listenSockets({ server, doors: [door({ path: "/worker", link: reversed, onConnection })] });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/worker`;
    const worker = await connectSocket(url, { link: newer });
    worker.onClose((end) => (ends.worker = end));
    worker.send({ type: "count", value: 1, more: 2 });
    worker.send({ type: "count", value: 1, more: 2 });
    await until(() => ends.scheduler !== undefined && ends.worker !== undefined);
    const end = { code: CLOSE.protocol, reason: "Cannot decode message count: expected 1 fields, found 2" };
    expect(ends).toEqual({ scheduler: end, worker: end });
    expect(delivered).toBe(0);
    await sockets.close("over");
    server.close();
  });
});
