/** A bucket, or what lies under a prefix of it, as a store. */
import { StoreFault } from "./fault.ts";
import { assertObjectName } from "./names.ts";
import { persist } from "./patience.ts";
import { assertRange, readVerified } from "./reading.ts";
import { fetchVerified } from "./reading-file.ts";
import { LARGE_BYTES, readLarge } from "./reading-large.ts";
import { s3Bucket, type S3Bucket } from "./s3-bucket.ts";
import { conditionProbes } from "./s3-conditions.ts";
import { listBucket } from "./s3-listing.ts";
import { abortOldUploads } from "./s3-multipart.ts";
import { look, s3Source } from "./s3-reading.ts";
import { writeObject } from "./s3-writing.ts";
import type { S3Access } from "./s3-settings.ts";
import type { ObjectContent, ObjectInfo, ObjectStore, ReadOptions } from "./store.ts";

export function s3Store(bucketName: string, prefix: string, access: S3Access): ObjectStore {
  const bucket = s3Bucket(bucketName, prefix, access);
  const conditions = conditionProbes(bucket);
  return {
    url: bucket.urlOf(""),
    traffic: bucket.traffic,
    async *list(listPrefix = "", { signal } = {}) {
      yield* listBucket(bucket, listPrefix, signal);
    },
    async stat(name) {
      assertObjectName(name);
      return await stat(bucket, name);
    },
    async read(name, options = {}) {
      assertObjectName(name);
      return await read(bucket, name, options);
    },
    async fetch(name, path, options = {}) {
      assertObjectName(name);
      return await fetchVerified(
        await s3Source(bucket, name),
        bucket.task("read", name, options.signal),
        path,
        options,
      );
    },
    async write(name, bytes, options = {}) {
      assertObjectName(name);
      return { version: await writeObject(bucket, name, bytes, options, conditions) };
    },
    async remove(name) {
      assertObjectName(name);
      await remove(bucket, name);
    },
    async conditions() {
      const { ifAbsent, ifMatch } = await conditions.known();
      return { ifAbsent, ifVersion: ifMatch !== undefined };
    },
    removeAbandoned: async (olderThanMs) => await abortOldUploads(bucket, olderThanMs),
    close: () => bucket.line.close(),
  };
}

async function read(bucket: S3Bucket, name: string, options: ReadOptions): Promise<ObjectContent> {
  const task = bucket.task("read", name, options.signal);
  const { range, objectBytes = 0 } = options;
  if (range !== undefined) assertRange(task.where, range);
  const source = await s3Source(bucket, name);
  const isLarge = range === undefined && objectBytes > LARGE_BYTES;
  return isLarge ? await readLarge(source, task, options) : await readVerified(source, task, options);
}

async function stat(bucket: S3Bucket, name: string): Promise<ObjectInfo | undefined> {
  return await persist(bucket.task("look at", name), async () => {
    try {
      const { version, bytes, modifiedMs, checksum } = await look(bucket, name);
      if (version === undefined) throw new StoreFault("passing", "the answer does not say which version it is of");
      return { name, bytes, version, modifiedMs, ...(checksum !== undefined && { checksum }) };
    } catch (error) {
      if (error instanceof StoreFault && error.kind === "missing" && error.storeCode !== "NoSuchBucket")
        return undefined;
      throw error;
    }
  });
}

async function remove(bucket: S3Bucket, name: string): Promise<void> {
  const key = { Bucket: bucket.bucket, Key: bucket.root + name };
  const connection = await bucket.line.connection();
  await persist(bucket.task("remove", name), async () => {
    bucket.traffic.removals++;
    try {
      await connection.ask(undefined, async ({ sdk, client, options }) => {
        return await client.send(new sdk.DeleteObjectCommand(key), options);
      });
    } catch (error) {
      if (!(error instanceof StoreFault && error.kind === "missing" && error.storeCode !== "NoSuchBucket")) throw error;
    }
  });
}
