/**
 * The parts of a job where its reduction reads them: those of a folder in their place, those of a scheduler's own store
 * copied into a folder here while the job still computes.
 */
import { PeError } from "../../common/errors.ts";
import { inLanes } from "../../common/lanes.ts";
import { readPart, readPartSlice, writePart } from "../../data/part-folder.ts";
import type { PartStore } from "../../data/part-store.ts";
import type { PartReader } from "../../tasks/pe/reduce.ts";

export interface JobParts extends PartReader {
  /** The part is stored: it may be copied. */
  want(name: string): void;
  /** Those of `names` that are not there or not whole. @throws {PeError} What the store throws when it cannot be asked. */
  missing(names: Iterable<string>): Promise<string[]>;
}

/** Parts on their way at a time. */
const COPIES_MAX = 8;

/** Parts that this machine reads where they are. */
export function partsInPlace(store: PartStore): JobParts {
  return {
    want: () => undefined,
    read: async (name) => whole(name, store.url, await store.get(name)),
    readSlice: async (name, offset, into) => await store.getSlice(name, offset, into),
    missing: async (names) => await missingOf(names, async (name) => (await store.get(name)) !== undefined),
  };
}

/** Parts that are copied into `folder`: those that are there, of an earlier try, are not fetched again. */
export function partsCopied(store: PartStore, folder: string): JobParts {
  const copies = new Map<string, Promise<boolean>>();
  let lanes = Array.from({ length: COPIES_MAX }, async () => undefined as unknown);
  const copy = async (name: string): Promise<boolean> => {
    if ((await readPart(folder, name)) !== undefined) return true;
    const bytes = await store.get(name);
    if (bytes !== undefined) await writePart(folder, name, bytes);
    return bytes !== undefined;
  };
  const copied = async (name: string): Promise<boolean> => {
    let found = copies.get(name);
    if (found === undefined) {
      const [lane, ...rest] = lanes;
      found = lane!.then(async () => await copy(name));
      // Told when it is asked for; the lane goes on.
      const ended = found.catch(() => undefined);
      lanes = [...rest, ended];
      copies.set(name, found);
    }
    return await found;
  };
  return {
    want: (name) => void copied(name).catch(() => undefined),
    read: async (name) => whole(name, store.url, (await copied(name)) ? await readPart(folder, name) : undefined),
    readSlice: async (name, offset, into) => await readPartSlice(folder, name, offset, into),
    missing: async (names) => {
      const missing = await missingOf(names, copied);
      // Asked again once they were computed again.
      for (const name of missing) copies.delete(name);
      return missing;
    },
  };
}

async function missingOf(names: Iterable<string>, isThere: (name: string) => Promise<boolean>): Promise<string[]> {
  const all = [...names];
  const found = await inLanes(all, COPIES_MAX, isThere);
  return all.filter((_, place) => !found[place]);
}

/** A part that the reduction needs is gone or altered: its task must be computed again. */
function whole(name: string, url: string, bytes: Uint8Array | undefined): Uint8Array {
  if (bytes !== undefined) return bytes;
  throw new PeError(
    "PE_RESULTS_UNREADABLE",
    `Cannot read part "${name}" in "${url}": it is gone or altered; run the command again`,
    { details: { part: name } },
  );
}
