/** Tries everything that a job needs of an object store, and says in plain words what it found. */
import { randomBytes } from "node:crypto";
import { PeError } from "../common/errors.ts";
import type { ObjectStore } from "../data/objects/store.ts";

export interface Finding {
  readonly what: "listing" | "writing" | "clock" | "reading" | "conditional writes" | "throughput" | "removing";
  /** `weak`: jobs work, something is less than it could be. */
  readonly status: "good" | "weak" | "bad";
  readonly text: string;
  /** Why it is bad. */
  readonly error?: PeError;
}

const SMALL_BYTES = 100_000;
const LARGE_BYTES = 16 * 2 ** 20;
/** Signatures of a clock that is further off are refused by most stores. */
const CLOCK_OFF_MS_MAX = 5 * 60_000;
/** What a clock may be off without a word: times of objects are whole seconds. */
const CLOCK_NEAR_MS = 10_000;
/** Of a listing: enough for one page. */
const LISTED_MAX = 1000;

/**
 * Findings as they come. What is written is removed again.
 *
 * @param options.readOnly Nothing is written: enough for a store of inputs.
 */
export async function* checkStore(
  store: ObjectStore,
  { readOnly = false }: { readOnly?: boolean } = {},
): AsyncGenerator<Finding> {
  const listing = await tried("listing", async () => await list(store));
  yield listing.finding;
  if (readOnly) {
    const [name] = listing.result ?? [];
    if (name !== undefined) yield (await tried("reading", async () => await readSome(store, name))).finding;
    return;
  }
  const name = `pe-doctor-${crypto.randomUUID()}`;
  const bytes = randomBytes(SMALL_BYTES);
  const startMs = Date.now();
  const writing = await tried("writing", async () => {
    await store.write(name, bytes);
    return { text: `objects of ${SMALL_BYTES} bytes are written` };
  });
  yield writing.finding;
  if (writing.finding.status === "bad") return;
  try {
    yield (await tried("clock", async () => await clock(store, name, startMs))).finding;
    yield (await tried("reading", async () => await readBack(store, name, bytes))).finding;
    yield (await tried("conditional writes", async () => await conditions(store))).finding;
    yield (await tried("throughput", async () => await throughput(store, name))).finding;
  } finally {
    yield (
      await tried("removing", async () => {
        await store.remove(name);
        return { text: "what was written is gone again" };
      })
    ).finding;
  }
}

interface Found {
  readonly text: string;
  readonly status?: Finding["status"];
}

async function tried<Result>(
  what: Finding["what"],
  act: () => Promise<Found & { readonly result?: Result }>,
): Promise<{ finding: Finding; result?: Result | undefined }> {
  try {
    const { text, status = "good", result } = await act();
    return { finding: { what, status, text }, result };
  } catch (error) {
    if (!(error instanceof PeError)) throw error;
    return { finding: { what, status: "bad", text: error.message, error } };
  }
}

async function list(store: ObjectStore): Promise<Found & { result: string[] }> {
  const names: string[] = [];
  for await (const { name } of store.list()) if (names.push(name) === LISTED_MAX) break;
  const more = names.length === LISTED_MAX ? " or more" : "";
  return { text: `${names.length}${more} objects under ${store.url}`, result: names };
}

async function readSome(store: ObjectStore, name: string): Promise<Found> {
  const { bytes, objectBytes } = await store.read(name, { range: { start: 0, stop: SMALL_BYTES } });
  return { text: `${bytes.byteLength} of the ${objectBytes} bytes of ${name} are read` };
}

async function clock(store: ObjectStore, name: string, startMs: number): Promise<Found> {
  const seen = await store.stat(name);
  const offMs = seen === undefined ? 0 : seen.modifiedMs - startMs;
  const seconds = Math.round(offMs / 1000);
  if (Math.abs(offMs) <= CLOCK_NEAR_MS) return { text: "this machine and the store tell the same time" };
  const text = `the store's clock is ${seconds} s ahead of this machine's; set this machine's clock`;
  return { status: Math.abs(offMs) > CLOCK_OFF_MS_MAX ? "bad" : "weak", text };
}

async function readBack(store: ObjectStore, name: string, bytes: Uint8Array): Promise<Found> {
  const { bytes: back, verified } = await store.read(name);
  const isSame = Buffer.compare(back, bytes) === 0;
  if (!isSame) return { status: "bad", text: "other bytes came back than were written" };
  if (verified === "twice")
    return {
      status: "weak",
      text: "the same bytes came back, but the store keeps no checksum: objects are read twice",
    };
  return { text: `the same bytes came back; checked by ${verified}` };
}

async function conditions(store: ObjectStore): Promise<Found> {
  const { ifAbsent, ifVersion } = await store.conditions();
  if (ifAbsent && ifVersion) return { text: "only one of several writers at once wins" };
  const lacking = [...(ifAbsent ? [] : ["If-None-Match"]), ...(ifVersion ? [] : ["If-Match"])].join(" and ");
  return {
    status: "weak",
    text: `the store does not heed ${lacking}: let one program at a time write the same maps file there`,
  };
}

async function throughput(store: ObjectStore, name: string): Promise<Found> {
  const bytes = randomBytes(LARGE_BYTES);
  const times: number[] = [performance.now()];
  await store.write(name, bytes);
  times.push(performance.now());
  await store.read(name);
  times.push(performance.now());
  const rate = (from: number): string => ((LARGE_BYTES / (times[from + 1]! - times[from]!)) * 1e-3).toFixed(1);
  return { text: `one object of 16 MiB: written at ${rate(0)} MB/s, read at ${rate(1)} MB/s` };
}
