/**
 * Everything that a network and a server can do wrong, between this program and a real S3 server.
 *
 * Goal: content is right or there is a named error, within bounded tries; wrong content accepted: 0. Method: a proxy
 * before Ceph's gateway spoils answers; a small mock says what no real server does. The random part prints its seed:
 * replay it with `PE_SEED=<seed>`.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Random } from "../../common/random.ts";
import { openObjectStore } from "../../data/objects/open.ts";
import { PATIENCE } from "../../data/objects/patience.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { testFolder } from "../support/folders.ts";
import { watchHandles } from "../support/handles.ts";
import { accessTo, asUser, makeBucket, setEnvironment } from "../support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../support/s3/ceph.ts";
import {
  atFirst,
  errorBody,
  startFaultProxy,
  type Asked,
  type Fault,
  type FaultProxy,
} from "../support/s3/fault-proxy.ts";
import type { S3Server } from "../support/s3/server.ts";

const START_MS = 120_000;
const BYTES = 300_000;
const patience = { ...PATIENCE, waitFirstMs: 1, waitMostMs: 4, idleMs: 4000, stuckMs: 30_000 };
/** For tests of silence. A busy machine may seem silent for so long: they count no tries. */
const hasty = { ...patience, idleMs: 400 };

const against = reasonAgainstCeph();
if (against !== undefined) test.skip(`faults between here and Ceph: ${against}`, () => {});
else describe("between here and Ceph's S3 gateway", () => suite());

function suite(): void {
  let server: S3Server;
  let proxy: FaultProxy;
  let restore: () => void;
  /** Straight to the server, and through the proxy. */
  let straight: ObjectStore;
  let store: ObjectStore;
  let left: () => Promise<string[]>;
  let putBack: (() => void) | undefined;
  const content = randomBytes(BYTES);
  let etag: string;

  const isGet = ({ method, url }: Asked): boolean => method === "GET" && !url.includes("list-type");
  const isPut = ({ method }: Asked): boolean => method === "PUT";
  const isList = ({ url }: Asked): boolean => url.includes("list-type");

  beforeAll(async () => {
    server = await startCeph([["SECONDKEY", "secondsecret"]]);
    restore = asUser(server);
    proxy = await startFaultProxy(server.port);
    await makeBucket(server, "faults");
  }, START_MS);
  afterAll(async () => {
    await proxy?.stop();
    restore?.();
    await server?.stop();
  });
  beforeEach(async () => {
    left = watchHandles();
    straight = openObjectStore("s3://faults/with  spaces", accessTo(server));
    store = openObjectStore("s3://faults/with  spaces", accessTo(proxy, { patience }));
    etag = (await straight.write("a b", content)).version;
    // Loads the SDK and opens a connection, so that only what is meant takes time below.
    await store.stat("a b");
    proxy.take();
  });
  afterEach(async () => {
    putBack?.();
    putBack = undefined;
    proxy.plan = () => undefined;
    store.close();
    straight.close();
    expect(await left()).toEqual([]);
  });

  const reopen = (chosen: typeof patience): ObjectStore => {
    store.close();
    return openObjectStore("s3://faults/with  spaces", accessTo(proxy, { patience: chosen }));
  };
  const isSilent = (fault: Fault): boolean =>
    fault === "silence" || (typeof fault === "object" && "after" in fault && fault.after?.[1] === "silence");

  const readRight = async (): Promise<Asked[]> => {
    const { bytes, verified } = await store.read("a b");
    expect(Buffer.compare(bytes, content)).toBe(0);
    expect(verified).toBe("sha256");
    return proxy.take();
  };
  const goOnAt = (start: number) => ({ range: `bytes=${start}-${BYTES - 1}`, ifMatch: `"${etag}"` });

  const gone: [string, Fault][] = [
    ["500", { answer: 500, body: errorBody("InternalError") }],
    ["503", { answer: 503, body: errorBody("SlowDown") }],
    ["429 that is no XML", { answer: 429, body: "slow down" }],
    ["502 of a proxy", { answer: 502, body: "<html>bad gateway</html>" }],
    ["a reset connection", "reset"],
    ["silence before the answer", "silence"],
    ["an answer that is lost", "lost answer"],
    ["200 with an error", { answer: 200, body: errorBody("InternalError") }],
    ["200 with an empty body", { answer: 200, body: "" }],
    [
      "206 that was not asked for",
      { answer: 206, headers: { etag: '"x"', "content-range": "bytes 0-4/5" }, body: "hello" },
    ],
  ];

  test.each(gone)("read() outlasts %s", async (_, fault) => {
    if (isSilent(fault)) store = reopen(hasty);
    proxy.plan = atFirst(4, isGet, fault);
    const tries = (await readRight()).filter(isGet).length;
    if (isSilent(fault)) expect(tries).toBeGreaterThanOrEqual(5);
    else expect(tries).toBe(5);
  });

  test.each(gone)("read() gives up on %s that does not end, after bounded tries, with a name", async (_, fault) => {
    if (isSilent(fault)) store = reopen(hasty);
    proxy.plan = atFirst(Infinity, isGet, fault);
    await expect(store.read("a b")).rejects.toMatchObject({
      code: "PE_STORE_UNAVAILABLE",
      message: expect.stringMatching(
        /^Cannot read s3:\/\/faults\/with {2}spaces\/a b: .* \(tried 8 times\)$/,
      ) as string,
    });
    expect(proxy.take().filter(isGet)).toHaveLength(PATIENCE.triesMax);
  });

  test.each(gone)("list() outlasts %s, and never takes it for an empty page", async (_, fault) => {
    if (isSilent(fault)) store = reopen(hasty);
    proxy.plan = atFirst(3, isList, fault);
    const names: string[] = [];
    for await (const { name } of store.list()) names.push(name);
    expect(names).toContain("a b");
  });

  test.each(gone)("write() outlasts %s", async (_, fault) => {
    if (isSilent(fault)) store = reopen(hasty);
    proxy.plan = atFirst(3, isPut, fault);
    const { version } = await store.write("written", content);
    const back = await straight.read("written", { ifVersion: version });
    expect(Buffer.compare(back.bytes, content)).toBe(0);
  });

  const broken: [string, Fault, number][] = [
    ["silence in the body", { after: [100_000, "silence"] }, 100_000],
    ["a connection that is cut in the body", { after: [100_000, "reset"] }, 100_000],
    ["a body in chunks that ends early", { after: [100_000, "end"], chunked: true }, 100_000],
    ["a body in chunks that is cut", { after: [100_000, "reset"], chunked: true }, 100_000],
    ["a body in chunks that falls silent", { after: [100_000, "silence"], chunked: true }, 100_000],
  ];

  test.each(broken)("read() goes on where it was after %s, with the same version", async (_, fault, start) => {
    if (isSilent(fault)) store = reopen(hasty);
    proxy.plan = atFirst(1, isGet, fault);
    const asked = (await readRight()).filter(isGet);
    if (!isSilent(fault)) expect(asked).toHaveLength(2);
    expect(asked[1]).toMatchObject(goOnAt(start));
  });

  test("read() is not counted as stuck while it makes progress", async () => {
    let start = 0;
    proxy.plan = (asked) => (isGet(asked) && (start += 10_000) < BYTES ? { after: [10_000, "reset"] } : undefined);
    expect(await readRight()).toHaveLength(BYTES / 10_000);
  });

  test("read() takes a body that trickles for silent", async () => {
    store = reopen(hasty);
    let start = 0;
    // Some bytes each time, never enough to be more than silence.
    proxy.plan = (asked) => (isGet(asked) && start++ < 3 ? { after: [7, "silence"] } : undefined);
    expect((await readRight()).filter(isGet).length).toBeGreaterThanOrEqual(4);
  });

  const wrongRanges: [string, Fault][] = [
    ["another place", { head: (head) => (head["content-range"] = `bytes 99999-${BYTES - 2}/${BYTES}`) }],
    ["another length", { head: (head) => (head["content-range"] = `bytes 100000-${BYTES - 2}/${BYTES}`) }],
    [
      "an object of another length",
      { head: (head) => (head["content-range"] = `bytes 100000-${BYTES - 1}/${BYTES + 1}`) },
    ],
    ["no place", { head: (head) => delete head["content-range"] }],
    ["more than it says", { chunked: true, body: (body) => Buffer.concat([body, Buffer.from("more")]) }],
    ["no version", { head: (head) => delete head.etag }],
  ];

  test.each(wrongRanges)("read() refuses a range of %s", async (_, fault) => {
    let gets = 0;
    proxy.plan = (asked) => {
      if (!isGet(asked)) return undefined;
      gets++;
      return gets === 1 ? { after: [100_000, "reset"] } : gets <= 3 ? fault : undefined;
    };
    expect((await readRight()).filter(isGet)).toHaveLength(4);
    const some = { range: { start: 100_000, stop: BYTES } };
    gets = 1;
    expect(Buffer.compare((await store.read("a b", some)).bytes, content.subarray(100_000))).toBe(0);
  });

  test("read() refuses another version from a server that does not heed If-Match", async () => {
    const other = `"${"0".repeat(32)}"`;
    proxy.plan = (asked) =>
      asked.range === undefined ? { after: [100_000, "reset"] } : { head: (head) => (head.etag = other) };
    await expect(store.read("a b")).rejects.toMatchObject({ code: "PE_OBJECT_CHANGED" });
  });

  test("read() finds its range in the whole object where a server ignores ranges", async () => {
    proxy.plan = (asked) =>
      isGet(asked)
        ? { answer: 200, headers: { etag: `"${etag}"`, "content-length": String(BYTES) }, body: content }
        : undefined;
    const { bytes } = await store.read("a b", { range: { start: 1234, stop: 5678 } });
    expect(Buffer.compare(bytes, content.subarray(1234, 5678))).toBe(0);
    proxy.plan = (asked) =>
      asked.range === undefined
        ? { after: [100_000, "reset"] }
        : { answer: 200, headers: { etag: `"${etag}"` }, body: content };
    await readRight();
  });

  test("read() that finds other bytes than were written reads again, and gives up with a name", async () => {
    const flip = (body: Buffer): Buffer => {
      const flipped = Buffer.from(body);
      flipped[123_456]! ^= 1;
      return flipped;
    };
    proxy.plan = atFirst(2, isGet, { body: flip });
    await readRight();
    proxy.plan = atFirst(Infinity, isGet, { body: flip });
    await expect(store.read("a b")).rejects.toMatchObject({
      code: "PE_OBJECT_CORRUPT",
      message: expect.stringContaining("s3://faults/with  spaces/a b") as string,
    });
    expect(proxy.take().length).toBeLessThanOrEqual(6);
  });

  test("read() finds other bytes in what others wrote: by its ETag, of one piece or several, or by a second reading", async () => {
    let flips = 0;
    const flip = (body: Buffer): Buffer => {
      const flipped = Buffer.from(body);
      if (flips-- > 0) flipped[777]! ^= 64;
      return flipped;
    };
    const forget = (head: Record<string, string>): void => {
      for (const name of Object.keys(head)) if (name.startsWith("x-amz-meta")) delete head[name];
    };
    proxy.plan = () => ({ head: forget, body: flip });
    flips = 1;
    let read = await store.read("a b");
    expect([read.verified, Buffer.compare(read.bytes, content)]).toEqual(["md5", 0]);
    proxy.plan = () => ({
      answer: 200,
      headers: { etag: '"opaque"', "content-length": String(BYTES) },
      body: flip(content),
    });
    flips = 1;
    read = await store.read("a b");
    expect([read.verified, Buffer.compare(read.bytes, content)]).toEqual(["twice", 0]);
    const large = randomBytes(65 * 2 ** 20);
    await straight.write("pieces", large);
    proxy.plan = () => ({ head: forget, body: flip });
    flips = 1;
    read = await store.read("pieces");
    expect([read.verified, Buffer.compare(read.bytes, large)]).toEqual(["pieces", 0]);
  });

  test("read() of an object that is replaced meanwhile is an error with its name", async () => {
    // Nothing more comes until it is replaced, however long that takes.
    store = reopen({ ...patience, triesMax: 10_000, triesInAllMax: 10_000 });
    let goesOn = (): void => undefined;
    const hasPart = new Promise<void>((resolve) => (goesOn = resolve));
    proxy.plan = (asked) => {
      if (!isGet(asked)) return undefined;
      // Before that the server itself may not have been asked yet, and would tell of the object that comes.
      if (asked.range === undefined) return { after: [100_000, "reset"] };
      goesOn();
      return "reset";
    };
    const reading = store.read("a b");
    await hasPart;
    await straight.write("a b", randomBytes(BYTES));
    proxy.plan = () => undefined;
    await expect(reading).rejects.toMatchObject({
      code: "PE_OBJECT_CHANGED",
      message: expect.stringContaining("s3://faults/with  spaces/a b") as string,
    });
    await expect(store.read("a b", { ifVersion: etag })).rejects.toMatchObject({ code: "PE_OBJECT_CHANGED" });
  });

  test.each([
    [403, "AccessDenied", "PE_OBJECT_DENIED"],
    [404, "NoSuchKey", "PE_OBJECT_MISSING"],
    [404, "NoSuchBucket", "PE_OBJECT_MISSING"],
    [412, "PreconditionFailed", "PE_OBJECT_CHANGED"],
    [400, "InvalidRequest", "PE_STORE_REFUSED"],
    [400, "ExpiredToken", "PE_CREDENTIALS"],
    [501, "NotImplemented", "PE_STORE_REFUSED"],
  ])("read() that is answered %i %s is %s", async (status, name, code) => {
    proxy.plan = () => ({ answer: status, body: errorBody(name) });
    await expect(store.read("a b")).rejects.toMatchObject({ code });
    // Renewed credentials are tried twice.
    expect(proxy.take()).toHaveLength(name === "ExpiredToken" ? 3 : 1);
  });

  test("the server's own 403 and 404 are told apart, for HEAD too", async () => {
    putBack = setEnvironment({ AWS_SECRET_ACCESS_KEY: "wrong" });
    const other = openObjectStore("s3://faults", accessTo(server));
    for (const act of [() => other.read("x"), () => other.stat("x"), () => other.write("x", content)])
      await expect(act()).rejects.toMatchObject({
        code: "PE_OBJECT_DENIED",
        message: expect.stringContaining("SignatureDoesNotMatch") as string,
      });
    other.close();
    putBack();
    const nowhere = openObjectStore("s3://no-such-bucket", accessTo(server));
    const listing = nowhere.list()[Symbol.asyncIterator]();
    for (const act of [
      () => nowhere.read("x"),
      () => nowhere.stat("x"),
      () => nowhere.write("x", content),
      () => listing.next(),
    ])
      await expect(act()).rejects.toMatchObject({
        code: "PE_OBJECT_MISSING",
        message: expect.stringContaining("there is no such bucket") as string,
      });
    nowhere.close();
  });

  test("credentials that expire in mid-run are read anew, and the read goes on", async () => {
    const folder = await testFolder();
    const file = join(folder, "credentials");
    const write = (key: string, secret: string): void =>
      writeFileSync(file, `[default]\naws_access_key_id = ${key}\naws_secret_access_key = ${secret}\n`);
    write(server.accessKey, server.secretKey);
    putBack = setEnvironment({
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      AWS_SHARED_CREDENTIALS_FILE: file,
    });
    const renewing = openObjectStore("s3://faults/with  spaces", accessTo(proxy, { patience }));
    let requests = 0;
    proxy.plan = ({ accessKey }) => {
      if (++requests === 1) return { after: [100_000, "reset"] };
      if (accessKey === "SECONDKEY") return { answer: 200, headers: { etag: `"${etag}"` }, body: content };
      write("SECONDKEY", "secondsecret");
      return { answer: 400, body: errorBody("ExpiredToken") };
    };
    expect(Buffer.compare((await renewing.read("a b")).bytes, content)).toBe(0);
    const asked = proxy.take();
    expect(asked).toHaveLength(3);
    expect(asked[0]).toMatchObject({ accessKey: server.accessKey });
    expect(asked[2]).toMatchObject({ accessKey: "SECONDKEY", ...goOnAt(100_000) });
    renewing.close();
  });

  test("no credentials at all are an error that says what to set", async () => {
    putBack = setEnvironment({ AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined });
    const nobody = openObjectStore("s3://faults", accessTo(proxy, { patience }));
    await expect(nobody.read("x")).rejects.toMatchObject({
      code: "PE_CREDENTIALS",
      message: expect.stringContaining("AWS_PROFILE") as string,
    });
    nobody.close();
    const anonymous = openObjectStore("s3://faults", accessTo(proxy, { patience, anonymous: true }));
    await expect(anonymous.read("x")).rejects.toMatchObject({ code: "PE_OBJECT_DENIED" });
    expect(proxy.take().every(({ accessKey }) => accessKey === undefined)).toBe(true);
    anonymous.close();
  });

  test("write({ ifAbsent }) knows its own object when the answer was lost", async () => {
    expect(await store.conditions()).toEqual({ ifAbsent: true, ifVersion: true });
    proxy.plan = atFirst(1, isPut, "lost answer");
    const { version } = await store.write("marker 1", content, { ifAbsent: true });
    expect(await straight.stat("marker 1")).toMatchObject({ version });
    proxy.plan = atFirst(1, isPut, "reset");
    await straight.write("marker 2", content);
    await expect(store.write("marker 2", content, { ifAbsent: true })).rejects.toMatchObject({
      code: "PE_OBJECT_CONFLICT",
    });
    proxy.plan = atFirst(3, isPut, { answer: 409, body: errorBody("ConditionalRequestConflict") });
    await store.write("marker 3", content, { ifAbsent: true });
    await straight.remove("marker 1");
    await straight.remove("marker 2");
    await straight.remove("marker 3");
  });

  test("conditions() does not believe a server that takes the headers and writes all the same", async () => {
    const blind = await startFaultProxy();
    blind.plan = ({ method }) => (method === "PUT" ? { answer: 200, headers: { etag: '"opaque"' } } : { answer: 204 });
    const other = openObjectStore("s3://faults", accessTo(blind, { patience }));
    expect(await other.conditions()).toEqual({ ifAbsent: false, ifVersion: false });
    other.close();
    await blind.stop();
  });

  test("an upload in pieces that fails leaves nothing; one of a killed writer is found and removed", async () => {
    const large = randomBytes(65 * 2 ** 20);
    proxy.plan = atFirst(1, ({ url }) => url.includes("partNumber=3"), {
      answer: 403,
      body: errorBody("AccessDenied"),
    });
    await expect(store.write("large", large)).rejects.toMatchObject({ code: "PE_OBJECT_DENIED" });
    expect(await straight.stat("large")).toBeUndefined();
    expect(await straight.removeAbandoned(0)).toBe(0);
    proxy.plan = ({ method, url }) =>
      url.includes("partNumber=3") || method === "DELETE"
        ? { answer: 403, body: errorBody("AccessDenied") }
        : undefined;
    await expect(store.write("large", large)).rejects.toMatchObject({ code: "PE_OBJECT_DENIED" });
    proxy.plan = () => undefined;
    expect(await straight.removeAbandoned(3_600_000)).toBe(0);
    expect(await straight.removeAbandoned(-60_000)).toBe(1);
    proxy.plan = atFirst(1, ({ method, url }) => method === "POST" && url.includes("uploadId"), "lost answer");
    await store.write("large", large);
    expect(Buffer.compare((await straight.read("large")).bytes, large)).toBe(0);
    proxy.plan = atFirst(1, ({ method, url }) => method === "POST" && url.includes("uploadId"), {
      answer: 200,
      body: errorBody("InternalError"),
    });
    await store.write("large", large);
    await straight.remove("large");
  });

  test("a large object is read in ranges of one version, over faults", async () => {
    const large = randomBytes(65 * 2 ** 20);
    const { version } = await straight.write("large", large);
    const faults: Fault[] = [{ after: [5_000_000, "reset"] }, "reset", { after: [9_000_000, "end"], chunked: true }];
    proxy.plan = (asked) => (isGet(asked) ? faults.pop() : undefined);
    const { bytes, verified } = await store.read("large", { objectBytes: large.length });
    expect([Buffer.compare(bytes, large), verified]).toEqual([0, "sha256"]);
    const asked = proxy.take().filter(isGet);
    expect(asked).toHaveLength(5 + 3);
    expect(asked.every(({ ifMatch }) => ifMatch === `"${version}"`)).toBe(true);
    await straight.remove("large");
  });

  test("a listing that breaks off, or comes back to where it was, is no listing", async () => {
    const page = (inner: string) => ({
      answer: 200,
      body: `<?xml version="1.0"?><ListBucketResult><Name>faults</Name><KeyCount>0</KeyCount>${inner}</ListBucketResult>`,
    });
    const listing = async () => await store.list()[Symbol.asyncIterator]().next();
    proxy.plan = () => page("<IsTruncated>true</IsTruncated>");
    await expect(listing()).rejects.toMatchObject({ code: "PE_STORE_UNAVAILABLE" });
    proxy.plan = () => page("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>");
    await expect(listing()).rejects.toMatchObject({ code: "PE_STORE_REFUSED" });
  });

  test("wrong content is never accepted, whatever comes: 400 reads over faults at random", async () => {
    const seed = Number(process.env.PE_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const random = new Random(seed);
    const ends = { right: 0, error: 0 };
    store = reopen({ ...hasty, idleMs: 200 });
    proxy.plan = (asked) => (isGet(asked) && random.uniform() < 0.6 ? anyFault(random, content, etag) : undefined);
    for (let round = 0; round < 400; round++) {
      const start = random.integer(BYTES);
      const range = random.uniform() < 0.3 ? { start, stop: start + random.integer(BYTES) } : undefined;
      const expected = range === undefined ? content : content.subarray(range.start, range.stop);
      try {
        const { bytes } = await store.read("a b", range === undefined ? {} : { range });
        expect(Buffer.compare(bytes, expected), `seed ${seed}, round ${round}`).toBe(0);
        ends.right++;
      } catch (error) {
        expect(error, `seed ${seed}, round ${round}`).toMatchObject({ name: "PeError" });
        ends.error++;
      }
    }
    console.log(`seed ${seed}: ${ends.right} right, ${ends.error} errors with a name, 0 wrong`);
    expect(ends.right).toBeGreaterThan(200);
  });
}

/** One of everything; what no checksum can find, a flip in a range, is left out. */
function anyFault(random: Random, content: Buffer, etag: string): Fault {
  const at = random.integer(BYTES);
  const flip = (body: Buffer): Buffer => {
    if (body.length < BYTES) return body;
    const flipped = Buffer.from(body);
    flipped[at]! ^= 1 << random.integer(8);
    return flipped;
  };
  const faults: Fault[] = [
    { answer: 503, body: errorBody("SlowDown") },
    { answer: 500, body: "" },
    { answer: 200, body: errorBody("InternalError") },
    { answer: 200, headers: { etag: `"${etag}"` }, body: content.subarray(0, at) },
    { answer: 200, headers: { etag: `"${etag}"` }, body: content },
    {
      answer: 206,
      headers: { etag: `"${etag}"`, "content-range": `bytes ${at}-${BYTES - 1}/${BYTES}` },
      body: content,
    },
    "reset",
    "lost answer",
    { after: [at, "reset"] },
    { after: [at, "end"], chunked: true },
    { after: [at, "reset"], chunked: true },
    { body: flip },
    { body: (body) => Buffer.concat([body, Buffer.from("x")]), chunked: true },
    { head: (head) => (head["content-range"] = "bytes 0-1/2") },
    { head: (head) => (head.etag = `"${"0".repeat(32)}"`) },
  ];
  // Silence costs time.
  return random.uniform() < 0.02 ? { after: [at, "silence"] } : faults[random.integer(faults.length)]!;
}
