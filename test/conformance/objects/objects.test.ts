/** One suite for every object store: memory, files, Ceph's S3 gateway, and Swift's, which has no conditional writes. */
import { hash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { memoryStore } from "../../../data/objects/memory-store.ts";
import { openObjectStore } from "../../../data/objects/open.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import { accessTo, asUser, makeBucket } from "../../support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../../support/s3/ceph.ts";
import type { S3Server } from "../../support/s3/server.ts";
import { reasonAgainstSwift, startSwift } from "../../support/s3/swift.ts";
import { watchHandles } from "../../support/handles.ts";

interface Place {
  /** A store that nobody else uses. */
  open(): Promise<ObjectStore>;
  close(): Promise<void>;
}

interface Way {
  readonly name: string;
  readonly against: string | undefined;
  readonly conditional: boolean;
  /** More than one page of a listing, where a write is not too slow for that. */
  readonly many: number;
  place(): Promise<Place>;
}

function inBuckets(start: () => Promise<S3Server>): () => Promise<Place> {
  return async () => {
    const server = await start();
    const restore = asUser(server);
    const bucket = await makeBucket(server, "conformance");
    let stores = 0;
    return {
      open: async () => openObjectStore(`s3://${bucket}/Optically  Injected/${stores++}`, accessTo(server)),
      async close() {
        restore();
        await server.stop();
      },
    };
  };
}

async function inFolder(): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "pe-test-"));
  let stores = 0;
  return {
    open: async () => openObjectStore(join(folder, `store ${stores++}`)),
    close: async () => await rm(folder, { recursive: true }),
  };
}

const ways: Way[] = [
  {
    name: "memory",
    against: undefined,
    conditional: true,
    many: 1200,
    place: async () => ({ open: async () => memoryStore(), close: async () => undefined }),
  },
  { name: "files", against: undefined, conditional: true, many: 1200, place: inFolder },
  { name: "Ceph", against: reasonAgainstCeph(), conditional: true, many: 1200, place: inBuckets(startCeph) },
  { name: "Swift", against: reasonAgainstSwift(), conditional: false, many: 100, place: inBuckets(startSwift) },
];

/** Servers take seconds to start on a busy machine. */
const START_MS = 120_000;

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const bytesOf = (content: string): Uint8Array => Buffer.from(content);

async function namesOf(store: ObjectStore, prefix?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of store.list(prefix)) names.push(name);
  return names;
}

for (const { name, against, ...rest } of ways)
  if (against !== undefined) test.skip(`ObjectStore on ${name}: ${against}`, () => {});
  else suite(name, rest);

function suite(name: string, { place, conditional, many }: Pick<Way, "place" | "conditional" | "many">): void {
  describe(`ObjectStore on ${name}`, () => {
    let where: Place;
    let store: ObjectStore;
    let left: () => Promise<string[]>;

    beforeAll(async () => {
      where = await place();
    }, START_MS);
    afterAll(async () => await where?.close());
    beforeEach(async () => {
      left = watchHandles();
      store = await where.open();
    });
    afterEach(async () => {
      store.close();
      expect(await left()).toEqual([]);
    });

    test("read() gives what write() was given, of any length", async () => {
      for (const length of [0, 1, 1000, 100_000, 5_000_001]) {
        const bytes = randomBytes(length);
        const { version } = await store.write(`length/${length}`, bytes);
        const content = await store.read(`length/${length}`);
        expect(Buffer.compare(content.bytes, bytes)).toBe(0);
        expect(content).toMatchObject({ version, objectBytes: length });
      }
    });

    test("read() fills memory that is given, and no more of it than the object has", async () => {
      await store.write("a", bytesOf("hello"));
      const into = new Uint8Array(new SharedArrayBuffer(8)).fill(46);
      const { bytes } = await store.read("a", { into });
      expect(bytes.buffer).toBe(into.buffer);
      expect(text(into)).toBe("hello...");
      await expect(store.read("a", { into: new Uint8Array(4) })).rejects.toMatchObject({ code: "PE_PARAMETER" });
    });

    test("read() gives ranges, cut at the end of the object", async () => {
      await store.write("a", bytesOf("0123456789"));
      const cases = [
        [0, 3, "012"],
        [3, 10, "3456789"],
        [8, 99, "89"],
        [4, 4, ""],
        [10, 12, ""],
        [50, 60, ""],
      ] as const;
      for (const [start, stop, expected] of cases) {
        const content = await store.read("a", { range: { start, stop } });
        expect(text(content.bytes)).toBe(expected);
        expect(content).toMatchObject({ objectBytes: 10, verified: "range" });
      }
      await expect(store.read("a", { range: { start: 3, stop: 2 } })).rejects.toMatchObject({ code: "PE_PARAMETER" });
    });

    test("read() of a version refuses another", async () => {
      const { version } = await store.write("a", bytesOf("first"));
      expect(text((await store.read("a", { ifVersion: version })).bytes)).toBe("first");
      await store.write("a", bytesOf("other"));
      await expect(store.read("a", { ifVersion: version })).rejects.toMatchObject({
        code: "PE_OBJECT_CHANGED",
        message: expect.stringContaining(`${store.url}a`) as string,
      });
      await expect(store.read("a", { ifVersion: version, range: { start: 0, stop: 1 } })).rejects.toMatchObject({
        code: "PE_OBJECT_CHANGED",
      });
    });

    test("fetch() brings an object of any length into a file, with its hash, and refuses another version", async () => {
      const folder = await mkdtemp(join(tmpdir(), "pe-test-"));
      try {
        const path = join(folder, "fetched");
        for (const length of [100_000, 0, 17_000_001]) {
          const bytes = randomBytes(length);
          const { version } = await store.write("a", bytes);
          const sha256 = hash("sha256", bytes, "hex");
          const fetched = await store.fetch("a", path, { ifVersion: version, objectBytes: length });
          expect(fetched).toMatchObject({ version, objectBytes: length, sha256 });
          expect(Buffer.compare(await readFile(path), bytes)).toBe(0);
          expect(fetched.verified).not.toBe("range");
        }
        await expect(store.fetch("a", path, { ifVersion: "another" })).rejects.toMatchObject({
          code: "PE_OBJECT_CHANGED",
        });
        await expect(store.fetch("a", path, { objectBytes: 1 })).rejects.toMatchObject({ code: "PE_OBJECT_CHANGED" });
        await expect(store.fetch("none", path)).rejects.toMatchObject({ code: "PE_OBJECT_MISSING" });
        await expect(store.fetch("a", join(folder, "no", "where"))).rejects.toMatchObject({
          code: "PE_OUTPUT_UNWRITABLE",
        });
      } finally {
        await rm(folder, { recursive: true });
      }
    });

    test("read() names the store and the object that is missing", async () => {
      await expect(store.read("no/such  thing")).rejects.toMatchObject({
        code: "PE_OBJECT_MISSING",
        message: expect.stringMatching(/^Cannot read .*no\/such( {2}|%20%20)thing: .*/) as string,
      });
    });

    test("stat() tells length and version, or that there is nothing", async () => {
      expect(await store.stat("a")).toBeUndefined();
      const { version } = await store.write("a", bytesOf("hello"));
      const info = await store.stat("a");
      expect(info).toMatchObject({ name: "a", bytes: 5, version });
      expect(Math.abs(info!.modifiedMs - Date.now())).toBeLessThan(60_000);
      if (info!.checksum !== undefined) expect(info!.checksum.hex).toMatch(/^2cf24dba5fb0a30e26e83b2ac5b9e29e/);
    });

    test("write() replaces an object; versions differ, also of the same length", async () => {
      const versions = new Set<string>();
      for (const content of ["one", "two", "six"]) versions.add((await store.write("a", bytesOf(content))).version);
      expect(versions.size).toBe(3);
      expect(text((await store.read("a")).bytes)).toBe("six");
    });

    test("remove() takes an object away, and is harmless again", async () => {
      await store.write("a", bytesOf("x"));
      await store.remove("a");
      await store.remove("a");
      expect(await store.stat("a")).toBeUndefined();
      expect(await namesOf(store)).toEqual([]);
    });

    test("names may hold spaces, double spaces, and any letter; what leaves the store is refused", async () => {
      const names = [
        " begins with one",
        "Optically Injected/two  spaces/raw_shard_000_000.hdf5",
        "a+b=c&d%20e%25#f?g",
        "grün/größe/日本語/𝒳.txt",
        "quotes'\"<>&amp;",
        "back\\slash",
        "ends with one ",
        ".hidden",
        "~*()!;:@,$",
      ];
      for (const each of names) await store.write(each, bytesOf(each));
      const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await namesOf(store)).toEqual(inOrder);
      for (const each of names) {
        expect(text((await store.read(each)).bytes)).toBe(each);
        expect(await store.stat(each)).toMatchObject({ name: each });
      }
      for (const bad of [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../../b",
        "a/./b",
        "a\0b",
        "a\nb",
        "\ud800",
        "x".repeat(1025),
      ])
        for (const act of [
          () => store.read(bad),
          () => store.write(bad, new Uint8Array(1)),
          () => store.stat(bad),
          () => store.remove(bad),
        ])
          await expect(act()).rejects.toMatchObject({ code: "PE_PARAMETER" });
    });

    test("list() goes by prefix, not by folder, and tells lengths and versions", async () => {
      for (const each of ["raw/a", "raw/ab", "raw/b/c", "rawest", "other"]) await store.write(each, bytesOf(each));
      expect(await namesOf(store, "raw")).toEqual(["raw/a", "raw/ab", "raw/b/c", "rawest"]);
      expect(await namesOf(store, "raw/")).toEqual(["raw/a", "raw/ab", "raw/b/c"]);
      expect(await namesOf(store, "raw/a")).toEqual(["raw/a", "raw/ab"]);
      expect(await namesOf(store, "none")).toEqual([]);
      for await (const info of store.list())
        expect(await store.stat(info.name)).toMatchObject({ bytes: info.bytes, version: info.version });
    });

    test(`list() of ${many} objects is exact and in order`, async () => {
      const names = Array.from(
        { length: many },
        (_, index) => `raw  shards/é ${String(index * 7).padStart(5, "0")}.hdf5`,
      );
      await inLanes(names, async (each) => await store.write(each, bytesOf(each)));
      expect(await namesOf(store, "raw  shards/")).toEqual(names);
      expect(store.traffic.lists).toBeGreaterThan(name === "Ceph" ? 1 : 0);
    });

    test("write({ ifAbsent }) lets one of many win, where the store can", async () => {
      expect(await store.conditions()).toEqual({ ifAbsent: conditional, ifVersion: conditional });
      expect(await namesOf(store)).toEqual([]);
      if (!conditional) {
        await expect(store.write("a", bytesOf("x"), { ifAbsent: true })).rejects.toMatchObject({
          code: "PE_OBJECT_CONFLICT",
          message: expect.stringContaining("the store cannot write under a condition") as string,
        });
        return;
      }
      const writers = Array.from({ length: 10 }, (_, index) => bytesOf(`writer ${index}`));
      const ends = await Promise.allSettled(writers.map((bytes) => store.write("a", bytes, { ifAbsent: true })));
      const winner = ends.findIndex((end) => end.status === "fulfilled");
      const codes = ends.map((end) => (end.status === "rejected" ? (end.reason as { code: string }).code : "won"));
      expect(codes.filter((code) => code !== "PE_OBJECT_CONFLICT")).toEqual(["won"]);
      expect(text((await store.read("a")).bytes)).toBe(`writer ${winner}`);
    });

    test("write({ ifVersion }) loses no update, where the store can", async () => {
      const { version } = await store.write("a", bytesOf("0"));
      if (!conditional) {
        await expect(store.write("a", bytesOf("1"), { ifVersion: version })).rejects.toMatchObject({
          code: "PE_OBJECT_CONFLICT",
        });
        return;
      }
      const increment = async (): Promise<void> => {
        for (;;)
          try {
            const seen = await store.read("a");
            await store.write("a", bytesOf(String(Number(text(seen.bytes)) + 1)), { ifVersion: seen.version });
            return;
          } catch (error) {
            if (!/^PE_OBJECT_(CONFLICT|CHANGED)$/.test((error as { code: string }).code)) throw error;
          }
      };
      await Promise.all(Array.from({ length: 5 }, increment));
      expect(text((await store.read("a")).bytes)).toBe("5");
      await store.remove("a");
      await expect(store.write("a", bytesOf("x"), { ifVersion: version })).rejects.toMatchObject({
        code: "PE_OBJECT_CONFLICT",
      });
    });

    test("write() with a look first keeps what is there, on any store", async () => {
      const { version } = await store.write("a", bytesOf("one"), { ifAbsent: true, withoutConditions: "check" });
      await expect(
        store.write("a", bytesOf("two"), { ifAbsent: true, withoutConditions: "check" }),
      ).rejects.toMatchObject({ code: "PE_OBJECT_CONFLICT" });
      await store.write("a", bytesOf("two"), { ifVersion: version, withoutConditions: "check" });
      await expect(
        store.write("a", bytesOf("three"), { ifVersion: version, withoutConditions: "check" }),
      ).rejects.toMatchObject({ code: "PE_OBJECT_CONFLICT" });
      expect(text((await store.read("a")).bytes)).toBe("two");
    });

    test("large objects go out and come back in pieces", async () => {
      const bytes = new Uint8Array(65 * 2 ** 20 + 17);
      for (let at = 0; at < bytes.length; at += 4093) bytes[at] = at % 251;
      const { version } = await store.write("large", bytes);
      const content = await store.read("large", { ifVersion: version, objectBytes: bytes.length });
      expect(Buffer.compare(content.bytes, bytes)).toBe(0);
      expect(content.verified).not.toBe("range");
      expect(await store.stat("large")).toMatchObject({ bytes: bytes.length, version });
      expect(await store.removeAbandoned(0)).toBe(0);
    });
  });
}

async function inLanes<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<void> {
  const queue = items.values();
  const lane = async (): Promise<void> => {
    for (const item of queue) await act(item);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}
