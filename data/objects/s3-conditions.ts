/**
 * Whether a store writes under a condition: tried, not assumed. Servers differ: some do not know the headers, some take
 * them and write all the same, some compare an ETag only without its quotes.
 */
import { StoreFault } from "./fault.ts";
import { persist } from "./patience.ts";
import { put, writingOf, type Condition } from "./s3-put.ts";
import type { S3Bucket } from "./s3-bucket.ts";

export interface KnownConditions {
  /** `If-None-Match: *` is refused where the object is there. */
  readonly ifAbsent: boolean;
  /** How an ETag is written in `If-Match`; undefined where that does not protect. */
  readonly ifMatch: ((version: string) => string) | undefined;
}

const PROBE = ".pe-probe-";

/** Objects that are written only to try the store, and removed at once. */
export function isProbe(name: string): boolean {
  return name.slice(name.lastIndexOf("/") + 1).startsWith(PROBE);
}

const OTHER_VERSION = "0".repeat(32);
const quoted = (version: string): string => `"${version}"`;
const bare = (version: string): string => version;

/** @throws {PeError} when the store cannot be tried: it lets nobody write. */
export async function probeConditions(bucket: S3Bucket): Promise<KnownConditions> {
  const name = PROBE + crypto.randomUUID();
  const task = bucket.task("try conditional writes in", "");
  // The version written, "not met" or "not known".
  const attempt = async (condition: Condition): Promise<string> => {
    return await persist(task, async () => {
      try {
        return await put(bucket, writingOf(name, Buffer.from(crypto.randomUUID())), condition, undefined);
      } catch (error) {
        if (error instanceof StoreFault && error.kind === "changed") return "not met";
        if (error instanceof StoreFault && error.kind === "refused") return "not known";
        throw error;
      }
    });
  };
  try {
    const version = await attempt({});
    const ifAbsent = (await attempt({ IfNoneMatch: "*" })) === "not met";
    return { ifAbsent, ifMatch: await formOfIfMatch(version, attempt) };
  } finally {
    await removeProbe(bucket, name);
  }
}

async function formOfIfMatch(
  first: string,
  attempt: (condition: Condition) => Promise<string>,
): Promise<KnownConditions["ifMatch"]> {
  let version = first;
  for (const form of [quoted, bare]) {
    const wrong = await attempt({ IfMatch: form(OTHER_VERSION) });
    if (wrong === "not known") return undefined;
    if (wrong !== "not met") {
      version = wrong;
      continue;
    }
    const right = await attempt({ IfMatch: form(version) });
    if (right !== "not met" && right !== "not known") return form;
  }
  return undefined;
}

async function removeProbe({ bucket, root, line, traffic }: S3Bucket, name: string): Promise<void> {
  traffic.removals++;
  const connection = await line.connection();
  await connection
    .ask(undefined, async ({ sdk, client, options }) => {
      return await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: root + name }), options);
    })
    .catch(() => undefined);
}
