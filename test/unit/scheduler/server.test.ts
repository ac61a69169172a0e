import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { request as requestPlain, type IncomingHttpHeaders } from "node:http";
import { request as requestSecure } from "node:https";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { openPartStore, storeForJob } from "../../../data/part-store.ts";
import { authorization } from "../../../protocol/access.ts";
import { clientToScheduler, schedulerToClient } from "../../../protocol/client-link.ts";
import { connectSocket } from "../../../protocol/socket.ts";
import { schedulerToWorker, workerToScheduler } from "../../../protocol/worker-link.ts";
import { makeCertificates } from "../../../protocol/certificates.ts";
import { PART_BYTES_MAX, rangeOf } from "../../../scheduler/part-door.ts";
import { serveScheduler, type SchedulerServer, type ServeOptions } from "../../../scheduler/server.ts";
import { testFolder } from "../../support/folders.ts";
import { watchHandles } from "../../support/handles.ts";
import { until } from "../../support/journal.ts";
import { RawClient } from "../../support/raw-client.ts";
import { RawWorker } from "../../support/raw-worker.ts";
import { withSmallDisk } from "../../support/small-disk.ts";

const TOKENS = { clientToken: "client-token-0123456789", workerToken: "worker-token-0123456789" };
const open: { close(): Promise<unknown> }[] = [];
const handles = watchHandles();

afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one.close().catch(() => undefined);
  expect(await handles()).toEqual([]);
});

async function serve(more: Partial<ServeOptions> = {}): Promise<SchedulerServer> {
  const server = await serveScheduler({
    host: "127.0.0.1",
    port: 0,
    partsFolder: join(await testFolder(), "parts"),
    tokens: () => Promise.resolve(TOKENS),
    onFatal: (error) => {
      throw error;
    },
    ...more,
  });
  open.push(server);
  return server;
}

async function client(url: string, token: string | undefined = TOKENS.clientToken, ca?: string): Promise<RawClient> {
  const link = { out: clientToScheduler, in: schedulerToClient };
  const raw = new RawClient(await connectSocket(`${url}/client`, { link, token, ca }));
  open.push(raw);
  return raw;
}

async function worker(url: string, token = TOKENS.workerToken, ca?: string): Promise<RawWorker> {
  const link = { out: workerToScheduler, in: schedulerToWorker };
  const raw = new RawWorker().connect(await connectSocket(`${url}/worker`, { link, token, ca }));
  open.push(raw);
  return raw;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Ask {
  readonly method?: string;
  readonly token?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
  readonly ca?: string;
}

function ask(
  { url }: SchedulerServer,
  path: string,
  { method = "GET", token, headers, body, ca }: Ask = {},
): Promise<Answer> {
  const address = `${url.replace(/^ws/, "http")}${path}`;
  const all = { ...headers, ...(token !== undefined && { authorization: authorization(token) }) };
  const send = address.startsWith("https") ? requestSecure : requestPlain;
  return new Promise((done, fail) => {
    const request = send(
      address,
      { method, headers: all, agent: false, ...(ca !== undefined && { ca }) },
      (response) => {
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("end", () =>
          done({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }),
        );
      },
    );
    request.on("error", fail);
    request.end(body);
  });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const put = (bytes: Uint8Array, more: Ask = {}): Ask => ({
  method: "PUT",
  token: TOKENS.workerToken,
  headers: { "x-sha256": sha256(bytes) },
  body: bytes,
  ...more,
});
const codeOf = ({ body }: Answer): string => (JSON.parse(body.toString()) as { error: { code: string } }).error.code;

describe("serveScheduler()", () => {
  test("runs a job over sockets", async () => {
    const { url } = await serve();
    await worker(url);
    const asking = await client(url);
    const job = await asking.submit(300);
    expect((await asking.results(job)).size).toBe(300);
  });

  test("lets no token through the door of the other role, and nobody without one", async () => {
    const { url } = await serve();
    await expect(client(url, TOKENS.workerToken)).rejects.toMatchObject({ code: "PE_ACCESS" });
    await expect(worker(url, TOKENS.clientToken)).rejects.toMatchObject({ code: "PE_ACCESS" });
    await expect(client(url, "some-other-token-0123456789")).rejects.toMatchObject({ code: "PE_ACCESS" });
    const link = { out: clientToScheduler, in: schedulerToClient };
    await expect(connectSocket(`${url}/client`, { link })).rejects.toThrow(/token was refused \(401 Unauthorized\)/);
  });

  test("ends a connection that sends what is no frame, and goes on with the others", async () => {
    const { url, scheduler } = await serve();
    const asking = await client(url);
    for (const bytes of [
      Buffer.from([0xc1, 1, 2]),
      Buffer.alloc(0),
      Buffer.from([0x91, 0x91, 0x7f]),
      Buffer.alloc((1 << 20) + 1),
    ]) {
      const socket = new WebSocket(`${url}/client`, { headers: { authorization: authorization(TOKENS.clientToken) } });
      const code = new Promise<number>((done) => socket.on("close", done));
      socket.on("error", () => undefined);
      socket.on("open", () => socket.send(bytes));
      expect([1002, 1006, 1009]).toContain(await code);
    }
    expect((await asking.ask({ type: "status" }, "statusIs")).jobs).toEqual([]);
    await until(() => scheduler.health().connections.clients === 1);
  });

  test("lets what a reader does not take wait, without those beside it, and goes on when it reads", async () => {
    const { url, scheduler } = await serve();
    const filler = Buffer.alloc(20_000, "x");
    const link = { out: workerToScheduler, in: schedulerToWorker };
    const busy = new RawWorker({ run: () => filler }).connect(
      await connectSocket(`${url}/worker`, { link, token: TOKENS.workerToken }),
    );
    open.push(busy);
    const good = await client(url);
    const job = await good.submit(1500);
    await good.results(job);
    const lazy = await client(url);
    await lazy.ask({ type: "status" }, "statusIs");
    lazy.connection.pause();
    for (let request = 1000; request < 1004; request++)
      lazy.connection.send({ type: "watch", request, job, results: true });
    await until(() => scheduler.health().connections.messagesWaiting > 0);
    // The rest goes on beside it.
    expect((await good.ask({ type: "status" }, "statusIs")).jobs).toHaveLength(1);
    lazy.connection.resume();
    await until(() => scheduler.health().connections.messagesWaiting === 0 || lazy.end !== undefined);
    expect(lazy.end).toBeUndefined();
  });

  test("speaks TLS to whoever trusts its authority, under any name", async () => {
    const { ca, cert, key } = makeCertificates(["localhost", "127.0.0.1"]);
    const server = await serve({ tls: { cert, key } });
    expect(server.url).toMatch(/^wss:/);
    await worker(server.url, TOKENS.workerToken, ca);
    const asking = await client(server.url, TOKENS.clientToken, ca);
    expect((await asking.results(await asking.submit(10))).size).toBe(10);
    expect((await ask(server, "/health", { ca })).status).toBe(200);
    const other = makeCertificates(["127.0.0.1"]).ca;
    await expect(client(server.url, TOKENS.clientToken, other)).rejects.toMatchObject({ code: "PE_ACCESS" });
    // Its certificate names nobody here: pinned, that does not matter.
    const bytes = Buffer.from("part");
    const store = openPartStore("scheduler:", { schedulerUrl: server.url, token: TOKENS.clientToken, ca });
    await store.put("a", bytes);
    expect(await store.get("a")).toEqual(bytes);
  });

  test("says that it cannot listen where somebody listens, or where there is no such address", async () => {
    const { port } = await serve();
    await expect(serve({ port })).rejects.toMatchObject({ code: "PE_ADDRESS", exit: 69 });
    await expect(serve({ host: "192.0.2.1" })).rejects.toThrow(/this machine has no such address/);
  });

  test("takes no more connections than it may", async () => {
    const { url } = await serve({ connectionsMax: 1 });
    await client(url);
    await expect(client(url)).rejects.toThrow(/All 1 connections are taken/);
  });

  test("gives everything back when the tokens cannot be had", async () => {
    const journal = await testFolder();
    const tokens = (): Promise<never> => Promise.reject(new Error("no tokens"));
    await expect(serve({ journal, tokens })).rejects.toThrow("no tokens");
    await serve({ journal });
  });
});

describe("/health", () => {
  test("tells whether the scheduler is well to everybody, and the rest to those with a token", async () => {
    const server = await serve({ journal: await testFolder() });
    const stranger = await ask(server, "/health");
    expect([stranger.status, stranger.body.toString()]).toEqual([200, '{"status":"ok"}\n']);
    expect(stranger.headers["cache-control"]).toBe("no-store");
    for (const token of Object.values(TOKENS)) {
      const known = JSON.parse((await ask(server, "/health", { token })).body.toString()) as Record<string, unknown>;
      expect(known).toMatchObject({ status: "ok", jobs: 0, journal: { status: "open" }, connections: { workers: 0 } });
      expect(JSON.stringify(known)).not.toMatch(/token|\/tmp/);
    }
    const store = openPartStore("scheduler:", { schedulerUrl: server.url, token: TOKENS.clientToken });
    expect(await store.freeBytes!()).toBeGreaterThan(0);
    expect((await ask(server, "/health", { method: "POST" })).status).toBe(405);
    expect((await ask(server, "/health", { method: "HEAD" })).body).toHaveLength(0);
  });

  test("says so when the store of parts has no disk, or no room", async (context) => {
    const statusOf = async (server: SchedulerServer): Promise<unknown> => {
      const { status, body } = await ask(server, "/health", { token: TOKENS.clientToken });
      const { status: word, parts } = JSON.parse(body.toString()) as { status: string; parts: { status: string } };
      return [status, word, parts.status];
    };
    const partsFolder = join(await testFolder(), "parts");
    const server = await serve({ partsFolder });
    expect(await statusOf(server)).toEqual([200, "ok", "ok"]);
    rmSync(partsFolder, { recursive: true });
    expect(await statusOf(server)).toEqual([503, "parts-missing", "missing"]);
    expect((await ask(server, "/health")).body.toString()).toBe('{"status":"parts-missing"}\n');
    await withSmallDisk(context, "1m", async (folder) => {
      const small = await serve({ partsFolder: folder });
      expect(await statusOf(small)).toEqual([200, "ok", "ok"]);
      const large = Buffer.alloc(2 << 20);
      const answered = await ask(small, "/parts/a", { ...put(large), headers: { "x-sha256": sha256(large) } });
      expect(answered.status).toBe(507);
      expect(await statusOf(small)).toEqual([503, "parts-full", "full"]);
      expect((await ask(small, "/parts/b", put(Buffer.from("small")))).status).toBe(204);
      expect(await statusOf(small)).toEqual([200, "ok", "ok"]);
      const filler = Buffer.alloc((1 << 20) - (40 << 10));
      expect((await ask(small, "/parts/c", put(filler))).status).toBe(204);
      expect(await statusOf(small)).toEqual([503, "parts-full", "full"]);
      await small.close();
    });
  });

  test("answers strangers under its own names alone", async () => {
    const server = await serve({ hosts: ["lab.example"] });
    const statusFor = async (host: string, token?: string): Promise<number> =>
      (await ask(server, "/health", { headers: { host }, token })).status;
    for (const host of ["localhost:8786", "127.0.0.1", "[::1]:1", "LAB.example:80", "10.1.2.3"])
      expect(await statusFor(host)).toBe(200);
    for (const host of ["evil.example", "127.0.0.1.evil.example:8786", "localhost.evil.example"]) {
      expect(await statusFor(host)).toBe(421);
      expect(await statusFor(host, TOKENS.clientToken)).toBe(200);
    }
  });

  test("knows no other path, and no way without a token", async () => {
    const server = await serve();
    for (const path of ["/", "/parts/a", "/parts/", "/health/x"]) expect((await ask(server, path)).status).toBe(401);
    const token = TOKENS.clientToken;
    for (const path of ["/", "/parts/", "/parts/a/b", "/health/x"])
      expect((await ask(server, path, { token })).status).toBe(404);
    expect((await ask(server, "/", { token: "some-other-token-0123456789" })).headers["www-authenticate"]).toBe(
      "Bearer",
    );
  });

  test("answers 503 while the scheduler starts", async () => {
    let answered: Answer | undefined;
    const server = await serve({
      tokens: async (url) => {
        answered = await ask({ url } as SchedulerServer, "/health");
        return TOKENS;
      },
    });
    expect([answered?.status, answered?.body.toString()]).toEqual([503, '{"status":"starting"}\n']);
    expect((await ask(server, "/health")).status).toBe(200);
  });
});

describe("/parts", () => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 256));

  test("keeps what either role stores, as in a folder of parts", async () => {
    const partsFolder = join(await testFolder(), "parts");
    const server = await serve({ partsFolder });
    for (const [role, token] of Object.entries(TOKENS)) {
      const name = role.toLowerCase();
      const store = openPartStore("scheduler:", { schedulerUrl: server.url, token });
      await store.put(name, bytes);
      expect(await store.has(name)).toBe(true);
      expect(await store.get(name)).toEqual(bytes);
      const slice = Buffer.alloc(10);
      await store.getSlice(name, 100, slice);
      expect(slice).toEqual(bytes.subarray(100, 110));
      expect(await store.get("absent")).toBeUndefined();
      expect(await openPartStore(`file://${partsFolder}`).get(name)).toEqual(bytes);
    }
    expect(readdirSync(partsFolder).toSorted()).toEqual(["clienttoken", "workertoken"]);
    expect(statSync(join(partsFolder, "clienttoken")).mode & 0o077).toBe(0);
  });

  test("answers with one range, the whole, or that there is no such range", async () => {
    const server = await serve();
    expect((await ask(server, "/parts/a", put(bytes))).status).toBe(204);
    const get = async (range?: string): Promise<Answer> =>
      await ask(server, "/parts/a", { token: TOKENS.clientToken, headers: range === undefined ? {} : { range } });
    const whole = await get();
    expect([whole.status, whole.headers["x-sha256"], whole.body]).toEqual([200, sha256(bytes), bytes]);
    const part = await get("bytes=10-19");
    expect([part.status, part.headers["content-range"]]).toEqual([206, "bytes 10-19/1000"]);
    expect(part.body).toEqual(bytes.subarray(10, 20));
    expect((await get("bytes=990-")).body).toEqual(bytes.subarray(990));
    expect((await get("bytes=-5")).body).toEqual(bytes.subarray(995));
    expect((await get("bytes=0-1,5-6")).status).toBe(200);
    const beyond = await get("bytes=1000-");
    expect([beyond.status, beyond.headers["content-range"]]).toEqual([416, "bytes */1000"]);
    const head = await ask(server, "/parts/a", { method: "HEAD", token: TOKENS.clientToken });
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, "1000", 0]);
  });

  test("refuses bytes that are not those that were announced, and leaves nothing of them", async () => {
    const partsFolder = join(await testFolder(), "parts");
    const server = await serve({ partsFolder });
    const wrong = await ask(server, "/parts/a", put(bytes, { headers: { "x-sha256": sha256(Buffer.from("other")) } }));
    expect([wrong.status, codeOf(wrong)]).toEqual([400, "PE_PARAMETER"]);
    expect((await ask(server, "/parts/a", put(bytes, { headers: {} }))).status).toBe(400);
    const large = put(bytes, { headers: { "x-sha256": sha256(bytes), "content-length": String(PART_BYTES_MAX + 1) } });
    expect((await ask(server, "/parts/a", large)).status).toBe(413);
    expect((await ask(server, "/parts/a", put(bytes, { method: "DELETE" }))).status).toBe(405);
    expect(readdirSync(partsFolder)).toEqual([]);
  });

  test("leaves nothing of a part whose sender goes away, and keeps the one before", async () => {
    const partsFolder = join(await testFolder(), "parts");
    const server = await serve({ partsFolder });
    await ask(server, "/parts/a", put(bytes));
    const socket = connectTcp(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      `PUT /parts/a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKENS.workerToken}\r\n` +
        `x-sha256: ${"0".repeat(64)}\r\nContent-Length: 1000\r\n\r\nonly this`,
    );
    await until(() => readdirSync(partsFolder).length === 2);
    socket.destroy();
    await until(() => readdirSync(partsFolder).length === 1);
    expect((await ask(server, "/parts/a", { token: TOKENS.clientToken })).body).toEqual(bytes);
  });

  test.each(["..", "%2e%2e", "A", "a%2fb", ".a", "a".repeat(129), "a%00"])("has no part called %s", async (name) => {
    const server = await serve();
    const answered = await ask(server, `/parts/${name}`, put(bytes));
    expect(answered.status).toBe(404);
  });

  test("follows no link out of its folder, and shows nothing of a file that is no part", async () => {
    const folder = await testFolder();
    const server = await serve({ partsFolder: folder });
    writeFileSync(join(folder, "secret"), "x".repeat(100));
    symlinkSync(join(folder, "secret"), join(folder, "link"));
    writeFileSync(join(folder, "torn"), "short");
    for (const name of ["link", "torn"])
      expect((await ask(server, `/parts/${name}`, { token: TOKENS.clientToken })).status).toBe(404);
    expect(readFileSync(join(folder, "secret"), "utf8")).toHaveLength(100);
  });

  test("frees the parts of a job that is released, but those that another job has stored or found", async () => {
    const partsFolder = join(await testFolder(), "parts");
    const server = await serve({ partsFolder });
    const raw = await client(server.url);
    const access = { schedulerUrl: server.url, token: TOKENS.workerToken };
    for (const job of ["one", "two"]) {
      await raw.submit(0, { id: job });
      const store = openPartStore(storeForJob("scheduler:", job), access);
      await store.put("shared", bytes);
      await store.put(`of-${job}`, bytes);
    }
    // Found is as good as stored.
    expect(await openPartStore(storeForJob("scheduler:", "two"), access).get("of-one")).toEqual(bytes);
    await openPartStore("scheduler:", access).put("of-nobody", bytes);
    await raw.ask({ type: "release", job: 2 }, "ok");
    await until(() => !existsSync(join(partsFolder, "of-two")));
    expect(readdirSync(partsFolder).toSorted()).toEqual([".jobs", "of-nobody", "of-one", "shared"]);
    expect((await ask(server, "/parts/of-one", put(bytes, { headers: { "x-job": "%" } }))).status).toBe(400);
  });

  test("says that its disk is full", async (context) => {
    await withSmallDisk(context, "64k", async (folder) => {
      const server = await serve({ partsFolder: join(folder, "parts") });
      const answered = await ask(server, "/parts/a", put(Buffer.alloc(100_000)));
      expect([answered.status, codeOf(answered)]).toEqual([507, "PE_DISK_FULL"]);
      expect((await ask(server, "/parts/a", put(bytes))).status).toBe(204);
      await server.close();
    });
  });
});

test("rangeOf() reads one range of bytes", () => {
  expect(rangeOf("bytes=0-0", 10)).toEqual({ start: 0, stop: 1 });
  expect(rangeOf("bytes=5-99", 10)).toEqual({ start: 5, stop: 10 });
  expect(rangeOf("bytes=-99", 10)).toEqual({ start: 0, stop: 10 });
  expect(rangeOf("bytes=-0", 10)).toBe("beyond");
  expect(rangeOf("bytes=0-", 0)).toBe("beyond");
  for (const header of [undefined, "bytes=", "bytes=-", "bytes=5-4", "lines=1-2", "bytes=1-2, 4-5"])
    expect(rangeOf(header, 10)).toBeUndefined();
});
