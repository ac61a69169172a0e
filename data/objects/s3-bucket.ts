/** A bucket and the keys under a prefix of it: what all requests share. */
import type { Deed } from "./fault.ts";
import { PATIENCE, type Persistence } from "./patience.ts";
import { s3Line, type S3Line } from "./s3-connection.ts";
import type { S3Access } from "./s3-settings.ts";
import { noTraffic, type Traffic } from "./traffic.ts";

export interface S3Bucket {
  readonly bucket: string;
  /** Before every name: `""`, or with a slash at its end. */
  readonly root: string;
  readonly traffic: Traffic;
  readonly line: S3Line;
  urlOf(name: string): string;
  /** How long and with whose help a deed is tried. */
  task(verb: Deed["verb"], name: string, signal?: AbortSignal): Persistence;
}

export function s3Bucket(bucket: string, prefix: string, access: S3Access): S3Bucket {
  const root = prefix === "" || prefix.endsWith("/") ? prefix : `${prefix}/`;
  const line = s3Line(access);
  const urlOf = (name: string): string => `s3://${bucket}/${root}${name}`;
  return {
    bucket,
    root,
    traffic: noTraffic(),
    line,
    urlOf,
    task: (verb, name, signal) => ({
      verb,
      where: urlOf(name),
      patience: access.patience ?? PATIENCE,
      signal,
      renew: async () => await (await line.connection()).renew(),
    }),
  };
}

/** Directory buckets, whose ETags say nothing of the bytes. */
export function isDirectoryBucket(bucket: string): boolean {
  return bucket.endsWith("--x-s3");
}
