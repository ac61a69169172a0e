/** Reads a large object in several ranges at once, all of one version, and checks the whole. */
import { persist, type Persistence } from "./patience.ts";
import { readVerified, vouch, type Known, type Source } from "./reading.ts";
import { asError, StoreFault } from "./fault.ts";
import { memoryFor, type ObjectContent, type ReadOptions } from "./store.ts";

/** Smaller objects are read in one answer: one request a shard. */
export const LARGE_BYTES = 32 * 2 ** 20;
export const PIECE_BYTES = 16 * 2 ** 20;
const AT_ONCE = 4;

/** Requests that reading a whole object takes when all goes well. */
export function readRequests(objectBytes: number): number {
  return objectBytes <= LARGE_BYTES ? 1 : 1 + Math.ceil(objectBytes / PIECE_BYTES);
}

/** @throws {PeError} see `ObjectStore.read`. */
export async function readLarge(source: Source, task: Persistence, options: ReadOptions): Promise<ObjectContent> {
  const known = await lookAt(source, task, options.ifVersion);
  const { bytes: objectBytes, version } = known;
  const memory = memoryFor(task.where, objectBytes, options.into);
  await inLanes(task, Math.ceil(objectBytes / PIECE_BYTES), async (piece, signal) => {
    const start = piece * PIECE_BYTES;
    const range = { start, stop: Math.min(start + PIECE_BYTES, objectBytes) };
    const into = memory.subarray(range.start, range.stop);
    await readVerified(source, { ...task, signal }, { range, ifVersion: version, objectBytes, into });
  });
  const verified = await persist(task, async () => await vouch(source, known, memory, task.signal));
  if (verified !== "corrupt" && verified !== "nothing known") {
    const sha256 = verified === "sha256" ? known.checksum?.hex : undefined;
    return { bytes: memory, version, objectBytes, verified, ...(sha256 !== undefined && { sha256 }) };
  }
  // In one answer, which is tried again until it is right or given up.
  return await readVerified(source, task, { ...options, ifVersion: version });
}

/** What is there to be read. @throws {PeError} `PE_OBJECT_CHANGED` unless it is of that version. */
export async function lookAt(
  source: Source,
  task: Persistence,
  ifVersion: string | undefined,
): Promise<Known & { readonly version: string; readonly bytes: number }> {
  const known = await persist({ ...task, verb: "look at" }, async () => await source.look(task.signal));
  const { version } = known;
  if (version === undefined || (ifVersion !== undefined && ifVersion !== version))
    throw asError(new StoreFault("changed", `it is another version now (${version}, not ${ifVersion})`), task);
  return { ...known, version };
}

/** Runs `act` for 0 .. count - 1, a few at a time; the first error ends them all. */
export async function inLanes(
  task: Persistence,
  count: number,
  act: (index: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const ending = new AbortController();
  const signal = task.signal === undefined ? ending.signal : AbortSignal.any([ending.signal, task.signal]);
  let next = 0;
  let first: { error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < count && first === undefined) {
      try {
        await act(next++, signal);
      } catch (error) {
        first ??= { error };
        ending.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, lane));
  if (first !== undefined) throw first.error;
}
