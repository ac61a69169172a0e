/** Writes one object, whole, and under a condition where one is asked for. */
import { asError, StoreFault } from "./fault.ts";
import { persist } from "./patience.ts";
import { ownVersion, putInPieces, SINGLE_PUT_BYTES_MAX } from "./s3-multipart.ts";
import { conflict, isConditional, isRefusal, put, writingOf, type Condition } from "./s3-put.ts";
import { look } from "./s3-reading.ts";
import type { ConditionProbes, KnownConditions } from "./s3-conditions.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import type { WriteOptions } from "./store.ts";

/** The version written. @throws {PeError} see `ObjectStore.write`. */
export async function writeObject(
  bucket: S3Bucket,
  name: string,
  bytes: Uint8Array,
  options: WriteOptions,
  probes: ConditionProbes,
): Promise<string> {
  const writing = writingOf(name, bytes);
  const { ifAbsent = false, ifVersion, signal } = options;
  const wanted = ifAbsent || ifVersion !== undefined ? conditionOf(await probes.known(), options) : {};
  if (wanted === undefined) await check(bucket, name, options);
  const condition = wanted ?? {};
  // Some servers complete an upload whatever its condition: there one PUT, of up to 5 GiB, keeps it.
  if (bytes.byteLength > SINGLE_PUT_BYTES_MAX && (!isConditional(condition) || (await probes.holdForPieces())))
    return await putInPieces(bucket, writing, condition, signal);
  let isUncertain = false;
  return await persist(bucket.task("write", name, signal), async () => {
    try {
      return await put(bucket, writing, condition, signal);
    } catch (error) {
      if (!isRefusal(error, condition)) {
        isUncertain = true;
        throw error;
      }
      // The answer to an earlier try may have been lost, and the object that is in the way be our own.
      const own = isUncertain ? await ownVersion(bucket, writing) : undefined;
      if (own !== undefined) return own;
      throw conflict(condition, error);
    }
  });
}

/** Undefined where the store has no such condition. */
function conditionOf({ ifAbsent, ifMatch }: KnownConditions, options: WriteOptions): Condition | undefined {
  if (options.ifVersion !== undefined)
    return ifMatch === undefined ? undefined : { IfMatch: ifMatch(options.ifVersion) };
  return ifAbsent ? { IfNoneMatch: "*" } : undefined;
}

/** Looks before it writes, where the caller is content with that. @throws {PeError} `PE_OBJECT_CONFLICT` */
async function check(bucket: S3Bucket, name: string, options: WriteOptions): Promise<void> {
  const task = bucket.task("write", name, options.signal);
  if (options.withoutConditions !== "check")
    throw asError(new StoreFault("conflict", "the store cannot write under a condition"), task);
  const seen = await persist(task, async () => {
    try {
      return await look(bucket, name, options.signal);
    } catch (error) {
      if (error instanceof StoreFault && error.kind === "missing" && error.storeCode !== "NoSuchBucket")
        return undefined;
      throw error;
    }
  });
  if (options.ifAbsent === true && seen !== undefined) throw asError(conflict({}), task);
  if (options.ifVersion !== undefined && seen?.version !== options.ifVersion)
    throw asError(conflict({ IfMatch: options.ifVersion }), task);
}
