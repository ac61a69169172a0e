import { describe, expect, test } from "vitest";
import { checkStore, type Finding } from "../../../client/store-check.ts";
import { PeError } from "../../../common/errors.ts";
import { memoryStore } from "../../../data/objects/memory-store.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";

async function findingsOf(store: ObjectStore, options?: { readOnly: boolean }): Promise<Record<string, Finding>> {
  const findings: Record<string, Finding> = {};
  for await (const finding of checkStore(store, options)) findings[finding.what] = finding;
  return findings;
}

describe("checkStore()", () => {
  test("finds a good store good, and leaves nothing in it", async () => {
    const store = memoryStore();
    const findings = await findingsOf(store);
    expect(Object.keys(findings)).toEqual([
      "listing",
      "writing",
      "clock",
      "reading",
      "conditional writes",
      "throughput",
      "removing",
    ]);
    for (const { status } of Object.values(findings)) expect(status).toBe("good");
    for await (const { name } of store.list()) expect(name).toBe("nothing");
  });

  test("names what is weak: no conditional writes, no checksums, a clock that is off", async () => {
    const store = memoryStore();
    const findings = await findingsOf({
      ...store,
      conditions: () => Promise.resolve({ ifAbsent: false, ifVersion: true }),
      read: async (name, options) => ({ ...(await store.read(name, options)), verified: "twice" }),
      stat: async (name) => ({ ...(await store.stat(name))!, modifiedMs: Date.now() - 60_000 }),
    });
    expect(findings["conditional writes"]).toMatchObject({
      status: "weak",
      text: expect.stringContaining("does not heed If-None-Match:") as string,
    });
    expect(findings.reading).toMatchObject({ status: "weak" });
    expect(findings.clock).toMatchObject({ status: "weak", text: expect.stringMatching(/-60 s/) as string });
  });

  test("says why writing is denied, and stops there", async () => {
    const denied = new PeError("PE_OBJECT_DENIED", "Cannot write s3://b/x: AccessDenied");
    const findings = await findingsOf({ ...memoryStore(), write: () => Promise.reject(denied) });
    expect(findings.writing).toEqual({ what: "writing", status: "bad", text: denied.message, error: denied });
    expect(Object.keys(findings)).toEqual(["listing", "writing"]);
  });

  test("finds other bytes than were written bad", async () => {
    const store = memoryStore();
    const read: ObjectStore["read"] = async (name, options) => {
      const content = await store.read(name, options);
      content.bytes[0]! ^= 1;
      return content;
    };
    expect((await findingsOf({ ...store, read })).reading).toMatchObject({ status: "bad" });
  });

  test("writes nothing where it is told so", async () => {
    const store = memoryStore();
    await store.write("shard", new Uint8Array(10));
    const before = store.traffic.writes;
    expect(Object.keys(await findingsOf(store, { readOnly: true }))).toEqual(["listing", "reading"]);
    expect(store.traffic.writes).toBe(before);
  });
});
