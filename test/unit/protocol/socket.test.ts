import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, type ClientOptions } from "ws";
import { PeError } from "../../../common/errors.ts";
import { authorization } from "../../../protocol/access.ts";
import { encodeFrame, FRAME_BYTES_MAX } from "../../../protocol/codec.ts";
import { CLOSE, type Connection, type End } from "../../../protocol/connection.ts";
import { integer, messages, type Infer } from "../../../protocol/schema.ts";
import {
  connectSocket,
  door,
  listenSockets,
  SERVER_OPTIONS,
  type ListenOptions,
  type Sockets,
} from "../../../protocol/socket.ts";
import { makeCertificate } from "../../support/certificates.ts";
import { watchHandles } from "../../support/handles.ts";

const said = messages({ count: { value: integer(0, 9) } });
const link = { out: said, in: said };
type Side = Connection<Infer<typeof said>, Infer<typeof said>>;

const WORKER = "worker-token-0123456789";
const CLIENT = "client-token-0123456789";

let server: Server;
let sockets: Sockets;
let left: () => Promise<string[]>;
/** Connections by role, and the messages and ends they saw. */
let seen: { role: string; connection: Side }[];
let events: string[];
let strangers: { terminate?: () => void; destroy?: () => void }[];

interface Listening extends Partial<Omit<ListenOptions, "server" | "doors">> {
  readonly tls?: { readonly key: string; readonly cert: string };
  readonly server?: ServerOptions;
  readonly tokens?: boolean;
}

async function listen({ tls, server: serverOptions = {}, tokens = true, ...options }: Listening = {}): Promise<string> {
  const all = { ...SERVER_OPTIONS, ...serverOptions };
  server = tls === undefined ? createServer(all) : createTlsServer({ ...all, ...tls });
  server.on("request", (_, response) => response.end("healthy"));
  const accept =
    (role: string) =>
    (connection: Side): void => {
      seen.push({ role, connection });
      connection.onMessages((frame) => events.push(`${role} said ${frame.map(({ value }) => value).join()}`));
      connection.onClose(({ code, reason }) => events.push(`${role} ended: ${code} ${reason}`));
    };
  sockets = listenSockets({
    server,
    doors: [
      door({ path: "/worker", link, tokens: tokens ? [WORKER] : undefined, onConnection: accept("worker") }),
      door({ path: "/client", link, tokens: tokens ? ["other", CLIENT] : undefined, onConnection: accept("client") }),
    ],
    ...options,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `${tls === undefined ? "ws" : "wss"}://127.0.0.1:${port()}`;
}

const port = (): number => (server.address() as AddressInfo).port;

beforeEach(() => {
  left = watchHandles();
  seen = [];
  events = [];
  strangers = [];
});

afterEach(async () => {
  for (const stranger of strangers) (stranger.terminate ?? stranger.destroy)?.call(stranger);
  await sockets.close("the test is over");
  server.close();
  server.closeAllConnections();
  await once(server, "close");
  expect(await left()).toEqual([]);
});

/** The status of a request to upgrade; 101 when it was granted. */
async function statusOf(path: string, headers: Record<string, string> = {}): Promise<string> {
  const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
  const key = { "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" };
  const asking = request({ port: port(), path, agent: false, headers: { ...upgrade, ...key, ...headers } });
  asking.end();
  const answer = await Promise.race([once(asking, "response"), once(asking, "upgrade")]);
  const { statusCode, statusMessage, socket } = answer[0] as IncomingMessage;
  socket.destroy();
  return `${statusCode} ${statusMessage}`;
}

const bearer = (token: string): Record<string, string> => ({ authorization: authorization(token) });

async function codeOf(attempt: Promise<unknown>): Promise<[string, string]> {
  try {
    await attempt;
  } catch (error) {
    if (error instanceof PeError) return [error.code, error.message];
    throw error;
  }
  return ["", "connected"];
}

/** A client that is none of ours. */
async function openStranger(path = "/worker", options: ClientOptions = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port()}${path}`, options);
  socket.on("error", () => undefined);
  strangers.push(socket);
  await once(socket, "open");
  return socket;
}

async function closeOf(socket: WebSocket): Promise<End> {
  const [code, reason] = (await once(socket, "close")) as [number, Buffer];
  return { code, reason: reason.toString("utf8") };
}

/** What RFC 6455 wants in the answer to an upgrade. */
function acceptKey(asking: IncomingMessage): string {
  const text = `${asking.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  return createHash("sha1").update(text).digest("base64");
}

async function until(condition: () => boolean): Promise<void> {
  for (let attempt = 0; !condition() && attempt < 2000; attempt++) await new Promise((done) => setTimeout(done, 1));
  expect(condition()).toBe(true);
}

describe("listenSockets()", () => {
  test("lets each role in at its own door alone", async () => {
    await listen();
    expect(await statusOf("/worker", bearer(WORKER))).toBe("101 Switching Protocols");
    expect(await statusOf("/client", bearer(CLIENT))).toBe("101 Switching Protocols");
    expect(await statusOf("/client", bearer("other"))).toBe("101 Switching Protocols");
    expect(await statusOf("/client", bearer(WORKER))).toBe("403 This token opens /worker alone");
    expect(await statusOf("/worker", bearer(CLIENT))).toBe("403 This token opens /client alone");
    expect(await statusOf("/elsewhere", bearer(CLIENT))).toBe("404 Not Found");
    expect(seen.map(({ role }) => role)).toEqual(["worker", "client", "client"]);
  });

  test.each<[string, Record<string, string>]>([
    ["no token", {}],
    ["a wrong token", bearer("worker-token-0123456788")],
    ["a part of the token", bearer(WORKER.slice(0, -1))],
    ["another scheme", { authorization: `Basic ${WORKER}` }],
    ["an endless token", bearer("a".repeat(4000))],
  ])("answers 401 to %s, whatever the path", async (_, headers) => {
    await listen();
    for (const path of ["/worker", "/client", "/elsewhere"])
      expect(await statusOf(path, headers)).toBe("401 Unauthorized");
    expect(seen).toEqual([]);
  });

  test("reads no frame that comes with a wrong token", async () => {
    await listen();
    const socket = connect(port(), "127.0.0.1");
    strangers.push(socket);
    const head = ["GET /worker HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket"];
    const key = ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", ""];
    socket.write(Buffer.concat([Buffer.from([...head, ...key].join("\r\n")), Buffer.alloc(100_000, 0xff)]));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString("latin1")).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n/);
    expect(seen).toEqual([]);
  });

  test("stands open without tokens, except for unknown paths", async () => {
    await listen({ tokens: false });
    expect(await statusOf("/worker")).toBe("101 Switching Protocols");
    expect(await statusOf("/worker?x=1")).toBe("101 Switching Protocols");
    expect(await statusOf("/elsewhere")).toBe("404 Not Found");
  });

  test("refuses pages of other origins even with a token", async () => {
    await listen({ origins: ["http://127.0.0.1:8786"] });
    const from = (origin: string): Promise<string> => statusOf("/worker", { ...bearer(WORKER), origin });
    expect(await from("http://evil.example")).toBe("403 Origin not allowed");
    expect(await from("null")).toBe("403 Origin not allowed");
    expect(await from("http://127.0.0.1:8786")).toBe("101 Switching Protocols");
  });

  test("refuses what is no upgrade to a WebSocket", async () => {
    await listen();
    expect(await statusOf("/worker", { ...bearer(WORKER), "sec-websocket-version": "7" })).toMatch(/^400 /);
    expect(await statusOf("/worker", { ...bearer(WORKER), "sec-websocket-key": "short" })).toMatch(/^400 /);
  });

  test("leaves plain requests to the server", async () => {
    await listen();
    const response = await fetch(`http://127.0.0.1:${port()}/health`);
    expect(await response.text()).toBe("healthy");
  });

  test("takes no more connections than its limit, and one again when one has left", async () => {
    const url = await listen({ connectionsMax: 2 });
    const first = await connectSocket(`${url}/worker`, { link, token: WORKER });
    await connectSocket(`${url}/client`, { link, token: CLIENT });
    expect(sockets.count).toBe(2);
    expect(await codeOf(connectSocket(`${url}/worker`, { link, token: WORKER }))).toEqual([
      "PE_CONNECTION",
      `Cannot connect to ${url}/worker: it answered 503 All 2 connections are taken`,
    ]);
    first.close("make room");
    await until(() => sockets.count === 1);
    await connectSocket(`${url}/worker`, { link, token: WORKER });
  });

  test("close() ends all connections with the reason and takes no more", async () => {
    const url = await listen();
    const ends: End[] = [];
    for (let index = 0; index < 3; index++) {
      const connection = await connectSocket(`${url}/worker`, { link, token: WORKER });
      connection.onClose((end) => ends.push(end));
    }
    await sockets.close("the scheduler stops");
    await until(() => ends.length === 3);
    expect(ends).toEqual(ends.map(() => ({ code: CLOSE.normal, reason: "the scheduler stops" })));
    expect(sockets.count).toBe(0);
    expect((await codeOf(connectSocket(`${url}/worker`, { link, token: WORKER })))[0]).toBe("PE_CONNECTION");
  });

  test("names the other side by address and port", async () => {
    const url = await listen();
    await connectSocket(`${url}/worker`, { link, token: WORKER });
    expect(seen[0]!.connection.remote).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe("a stranger on an open connection", () => {
  const close = (reason: string): End => ({ code: CLOSE.protocol, reason });

  test.each<[string, string, Uint8Array | string, boolean]>([
    ["random bytes", "Cannot decode frame: byte 0 begins a value of a type that no message has", Buffer.of(0xc1), true],
    ["an empty frame", "Cannot decode frame: it ends in the middle of a message", Buffer.alloc(0), true],
    ["text", "Cannot decode frame: it ends in the middle of a message", "[[0,1]]", false],
    [
      "a value out of range",
      "Cannot decode message count.value: expected an integer from 0 to 9",
      Buffer.of(0x91, 0x92, 0, 10),
      true,
    ],
  ])("that sends %s is told why, and nothing of it is delivered", async (_, reason, frame, binary) => {
    await listen({ tokens: false });
    const socket = await openStranger();
    socket.send(frame, { binary });
    socket.send(encodeFrame(said, [{ type: "count", value: 1 }]));
    expect(await closeOf(socket)).toEqual(close(reason));
    await until(() => events.length === 1);
    expect(events).toEqual([`worker ended: 1002 ${reason}`]);
  });

  test("that sends a frame too large is cut off before it is read", async () => {
    await listen({ tokens: false });
    const socket = await openStranger();
    socket.send(Buffer.alloc(FRAME_BYTES_MAX + 1));
    expect((await closeOf(socket)).code).toBe(1009);
    await until(() => events.length === 1);
    expect(events[0]).toMatch(/^worker ended: 1002 Max payload size exceeded/);
  });

  test("that sends a frame in many small pieces is cut off", async () => {
    await listen({ tokens: false });
    const socket = await openStranger();
    for (let piece = 0; piece < 20; piece++) socket.send(Buffer.of(0), { fin: piece === 19 });
    expect((await closeOf(socket)).code).toBe(1008);
    await until(() => events.length === 1);
    expect(events[0]).toMatch(/^worker ended: 1002 Too many message fragments/);
  });

  test("that asks for compression gets none", async () => {
    await listen({ tokens: false });
    expect((await openStranger("/worker", { perMessageDeflate: true })).extensions).toBe("");
  });

  test("that vanishes ends as lost", async () => {
    await listen({ tokens: false });
    (await openStranger()).terminate();
    await until(() => events.length === 1);
    expect(events).toEqual(["worker ended: 1006 the connection was lost"]);
  });

  test("that never answers the farewell is cut off", async () => {
    await listen({ tokens: false });
    const socket = await openStranger();
    socket.pause();
    seen[0]!.connection.close("over");
    await until(() => events.length === 1);
    expect(events).toEqual(["worker ended: 1000 over"]);
    expect(sockets.count).toBe(0);
  });

  test("that asks and asks and never reads the answers is cut off", async () => {
    await listen({ tokens: false, bufferedBytesMax: 100_000 });
    const socket = await openStranger();
    socket.pause();
    const ping = Buffer.alloc(125);
    for (let count = 0; events.length === 0 && count < 200_000; count++) {
      if (socket.readyState === WebSocket.OPEN) socket.ping(ping);
      if (count % 1000 === 0) await new Promise((done) => setImmediate(done));
    }
    await until(() => events.length === 1);
    expect(events).toEqual(["worker ended: 1006 the connection was lost"]);
  });

  test("that says nothing at all does not hold a socket", async () => {
    await listen({ server: { headersTimeout: 50, requestTimeout: 100, connectionsCheckingInterval: 10 } });
    const socket: Socket = connect(port(), "127.0.0.1");
    strangers.push(socket);
    socket.resume();
    await once(socket, "close");
  });
});

describe("connectSocket()", () => {
  test("gets a frame, and the end, that came together with the answer to the upgrade", async () => {
    const url = await listen({ tokens: false });
    server.removeAllListeners("upgrade");
    server.on("upgrade", (asking: IncomingMessage, socket: Socket) => {
      strangers.push(socket);
      const frame = encodeFrame(said, [{ type: "count", value: 5 }]);
      const answer = [
        "HTTP/1.1 101 Switching Protocols",
        "Connection: Upgrade",
        "Upgrade: websocket",
        `Sec-WebSocket-Accept: ${acceptKey(asking)}`,
      ];
      socket.end(
        Buffer.concat([
          Buffer.from(`${answer.join("\r\n")}\r\n\r\n`),
          Buffer.of(0x82, frame.length),
          frame,
          // Close, 1000.
          Buffer.of(0x88, 4, 0x03, 0xe8),
          Buffer.from("ok"),
        ]),
      );
    });
    const connection = await connectSocket(`${url}/worker`, { link });
    await new Promise((done) => setTimeout(done, 10));
    connection.onClose(({ reason }) => events.push(`ended: ${reason}`));
    connection.onMessages((frame) => events.push(...frame.map(({ value }) => `said ${value}`)));
    await until(() => events.length === 2);
    expect(events).toEqual(["said 5", "ended: ok"]);
  });

  test("says that a token was refused", async () => {
    const url = `${await listen()}/worker`;
    expect(await codeOf(connectSocket(url, { link, token: "wrong" }))).toEqual([
      "PE_ACCESS",
      `Cannot connect to ${url}: the token was refused (401 Unauthorized); use the access file of this scheduler`,
    ]);
    expect(await codeOf(connectSocket(url, { link, token: CLIENT }))).toEqual([
      "PE_ACCESS",
      `Cannot connect to ${url}: the token was refused (403 This token opens /client alone); use the access file of this scheduler`,
    ]);
  });

  test("says that nobody answers", async () => {
    await listen();
    expect(await codeOf(connectSocket("ws://127.0.0.1:1/worker", { link }))).toEqual([
      "PE_CONNECTION",
      "Cannot connect to ws://127.0.0.1:1/worker: ECONNREFUSED; is a scheduler running there?",
    ]);
  });

  test("gives up on a side that accepts and says nothing", async () => {
    const url = await listen();
    server.removeAllListeners("upgrade");
    server.on("upgrade", (_, socket: Socket) => strangers.push(socket));
    const [code] = await codeOf(connectSocket(`${url}/worker`, { link, timeoutMs: 20 }));
    expect(code).toBe("PE_CONNECTION");
  });

  test("stops when its signal aborts, before and while it connects", async () => {
    const url = await listen();
    server.removeAllListeners("upgrade");
    server.on("upgrade", (_, socket: Socket) => strangers.push(socket));
    const reason = new Error("the worker leaves");
    await expect(connectSocket(url, { link, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const abort = new AbortController();
    const connecting = connectSocket(url, { link, signal: abort.signal });
    setImmediate(() => abort.abort(reason));
    await expect(connecting).rejects.toBe(reason);
  });

  test.each(["http://a:1", "a:1", "ws://", ""])("refuses the address %j", async (url) => {
    await listen();
    expect((await codeOf(connectSocket(url, { link })))[0]).toBe("PE_PARAMETER");
  });
});

const certificate = makeCertificate();
const another = makeCertificate();

describe.skipIf(certificate === undefined || another === undefined)(
  "connectSocket() with TLS (needs the openssl program)",
  () => {
    test("of an address with TLS says that the other side has none, and which address to use", async () => {
      const plain = await listen();
      const [code, message] = await codeOf(connectSocket(`${plain.replace("ws:", "wss:")}/worker`, { link }));
      expect(code).toBe("PE_CONNECTION");
      expect(message).toMatch(/does not speak TLS; use ws:\/\/127\.0\.0\.1:\d+$/);
    });

    test("of an address without TLS says that the other side wants it, and which address to use", async () => {
      const secure = await listen({ tls: certificate! });
      const [code, message] = await codeOf(connectSocket(`${secure.replace("wss:", "ws:")}/worker`, { link }));
      expect(code).toBe("PE_CONNECTION");
      expect(message).toContain(`speaks TLS; use ${secure} with the access file`);
    });

    test("trusts the pinned certificate under any host name, and nothing else", async () => {
      const url = `${await listen({ tls: certificate! })}/worker`;
      const connection = await connectSocket(url, { link, token: WORKER, ca: certificate!.cert });
      connection.send({ type: "count", value: 3 });
      await until(() => events.length === 1);
      expect(events).toEqual(["worker said 3"]);
      for (const ca of [another!.cert, undefined]) {
        const [code, message] = await codeOf(connectSocket(url, { link, token: WORKER, ca }));
        expect(code).toBe("PE_ACCESS");
        expect(message).toMatch(/certificate is not trusted/);
      }
    });
  },
);
