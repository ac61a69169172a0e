/** Objects in memory: for tests, and the plainest statement of what a store does. */
import { hash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { asWriteError } from "../durable.ts";
import { asError, StoreFault, type Deed } from "./fault.ts";
import { assertObjectName } from "./names.ts";
import { assertRange } from "./reading.ts";
import { memoryFor, type ObjectInfo, type ObjectStore, type ReadOptions, type WriteOptions } from "./store.ts";
import { noTraffic } from "./traffic.ts";

interface Kept extends ObjectInfo {
  readonly content: Uint8Array;
}

export function memoryStore(): ObjectStore {
  const url = "memory:/";
  const objects = new Map<string, Kept>();
  const traffic = noTraffic();
  let versions = 0;

  const fail = (kind: "missing" | "changed" | "conflict", verb: Deed["verb"], name: string, reason: string): Error =>
    asError(new StoreFault(kind, reason), { verb, where: url + name });

  const read = (name: string, { range, ifVersion, into }: ReadOptions) => {
    const kept = objects.get(name);
    if (kept === undefined) throw fail("missing", "read", name, "there is no such object");
    if (ifVersion !== undefined && ifVersion !== kept.version)
      throw fail("changed", "read", name, "it is another version now");
    if (range !== undefined) assertRange(url + name, range);
    const content = range === undefined ? kept.content : kept.content.subarray(range.start, range.stop);
    const bytes = memoryFor(url + name, content.byteLength, into);
    bytes.set(content);
    traffic.bytesRead += bytes.byteLength;
    const verified = range === undefined ? ("carrier" as const) : ("range" as const);
    return { bytes, version: kept.version, objectBytes: kept.bytes, verified };
  };

  const write = (name: string, bytes: Uint8Array, { ifAbsent, ifVersion }: WriteOptions) => {
    const kept = objects.get(name);
    if (ifAbsent === true && kept !== undefined) throw fail("conflict", "write", name, "it is there already");
    if (ifVersion !== undefined && kept?.version !== ifVersion)
      throw fail("conflict", "write", name, "it is another version now");
    const version = `v${++versions}`;
    const checksum = { algorithm: "sha256" as const, hex: hash("sha256", bytes, "hex") };
    const content = bytes.slice();
    objects.set(name, { name, bytes: bytes.byteLength, version, modifiedMs: Date.now(), checksum, content });
    traffic.bytesWritten += bytes.byteLength;
    return { version };
  };

  return {
    url,
    traffic,
    async *list(prefix = "") {
      traffic.lists++;
      const names = [...objects.keys()].filter((name) => name.startsWith(prefix));
      for (const name of names.sort(byBytes)) {
        const kept = objects.get(name);
        if (kept !== undefined) yield infoOf(kept);
      }
    },
    async stat(name) {
      assertObjectName(name);
      traffic.stats++;
      const kept = objects.get(name);
      return kept && infoOf(kept);
    },
    async read(name, options = {}) {
      assertObjectName(name);
      traffic.reads++;
      return read(name, options);
    },
    async fetch(name, path, { objectBytes, ...options } = {}) {
      assertObjectName(name);
      traffic.reads++;
      const { bytes, version, objectBytes: length } = read(name, options);
      if (objectBytes !== undefined && objectBytes !== length)
        throw fail("changed", "read", name, `it has ${length} bytes, not ${objectBytes}`);
      await writeFile(path, bytes).catch((error: unknown) => {
        throw asWriteError(error, path);
      });
      return { version, objectBytes: length, verified: "carrier", sha256: hash("sha256", bytes, "hex") };
    },
    async write(name, bytes, options = {}) {
      assertObjectName(name);
      traffic.writes++;
      return write(name, bytes, options);
    },
    async remove(name) {
      assertObjectName(name);
      traffic.removals++;
      objects.delete(name);
    },
    conditions: () => Promise.resolve({ ifAbsent: true, ifVersion: true }),
    removeAbandoned: () => Promise.resolve(0),
    close() {},
  };
}

function infoOf({ content: _, ...info }: Kept): ObjectInfo {
  return info;
}

/** The order of names in UTF-8, which is the one of S3; that of JavaScript's strings differs beyond U+D7FF. */
export function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
