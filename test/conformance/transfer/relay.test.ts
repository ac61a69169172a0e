/** Values through the scheduler: over HTTP and HTTPS, from holders that upload to needers that have nothing but its port. */
import { createServer, request, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { makeCertificates } from "../../../protocol/certificates.ts";
import { valueKey, type ValueName } from "../../../protocol/held-values.ts";
import { FetchFailed } from "../../../protocol/transfer/fetch-failed.ts";
import { createFetcher, type FetchRequest } from "../../../protocol/transfer/fetching.ts";
import { PIECE_BYTES } from "../../../protocol/transfer/pieces.ts";
import type { RelayAccess } from "../../../protocol/transfer/relayed.ts";
import { serveMemory, type ServedValue } from "../../../protocol/transfer/served-value.ts";
import { uploadValue } from "../../../protocol/transfer/uploading.ts";
import { handleHttp } from "../../../scheduler/http.ts";
import { Relay, type RelayLimits } from "../../../scheduler/relay.ts";
import { ValueStore } from "../../../worker/values/store.ts";
import { testFolder } from "../../support/folders.ts";
import { atEnd, blobOf, door, fetcher, NAME, sameBytes, until, valuesOf, wanted } from "../../support/values.ts";

const BYTES = 5 * PIECE_BYTES + 321;
const blob = blobOf(BYTES);
const { ca, cert, key } = makeCertificates(["127.0.0.1"]);
const TOKENS = { client: "token-of-a-client", worker: "token-of-a-worker" };

/** What a holder does when it is asked for a value. */
type Holder = (asked: Asked) => Promise<void>;

interface Asked {
  readonly relay: RelayAccess;
  readonly ticket: string;
  readonly name: ValueName;
  readonly signal: AbortSignal;
  /** Its connection to the scheduler ends. */
  readonly lose: () => void;
}

interface Relaying {
  readonly relay: Relay;
  readonly access: RelayAccess;
  /** Of uploads that ended in an error, as the holders saw it. */
  readonly faults: string[];
}

/** A relay behind the scheduler's HTTP, whose holders are these, by number of their link. */
async function relaying(
  holders: readonly Holder[],
  { isSecure = false, limits = {} }: { isSecure?: boolean; limits?: Partial<RelayLimits> } = {},
): Promise<Relaying> {
  const faults: string[] = [];
  const uploads: Promise<void>[] = [];
  const ending = new AbortController();
  const relay = new Relay(
    {
      holdersOf: () => holders.map((_, link) => ({ link, worker: `worker-${link}` })),
      askForUpload: (link, ticket, name) => {
        const told = holders[link]!({
          relay: { ...access, token: TOKENS.worker },
          ticket,
          name,
          signal: ending.signal,
          lose: () => relay.forget(link),
        });
        uploads.push(told.catch((error: unknown) => void faults.push((error as Error).message)));
        return true;
      },
    },
    limits,
  );
  const handler: RequestListener = handleHttp({
    tokens: () => Object.values(TOKENS),
    health: () => undefined,
    parts: undefined as never,
    relay,
    hosts: [],
    log: ({ text }) => faults.push(text),
  });
  const server: Server = isSecure ? createSecureServer({ cert, key }, handler) : createServer(handler);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  atEnd(async () => {
    ending.abort();
    relay.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await Promise.all(uploads);
  });
  const { port } = server.address() as AddressInfo;
  const access = isSecure
    ? { url: `wss://127.0.0.1:${port}`, token: TOKENS.client, ca }
    : { url: `ws://127.0.0.1:${port}`, token: TOKENS.client };
  return { relay, access, faults };
}

const has =
  (value: () => ServedValue | undefined | Promise<ServedValue>): Holder =>
  async ({ relay, ticket, signal }) =>
    await uploadValue({ relay, ticket, value: await value(), signal });
const good = has(() => serveMemory(blob));
const empty = has(() => undefined);
const silent: Holder = async () => await Promise.resolve();
const dead: Holder = async ({ lose }) => await Promise.resolve().then(lose);

function through(access: RelayAccess, more: Partial<FetchRequest> = {}): FetchRequest {
  return { name: NAME, bytes: BYTES, sources: [], relay: access, ...more };
}

async function failure(fetching: Promise<unknown>): Promise<FetchFailed> {
  const error = await fetching.then(
    () => new Error("it was fetched"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FetchFailed);
  return error as FetchFailed;
}

/** A value that does something before it gives this piece. */
function at(index: number, act: () => void | Promise<void>): ServedValue {
  const value = serveMemory(blob);
  return {
    ...value,
    piece: async (place) => {
      if (place === index) await act();
      return await value.piece(place);
    },
  };
}

describe.each([
  ["HTTP", false],
  ["HTTPS", true],
])("the relay over %s", (_, isSecure) => {
  test("brings a value to who has only the scheduler's port", async () => {
    const { relay, access } = await relaying([good], { isSecure });
    const needer = fetcher();
    for (let round = 0; round < 3; round++)
      expect(sameBytes(await needer.fetchValue(through(access)), blob)).toBe(true);
    await until(() => relay.health.now === 0);
    expect(relay.health).toMatchObject({ now: 0, waiting: 0, relayed: 3, failed: 0, bytes: 3 * (BYTES + 24) });
  });

  test.each([1, 5, PIECE_BYTES, PIECE_BYTES + 1])("brings values of %i bytes", async (bytes) => {
    const small = blobOf(bytes);
    const { access } = await relaying([has(() => serveMemory(small))], { isSecure });
    expect(sameBytes(await fetcher().fetchValue(through(access, { bytes })), small)).toBe(true);
  });

  test("brings a spilled value from its file", async () => {
    const store = new ValueStore({ parent: await testFolder() });
    atEnd(() => store.close());
    store.put(NAME, blob);
    await store.spill(NAME);
    const { access } = await relaying([has(() => store.open(NAME))], { isSecure });
    expect(sameBytes(await fetcher().fetchValue(through(access)), blob)).toBe(true);
  });

  test("is used when the holders cannot be reached, and not when they can", async () => {
    const { relay, access } = await relaying([good], { isSecure });
    const [near, gone] = [await door(valuesOf([NAME, blob])), await door(new Map())];
    await gone.close();
    const needer = fetcher();
    await needer.fetchValue({ ...wanted(BYTES, [near]), relay: access });
    expect(relay.health.relayed).toBe(0);
    for (let round = 0; round < 3; round++)
      await needer.fetchValue({ ...wanted(BYTES, [gone, undefined]), relay: access });
    await until(() => relay.health.relayed === 3);
  });

  test("is not asked when every holder says that it does not have the value", async () => {
    const { relay, access } = await relaying([good], { isSecure });
    const holder = await door(new Map());
    const { gone } = await failure(fetcher().fetchValue({ ...wanted(BYTES, [holder]), relay: access }));
    expect(gone).toEqual(["worker-0"]);
    expect(relay.health).toMatchObject({ relayed: 0, failed: 0 });
  });

  test("asks the next holder when one does not have it, or is gone", async () => {
    const { access } = await relaying([empty, dead, good], { isSecure });
    for (let round = 0; round < 5; round++)
      expect(sameBytes(await fetcher().fetchValue(through(access)), blob)).toBe(true);
  });

  test("names the holders that do not have it, and those that said nothing", async () => {
    const nobody = await relaying([empty, empty], { isSecure });
    const none = await failure(fetcher().fetchValue(through(nobody.access)));
    expect(none.gone.toSorted()).toEqual(["worker-0", "worker-1"]);
    expect(none.because).toMatch(/through the scheduler: worker-[01], worker-[01] do not have it/);
    const half = await relaying([dead, empty], { isSecure });
    const some = await failure(fetcher().fetchValue(through(half.access)));
    expect(some.gone).toEqual(["worker-1"]);
    expect(some.because).toBe("through the scheduler: worker-1 does not have it; worker-0 did not send it");
    const lost = await relaying([], { isSecure });
    expect((await failure(fetcher().fetchValue(through(lost.access)))).because).toContain("no worker has it");
  });

  test("refuses a wrong token", async () => {
    const { access } = await relaying([good], { isSecure });
    const { because } = await failure(fetcher().fetchValue(through({ ...access, token: "another" })));
    expect(because).toContain("the token was refused (401)");
  });

  test("passes on a damaged piece, which the needer finds and asks for again", async () => {
    let times = 0;
    const damaged = has(() => {
      const value = serveMemory(blob);
      return {
        ...value,
        piece: (index) => {
          const [piece, trailer] = value.piece(index) as Uint8Array[];
          return index === 1 && times++ === 0 ? [piece!, Buffer.alloc(4, 1)] : [piece!, trailer!];
        },
      };
    });
    const { access } = await relaying([damaged], { isSecure });
    expect(sameBytes(await fetcher().fetchValue(through(access)), blob)).toBe(true);
    expect(times).toBe(2);
  });

  test("tells the needer at once when the holder dies on the way", async () => {
    const dying: Holder = async (upload) => {
      const ending = new AbortController();
      const value = at(3, () => ending.abort());
      await uploadValue({ ...upload, value, signal: ending.signal });
    };
    const { relay, access, faults } = await relaying([dying], { isSecure });
    const { because } = await failure(fetcher().fetchValue(through(access)));
    expect(because).toContain("through the scheduler:");
    await until(() => relay.health.now === 0 && faults.length === 1);
    expect(relay.health).toMatchObject({ relayed: 0, failed: 1 });
  });

  test("tells the holder at once when the needer goes away", async () => {
    const leaving = new AbortController();
    let closed = 0;
    const holder = has(() => ({
      ...at(2, async () => {
        await until(() => relay.health.bytes > 0);
        leaving.abort(new Error("no more"));
      }),
      close: () => void closed++,
    }));
    const { relay, access } = await relaying([holder], { isSecure });
    await expect(fetcher().fetchValue(through(access, { signal: leaving.signal }))).rejects.toThrow("no more");
    await until(() => relay.health.now === 0 && closed === 1);
    expect(relay.health).toMatchObject({ relayed: 0, failed: 1 });
  });

  test("lets a holder send no faster than the needer takes", async () => {
    let pieces = 0;
    const large = serveMemory(blobOf(64 * PIECE_BYTES));
    const holder = has(() => ({
      ...large,
      piece: (index) => {
        pieces++;
        return large.piece(index);
      },
    }));
    const { relay, access } = await relaying([holder], { isSecure, limits: { silenceMs: 400 } });
    if (isSecure) return;
    const { port } = new URL(access.url.replace("ws", "http"));
    const headers = { authorization: `Bearer ${TOKENS.client}` };
    const asking = request({ port, host: "127.0.0.1", path: "/values/job/1", headers });
    const closed = new Promise<void>((done) =>
      asking.on("response", (response) =>
        response
          .pause()
          .on("error", () => undefined)
          .once("close", done),
      ),
    );
    asking.on("error", () => undefined).end();
    await until(() => relay.health.failed === 1);
    // What the systems and the streams between the two keep.
    expect(pieces).toBeLessThan(40);
    asking.destroy();
    await closed;
  });
});

describe("the relay", () => {
  test("pipes a few at once; others wait in line, and too many are told to come again", async () => {
    const begun: (() => void)[] = [];
    const slow = has(() => at(0, async () => await new Promise<void>((go) => void begun.push(go))));
    const { relay, access } = await relaying([slow], { limits: { atOnceMax: 2, waitingMax: 1 } });
    const needer = createFetcher();
    atEnd(() => needer.close());
    const fetching = [1, 2, 3].map(async () => await needer.fetchValue(through(access)));
    await until(() => relay.health.now === 2 && relay.health.waiting === 1);
    const { because } = await failure(needer.fetchValue(through(access)));
    expect(because).toContain("relays as many values as it can");
    await until(() => begun.length === 2);
    for (const go of begun) go();
    await until(() => begun.length === 3);
    begun[2]!();
    for (const found of await Promise.all(fetching)) expect(sameBytes(found, blob)).toBe(true);
    await until(() => relay.health.now === 0);
  });

  test("forgets who leaves the line", async () => {
    const { relay, access } = await relaying([silent], { limits: { atOnceMax: 1, holderMs: 60_000 } });
    const leaving = new AbortController();
    const [first, second] = [1, 2].map(
      async () => await fetcher().fetchValue(through(access, { signal: leaving.signal })),
    );
    await until(() => relay.health.now === 1 && relay.health.waiting === 1);
    leaving.abort(new Error("no more"));
    await expect(first).rejects.toThrow("no more");
    await expect(second).rejects.toThrow("no more");
    await until(() => relay.health.now === 0 && relay.health.waiting === 0);
  });

  test("waits a limited time for a holder that says nothing", async () => {
    const { access } = await relaying([silent, silent], { limits: { holderMs: 20 } });
    const { because } = await failure(fetcher().fetchValue(through(access)));
    expect(because).toMatch(/worker-[01], worker-[01] did not send it/);
  });

  test("waits no longer for a holder whose connection has ended", async () => {
    const { relay, access } = await relaying([silent], { limits: { holderMs: 60_000 } });
    const fetching = failure(fetcher().fetchValue(through(access)));
    await until(() => relay.health.now === 1);
    relay.forget(1);
    relay.forget(0);
    expect((await fetching).because).toContain("worker-0 did not send it");
  });

  test("takes each ticket once, and no others", async () => {
    const statuses: number[] = [];
    const twice: Holder = async (upload) => {
      await uploadValue({ ...upload, value: serveMemory(blob) });
      statuses.push(await put(upload.relay, upload.ticket, blob.byteLength, TOKENS.worker));
    };
    const { access } = await relaying([twice]);
    await fetcher().fetchValue(through(access));
    await until(() => statuses.length === 1);
    statuses.push(await put(access, "no-ticket", 100, TOKENS.worker), await put(access, "no-ticket", 100, "wrong"));
    expect(statuses).toEqual([410, 410, 401]);
  });

  test("refuses an upload whose length is not that of its value", async () => {
    const statuses: number[] = [];
    const odd: Holder = async ({ relay, ticket }) => {
      statuses.push(await put(relay, ticket, 0, TOKENS.worker), await put(relay, ticket, 2 ** 31, TOKENS.worker));
    };
    const { access } = await relaying([odd], { limits: { holderMs: 100 } });
    await failure(fetcher().fetchValue(through(access)));
    expect(statuses).toEqual([400, 400]);
  });

  test("answers other paths and methods plainly", async () => {
    const { access } = await relaying([good]);
    for (const [path, method, status] of [
      ["/values/job", "GET", 404],
      ["/values/job/x", "GET", 404],
      ["/values/job/4294967296", "GET", 404],
      ["/values/%ff/1", "GET", 404],
      ["/values/job/1", "POST", 405],
      ["/values/job/1/2", "GET", 404],
      ["/relay/x", "PUT", 410],
      ["/relay", "PUT", 404],
    ] as const)
      expect([path, await statusOf(access, path, method)]).toEqual([path, status]);
  });

  test("finds the job of a value by its id, whatever letters that has", async () => {
    let asked = "";
    const holder: Holder = async (upload) => {
      asked = valueKey(upload.name);
      await good(upload);
    };
    const { access } = await relaying([holder]);
    const name = { id: "a/b?c ä%2f", task: 4_294_967_295 };
    await fetcher().fetchValue(through(access, { name }));
    expect(asked).toBe(valueKey(name));
  });
});

async function put(access: RelayAccess, ticket: string, bytes: number, token: string): Promise<number> {
  return await statusOf({ ...access, token }, `/relay/${ticket}`, "PUT", {
    "x-value-bytes": bytes,
    "content-length": 0,
  });
}

function statusOf(
  { url, token }: RelayAccess,
  path: string,
  method: string,
  more: Record<string, number> = {},
): Promise<number> {
  const { port } = new URL(url.replace("ws", "http"));
  const headers = { authorization: `Bearer ${token}`, ...more };
  return new Promise((resolve, reject) => {
    const asking = request({ port, host: "127.0.0.1", path, method, headers }, (response) => {
      response.resume().on("error", () => undefined);
      resolve(response.statusCode ?? 0);
    });
    asking.on("error", reject);
    asking.end();
  });
}
