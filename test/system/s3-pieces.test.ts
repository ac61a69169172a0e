/** Large objects under a condition, on a store that completes uploads whatever their condition, and on one that heeds it. */
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openObjectStore } from "../../data/objects/open.ts";
import { PATIENCE } from "../../data/objects/patience.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { accessTo, asUser, makeBucket } from "../support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../support/s3/ceph.ts";
import { errorBody, startFaultProxy, type Asked, type Fault, type FaultProxy } from "../support/s3/fault-proxy.ts";
import type { S3Server } from "../support/s3/server.ts";

const START_MS = 120_000;
const patience = { ...PATIENCE, waitFirstMs: 1, waitMostMs: 4 };
const OTHER_VERSION = "0".repeat(32);

const against = reasonAgainstCeph();
if (against !== undefined) test.skip(`large objects under a condition: ${against}`, () => {});
else describe("write() of more than 64 MiB under a condition", () => suite());

function suite(): void {
  let server: S3Server;
  let proxy: FaultProxy;
  let restore: () => void;
  let straight: ObjectStore;
  let store: ObjectStore;
  const [large, other] = [randomBytes(65 * 2 ** 20), randomBytes(65 * 2 ** 20)];

  beforeAll(async () => {
    server = await startCeph();
    restore = asUser(server);
    proxy = await startFaultProxy(server.port);
    await makeBucket(server, "large");
  }, START_MS);
  afterAll(async () => {
    await proxy?.stop();
    restore?.();
    await server?.stop();
  });
  beforeEach(() => {
    straight = openObjectStore("s3://large/objects", accessTo(server));
    store = openObjectStore("s3://large/objects", accessTo(proxy, { patience }));
  });
  afterEach(async () => {
    proxy.plan = () => undefined;
    await straight.remove("a");
    expect(await straight.removeAbandoned(-60_000)).toBe(0);
    for await (const { name } of straight.list()) expect(name).toBe("nothing");
    straight.close();
    store.close();
  });

  const isCompletion = ({ method, url }: Asked): boolean => method === "POST" && url.includes("uploadId");
  const isPiece = ({ url }: Asked): boolean => url.includes("partNumber");
  const isOfObject = ({ url }: Asked): boolean => url.startsWith("/large/objects/a");

  /** What Ceph does not do: an upload is completed under its condition only, as Amazon does. */
  async function heeded(asked: Asked): Promise<Fault | undefined> {
    if (!isCompletion(asked)) return undefined;
    const name = decodeURIComponent(asked.url.slice("/large/objects/".length).replace(/\?.*$/, ""));
    const version = (await straight.stat(name))?.version;
    const isMet =
      (asked.ifNoneMatch === undefined || version === undefined) &&
      (asked.ifMatch === undefined || asked.ifMatch.replaceAll('"', "") === version);
    return isMet ? undefined : { answer: 412, body: errorBody("PreconditionFailed") };
  }

  async function expectConditionsToHold(): Promise<void> {
    const { version } = await store.write("a", large, { ifAbsent: true });
    await expect(store.write("a", other, { ifAbsent: true })).rejects.toMatchObject({ code: "PE_OBJECT_CONFLICT" });
    await expect(store.write("a", other, { ifVersion: OTHER_VERSION })).rejects.toMatchObject({
      code: "PE_OBJECT_CONFLICT",
    });
    expect(Buffer.compare((await straight.read("a", { ifVersion: version })).bytes, large)).toBe(0);
    const replaced = await store.write("a", other, { ifVersion: version });
    expect(Buffer.compare((await straight.read("a", { ifVersion: replaced.version })).bytes, other)).toBe(0);
  }

  test("is one request where uploads in pieces do not heed it", async () => {
    await expectConditionsToHold();
    expect(proxy.take().filter((asked) => isPiece(asked) && isOfObject(asked))).toEqual([]);
  });

  test("is an upload in pieces where they heed it, which leaves nothing when it is refused", async () => {
    proxy.plan = heeded;
    await expectConditionsToHold();
    const asked = proxy.take();
    expect(asked.filter((one) => isPiece(one) && isOfObject(one))).toHaveLength(4 * 5);
    for (const one of asked.filter((each) => isCompletion(each) && isOfObject(each)))
      expect(one.ifNoneMatch ?? one.ifMatch).toMatch(/^(\*|"?[0-9a-f-]+"?)$/);
  });

  test("knows its own object when the answer to the completion was lost", async () => {
    let lost = 0;
    proxy.plan = async (asked) =>
      isCompletion(asked) && isOfObject(asked) && lost++ === 0 ? "lost answer" : await heeded(asked);
    const { version } = await store.write("a", large, { ifAbsent: true });
    expect(lost).toBeGreaterThan(1);
    expect(await straight.stat("a")).toMatchObject({ version });
  });

  test("is a conflict when another write comes between: the upload cannot be completed any more", async () => {
    let asked = 0;
    proxy.plan = async (one) => {
      if (!isCompletion(one) || !isOfObject(one)) return await heeded(one);
      asked++;
      return { answer: 409, body: errorBody("ConditionalRequestConflict") };
    };
    await expect(store.write("a", large, { ifAbsent: true })).rejects.toMatchObject({ code: "PE_OBJECT_CONFLICT" });
    expect(asked).toBe(1);
  });
}
