/**
 * One process of the benchmark of transfers: a holder, a needer, or a scheduler that relays. Does what it is told, one thing
 * after the other, and answers each with figures. Memory is that of the process beyond what it was before, at its highest.
 */
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { collectGarbage } from "../common/garbage.ts";
import { valueToken } from "../protocol/access.ts";
import { makeCertificates, makeOwnCertificate } from "../protocol/certificates.ts";
import type { ServingAt, ValueName } from "../protocol/held-values.ts";
import { openDoor } from "../protocol/transfer/door.ts";
import { createFetcher } from "../protocol/transfer/fetching.ts";
import type { RelayAccess } from "../protocol/transfer/relayed.ts";
import { uploadValue } from "../protocol/transfer/uploading.ts";
import { handleHttp } from "../scheduler/http.ts";
import { Relay } from "../scheduler/relay.ts";
import { ValueStore } from "../worker/values/store.ts";

const SECRET = "the-token-of-workers";
const HOST = "127.0.0.1";
const MEMORY_EVERY_MS = 5;
const SETTLE_MS = 200;

/** What a process is told. */
export type Told =
  /** Serves values, over TCP and over TLS. Answered with `Serving`. */
  | { readonly type: "serve" }
  | { readonly type: "hold"; readonly task: number; readonly bytes: number; readonly spilled: boolean }
  | { readonly type: "drop"; readonly task: number }
  /** Relays values of a holder, whose process is asked through the one that tells. Answered with `RelayAccess`. */
  | { readonly type: "relay"; readonly isSecure: boolean }
  | { readonly type: "upload"; readonly relay: RelayAccess; readonly ticket: string; readonly task: number }
  /** Fetches a value so many times. Answered with `Fetched`. */
  | {
      readonly type: "fetch";
      readonly task: number;
      readonly bytes: number;
      readonly times: number;
      readonly at?: ServingAt;
      readonly relay?: RelayAccess;
    }
  /** Takes new memory and writes to all of it, so many times: what the system asks for each page. Answered with `Fetched`. */
  | { readonly type: "touch"; readonly bytes: number; readonly times: number }
  /** How much memory it took since it was last asked. Answered with bytes. */
  | { readonly type: "memory" };

export interface Serving {
  readonly plain: ServingAt;
  readonly secure: ServingAt;
}

export interface Fetched {
  readonly ms: readonly number[];
  /** Of this process for one, on average, what it collects between them included. */
  readonly cpuMs: number;
}

/** Of a relay: a holder should upload. */
export interface AskUpload {
  readonly upload: { readonly relay: RelayAccess; readonly ticket: string; readonly task: number };
}

const store = new ValueStore({ parent: tmpdir() });
const fetcher = createFetcher();

async function act(told: Told): Promise<unknown> {
  switch (told.type) {
    case "serve":
      return await serve();
    case "hold":
      store.put(nameOf(told.task), filled(told.bytes));
      if (told.spilled) await store.spill(nameOf(told.task));
      collectGarbage();
      return {};
    case "drop":
      store.drop(nameOf(told.task));
      collectGarbage();
      return {};
    case "relay":
      return await relay(told.isSecure);
    case "upload": {
      const access = { ...told.relay, token: SECRET };
      await uploadValue({ relay: access, ticket: told.ticket, value: await store.open(nameOf(told.task)) });
      return {};
    }
    case "fetch":
      return await fetchOften(told);
    case "touch":
      return touchOften(told.bytes, told.times);
    case "memory":
      return await takeMemory();
  }
}

function nameOf(task: number): ValueName {
  return { id: "benchmark", task };
}

function filled(bytes: number): SharedArrayBuffer {
  const blob = new SharedArrayBuffer(bytes);
  const numbers = new Float64Array(blob, 0, bytes >> 3);
  for (let index = 0; index < numbers.length; index++) numbers[index] = Math.sin(index);
  return blob;
}

async function serve(): Promise<Serving> {
  const options = {
    host: HOST,
    tokenOf: (job: string) => valueToken(SECRET, job),
    openValue: (name: ValueName) => store.open(name),
  };
  const [plain, secure] = [await openDoor(options), await openDoor({ ...options, tls: makeOwnCertificate() })];
  return { plain: plain.at, secure: secure.at };
}

async function relay(isSecure: boolean): Promise<RelayAccess> {
  const { ca, cert, key } = makeCertificates([HOST]);
  const server: Server = isSecure ? createSecureServer({ cert, key }) : createServer();
  await new Promise<void>((done) => server.listen(0, HOST, done));
  const { port } = server.address() as AddressInfo;
  const access = { url: `${isSecure ? "wss" : "ws"}://${HOST}:${port}`, token: SECRET, ...(isSecure && { ca }) };
  const handler = handleHttp({
    tokens: () => [SECRET],
    health: () => undefined,
    parts: undefined as never,
    relay: new Relay({
      holdersOf: () => [{ link: 1, worker: "holder" }],
      askForUpload: (_, ticket, { task }) =>
        process.send!({ upload: { relay: access, ticket, task } } satisfies AskUpload),
    }),
    hosts: [],
    log: () => undefined,
  });
  server.on("request", handler);
  return access;
}

async function fetchOften({ task, bytes, times, at, relay: way }: Extract<Told, { type: "fetch" }>): Promise<Fetched> {
  const ms: number[] = [];
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) {
    const start = performance.now();
    const blob = await fetcher.fetchValue({
      name: nameOf(task),
      bytes,
      sources: at === undefined ? [] : [{ worker: "holder", at }],
      token: valueToken(SECRET, nameOf(task).id),
      relay: way,
    });
    ms.push(performance.now() - start);
    if (blob.byteLength !== bytes) throw new Error("not the value");
    // Not part of the time: a worker does it from time to time.
    if ((time + 1) * bytes > 64e6) collectGarbage();
  }
  return { ms, cpuMs: cpuMsSince(before, times) };
}

function cpuMsSince(before: NodeJS.CpuUsage, times: number): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / times;
}

const PAGE_BYTES = 4096;

function touchOften(bytes: number, times: number): Fetched {
  const ms: number[] = [];
  const before = process.cpuUsage();
  for (let time = 0; time < times; time++) {
    const start = performance.now();
    const memory = new Uint8Array(new SharedArrayBuffer(bytes));
    for (let at = 0; at < bytes; at += PAGE_BYTES) memory[at] = 1;
    ms.push(performance.now() - start);
    if ((time + 1) * bytes > 64e6) collectGarbage();
  }
  return { ms, cpuMs: cpuMsSince(before, times) };
}

/** Of the process, when it was last asked; and at its highest since. */
let [baseBytes, mostBytes] = [0, 0];
setInterval(() => (mostBytes = Math.max(mostBytes, process.memoryUsage.rss())), MEMORY_EVERY_MS).unref();

async function takeMemory(): Promise<number> {
  const taken = Math.max(mostBytes, process.memoryUsage.rss()) - baseBytes;
  // Memory is given back by other threads of the engine, a little later.
  for (let time = 0; time < 3; time++) {
    collectGarbage();
    await sleep(SETTLE_MS);
  }
  baseBytes = mostBytes = process.memoryUsage.rss();
  return taken;
}

/** Numbered, as questions and answers of one process may cross: a holder uploads while it is asked something else. */
interface Numbered {
  readonly number: number;
  readonly told: Told;
}

process.on("message", ({ number, told }: Numbered) => {
  act(told).then(
    (answer) => process.send!({ number, answer }),
    (error: unknown) => process.send!({ number, error: String(error) }),
  );
});
process.on("disconnect", () => void store.close().then(() => process.exit()));
