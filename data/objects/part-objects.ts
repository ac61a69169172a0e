/** Parts in an object store: one object each, whole by its stored SHA-256. */
import { hostname } from "node:os";
import { PeError } from "../../common/errors.ts";
import type { Change } from "../part-change.ts";
import { assertPartName } from "../part-name.ts";
import type { PartStore } from "../part-store.ts";
import type { ObjectStore } from "./store.ts";

/** Errors of the object store that no other try from this host would mend. */
const UNREACHABLE = new Set(["PE_OBJECT_MISSING", "PE_OBJECT_DENIED", "PE_STORE_REFUSED"]);

export function objectPartStore(store: ObjectStore): PartStore {
  return {
    url: store.url.replace(/\/$/, ""),
    put: async (name, bytes) => {
      assertPartName(name);
      await told(async () => await store.write(name, bytes));
    },
    get: async (name) => {
      assertPartName(name);
      return await told(async () => await readPart(store, name));
    },
    getSlice: async (name, offset, into) => {
      assertPartName(name);
      await told(async () => await readSlice(store, name, offset, into));
    },
    has: async (name) => {
      assertPartName(name);
      return (await told(async () => await store.stat(name))) !== undefined;
    },
    change: async (name, change) => {
      assertPartName(name);
      await told(async () => await changeObject(store, name, change));
    },
  };
}

async function readPart(store: ObjectStore, name: string): Promise<Uint8Array | undefined> {
  try {
    return (await store.read(name)).bytes;
  } catch (error) {
    // One that is not whole is as good as none, and computed again.
    const code = error instanceof PeError ? error.code : "";
    if (code === "PE_OBJECT_CORRUPT" || (code === "PE_OBJECT_MISSING" && (await store.stat(name)) === undefined))
      return undefined;
    throw error;
  }
}

/** Somebody else was faster so often: it is no coincidence. */
const CHANGES_MAX = 8;

async function changeObject(store: ObjectStore, name: string, change: Change): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const seen = await store.stat(name);
    try {
      const before = seen && (await store.read(name, { ifVersion: seen.version })).bytes;
      const after = change(before);
      if (after === undefined) return;
      const condition = seen === undefined ? { ifAbsent: true } : { ifVersion: seen.version };
      return void (await store.write(name, after, { ...condition, withoutConditions: "check" }));
    } catch (error) {
      if (attempt === CHANGES_MAX || !(error instanceof PeError) || !OVERTAKEN.has(error.code)) throw error;
    }
  }
}

const OVERTAKEN = new Set(["PE_OBJECT_CONFLICT", "PE_OBJECT_CHANGED", "PE_OBJECT_MISSING"]);

async function readSlice(store: ObjectStore, name: string, offset: number, into: Uint8Array): Promise<void> {
  const range = { start: offset, stop: offset + into.byteLength };
  const { bytes } = await store.read(name, { range, into });
  if (bytes.byteLength !== into.byteLength)
    throw new PeError("PE_RESULTS_UNREADABLE", `Cannot read part "${name}": it has not the bytes from ${offset} on`);
}

/** What a worker does about an error depends on whether it may pass: a store that is away, or credentials that are renewed. */
async function told<Result>(act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof PeError)) throw error;
    if (!UNREACHABLE.has(error.code)) throw error;
    const host = hostname();
    throw new PeError("PE_PARTS_UNREACHABLE", `${error.message} (on ${host})`, {
      cause: error,
      details: { ...error.details, host },
    });
  }
}
