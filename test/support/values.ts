/** Values to send, and doors that serve them. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach } from "vitest";
import { Random } from "../../common/random.ts";
import { valueToken } from "../../protocol/access.ts";
import { makeOwnCertificate } from "../../protocol/certificates.ts";
import { valueKey, type ValueName, type ValueSource } from "../../protocol/held-values.ts";
import { openDoor, type Door, type DoorOptions } from "../../protocol/transfer/door.ts";
import { createFetcher, type Fetcher, type FetchRequest } from "../../protocol/transfer/fetching.ts";
import type { LinkLimits } from "../../protocol/transfer/holder-links.ts";
import { serveMemory, type ServedValue } from "../../protocol/transfer/served-value.ts";

export const SECRET = "a token that workers know";
export const NAME: ValueName = { id: "some job/ä", task: 7 };
const certificate = makeOwnCertificate();

const ends: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Done after the test, the last one first. */
export function atEnd(end: () => void | Promise<void>): void {
  ends.push(end);
}

/** Resolves when it has become so; a test that waits for ever fails by its own limit. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleep(1);
}

/** Bytes that are the same for the same seed. */
export function blobOf(bytes: number, seed = 1): SharedArrayBuffer {
  const blob = new SharedArrayBuffer(bytes);
  const random = new Random(seed);
  const words = new Int32Array(blob, 0, bytes >> 2);
  for (let index = 0; index < words.length; index++) words[index] = random.int32();
  const view = new Uint8Array(blob);
  for (let index = words.byteLength; index < bytes; index++) view[index] = random.integer(256);
  return blob;
}

export function sameBytes(a: SharedArrayBuffer, b: SharedArrayBuffer): boolean {
  return Buffer.compare(new Uint8Array(a), new Uint8Array(b)) === 0;
}

export type Values = Map<string, SharedArrayBuffer | ServedValue | Error>;

export function valuesOf(
  ...entries: readonly (readonly [ValueName, SharedArrayBuffer | ServedValue | Error])[]
): Values {
  return new Map(entries.map(([name, value]) => [valueKey(name), value]));
}

/** A door that is closed after the test. */
export async function door(
  values: Values,
  { isSecure = false, ...options }: Partial<DoorOptions> & { readonly isSecure?: boolean } = {},
): Promise<Door> {
  const opened = await openDoor({
    host: "127.0.0.1",
    tls: isSecure ? certificate : undefined,
    tokenOf: (job) => valueToken(SECRET, job),
    openValue: (name) => {
      const value = values.get(valueKey(name));
      if (value instanceof Error) throw value;
      return value instanceof SharedArrayBuffer ? serveMemory(value) : value;
    },
    ...options,
  });
  atEnd(() => opened.close());
  return opened;
}

/** One that is closed after the test. */
export function fetcher(limits: Partial<LinkLimits> = {}): Fetcher {
  const made = createFetcher(limits);
  atEnd(() => made.close());
  return made;
}

/** A request for the value `NAME` from these holders. */
export function wanted(bytes: number, doors: readonly (Door | undefined)[]): FetchRequest {
  const sources = doors.map((one, place): ValueSource => {
    const worker = `worker-${place}`;
    return one === undefined ? { worker } : { worker, at: one.at };
  });
  return { name: NAME, bytes, sources, token: valueToken(SECRET, NAME.id) };
}
