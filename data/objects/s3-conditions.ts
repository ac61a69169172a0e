/**
 * Whether a store writes under a condition: tried, not assumed. Servers differ: some do not know the headers, some take
 * them and write all the same, some compare an ETag only without its quotes.
 */
import { PeError } from "../../common/errors.ts";
import { StoreFault } from "./fault.ts";
import { persist } from "./patience.ts";
import { putInPieces } from "./s3-multipart.ts";
import { put, writingOf, type Condition } from "./s3-put.ts";
import type { S3Bucket } from "./s3-bucket.ts";

export interface KnownConditions {
  /** `If-None-Match: *` is refused where the object is there. */
  readonly ifAbsent: boolean;
  /** How an ETag is written in `If-Match`; undefined where that does not protect. */
  readonly ifMatch: ((version: string) => string) | undefined;
}

export interface ConditionProbes {
  /** Found by trying, once. @throws {PeError} when the store cannot be tried: it lets nobody write. */
  known(): Promise<KnownConditions>;
  /** Whether the conditions hold for uploads in pieces too: some stores complete them all the same. @throws {PeError} */
  holdForPieces(): Promise<boolean>;
}

export function conditionProbes(bucket: S3Bucket): ConditionProbes {
  const known = once(async () => await probeConditions(bucket));
  return { known, holdForPieces: once(async () => await probePieces(bucket, await known())) };
}

/** What failed is tried again when it is asked for again. */
function once<Result>(act: () => Promise<Result>): () => Promise<Result> {
  let acting: Promise<Result> | undefined;
  return async () => {
    acting ??= act().catch((error: unknown) => {
      acting = undefined;
      throw error;
    });
    return await acting;
  };
}

const PROBE = ".pe-probe-";

/** Objects that are written only to try the store, and removed at once. */
export function isProbe(name: string): boolean {
  return name.slice(name.lastIndexOf("/") + 1).startsWith(PROBE);
}

const OTHER_VERSION = "0".repeat(32);
const quoted = (version: string): string => `"${version}"`;
const bare = (version: string): string => version;

async function probeConditions(bucket: S3Bucket): Promise<KnownConditions> {
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

async function probePieces(bucket: S3Bucket, { ifAbsent, ifMatch }: KnownConditions): Promise<boolean> {
  if (!ifAbsent || ifMatch === undefined) return false;
  const name = PROBE + crypto.randomUUID();
  const attempt = async (condition: Condition): Promise<string> => {
    try {
      return await putInPieces(bucket, writingOf(name, Buffer.from(crypto.randomUUID())), condition);
    } catch (error) {
      if (error instanceof PeError && error.code === "PE_OBJECT_CONFLICT") return "not met";
      if (error instanceof PeError && error.code === "PE_STORE_REFUSED") return "not known";
      throw error;
    }
  };
  try {
    const version = await attempt({});
    for (const condition of [{ IfNoneMatch: "*" as const }, { IfMatch: ifMatch(OTHER_VERSION) }])
      if ((await attempt(condition)) !== "not met") return false;
    const right = await attempt({ IfMatch: ifMatch(version) });
    return right !== "not met" && right !== "not known";
  } finally {
    await removeProbe(bucket, name);
  }
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
