/**
 * The maps file that a job goes into, on this machine or on S3, by one writer at a time.
 *
 * One on S3 is made from a copy on this machine: fetched, merged into, verified, and put in the old one's place under the
 * condition that this is still the version that was fetched. Where somebody else was faster, what they wrote is fetched and
 * merged into as well: no map is lost, whoever comes last. On a store without conditional writes a look goes before, and one
 * program at a time should write there; `pe-client doctor` tells.
 */
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { asPeError, PeError } from "../../common/errors.ts";
import { temporaryName } from "../../data/durable.ts";
import { makeFolders } from "../../data/folders.ts";
import { acquireLock, type Lock } from "../../data/lock.ts";
import { isS3Url } from "../../data/objects/address.ts";
import { placeOf, type ObjectPlace } from "../../data/objects/by-address.ts";
import { stateFolder } from "../../protocol/access-file.ts";

/** An output that nobody else on this machine writes meanwhile. */
export interface MapsOutput<Found> {
  /** A path of this machine: what an interrupted run keeps lies beside it. */
  readonly keptBeside: string;
  /**
   * Makes the maps file.
   *
   * @param make Merges into the file at `path`, or makes it. It may be called again, after somebody else wrote.
   * @throws {PeError} `PE_OBJECT_CONFLICT` when others never stop writing.
   */
  readonly publish: <Result>(make: (path: string, found: Found) => Promise<Result>) => Promise<Result>;
}

/** Somebody else was faster so often: it is no coincidence. */
const TRIES_MAX = 8;

/**
 * @param output A path, or `s3://bucket/key`.
 * @param check Looks at what is there, at a path of this machine, before anything is computed.
 * @throws {PeError} `PE_OUTPUT_BUSY`, `PE_OUTPUT_UNWRITABLE`; of S3 also those of `ObjectStore.read` and `write`, before
 *   anything is computed where the store lets nobody write.
 */
export async function intoOutput<Found, Result>(
  output: string,
  check: (path: string) => Promise<Found>,
  act: (place: MapsOutput<Found>) => Promise<Result>,
): Promise<Result> {
  if (isS3Url(output)) return await intoObject(output, check, act);
  const lock = await acquireLock(output);
  try {
    const found = await check(output);
    return await act({ keptBeside: output, publish: async (make) => await make(output, found) });
  } finally {
    await lock.release();
  }
}

async function intoObject<Found, Result>(
  url: string,
  check: (path: string) => Promise<Found>,
  act: (place: MapsOutput<Found>) => Promise<Result>,
): Promise<Result> {
  const place = placeOf(url);
  const keptBeside = stateOf(url);
  const lock = await lockState(url, keptBeside);
  const copy = temporaryName(keptBeside);
  const look = async (): Promise<Seen<Found>> => {
    const version = await fetchTo(copy, place);
    return { version, found: await check(copy) };
  };
  try {
    // Whether it lets us write is found out before hours of work, not after.
    await place.store.conditions();
    let seen: Seen<Found> | undefined = await look();
    return await act({
      keptBeside,
      publish: async (make) => {
        for (let attempt = 1; ; attempt++) {
          if (seen === undefined || (await place.store.stat(place.name))?.version !== seen.version) seen = await look();
          const result = await make(copy, seen.found);
          const { version } = seen;
          seen = undefined;
          if (await replaced(url, place, { copy, version, isLast: attempt === TRIES_MAX })) return result;
        }
      },
    });
  } catch (error) {
    throw calledAs(error, copy, url);
  } finally {
    await rm(copy, { force: true });
    await lock.release();
  }
}

/** What was there when it was fetched. */
interface Seen<Found> {
  /** Undefined when nothing was. */
  readonly version: string | undefined;
  readonly found: Found;
}

async function fetchTo(copy: string, { store, name }: ObjectPlace): Promise<string | undefined> {
  const found = await store.stat(name);
  if (found === undefined) {
    await rm(copy, { force: true });
    return undefined;
  }
  const { bytes, version } = await store.read(name, { ifVersion: found.version, objectBytes: found.bytes });
  await writeFile(copy, bytes, { mode: 0o600 });
  return version;
}

/** False when it is another version by now. */
async function replaced(
  url: string,
  { store, name }: ObjectPlace,
  { copy, version, isLast }: { copy: string; version: string | undefined; isLast: boolean },
): Promise<boolean> {
  try {
    const condition = version === undefined ? { ifAbsent: true } : { ifVersion: version };
    await store.write(name, await readFile(copy), { ...condition, withoutConditions: "check" });
    return true;
  } catch (error) {
    if (!(error instanceof PeError && error.code === "PE_OBJECT_CONFLICT")) throw error;
    if (!isLast) return false;
    throw new PeError(
      error.code,
      `Cannot write "${url}": others wrote it ${TRIES_MAX} times meanwhile; what is computed is kept: run the same command ` +
        "again when they have ended",
      { cause: error },
    );
  }
}

/** In the state folder, under a name that tells people the address, and another for every address. */
function stateOf(url: string): string {
  const told = url
    .slice("s3://".length)
    .replaceAll(/[^A-Za-z0-9.]+/g, "-")
    .slice(-80);
  const digest = createHash("sha256").update(url).digest("hex").slice(0, 16);
  return join(stateFolder(), "outputs", `${digest}-${told.replace(/^[.-]+/, "")}`);
}

async function lockState(url: string, path: string): Promise<Lock> {
  const folder = dirname(path);
  await makeFolders(folder, 0o700).catch((error: unknown) => {
    const advice = "name another place for it in XDG_STATE_HOME";
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot keep intermediate results in "${folder}", ${advice}`);
  });
  try {
    return await acquireLock(path);
  } catch (error) {
    throw calledAs(error, path, url);
  }
}

/** Errors about the copy are about the output. */
function calledAs(error: unknown, copy: string, url: string): unknown {
  if (!(error instanceof PeError) || !error.message.includes(`"${copy}"`)) return error;
  return new PeError(error.code, error.message.replaceAll(`"${copy}"`, `"${url}"`), {
    cause: error,
    details: { ...error.details, path: url },
  });
}
