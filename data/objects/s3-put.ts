/** One PUT, its condition, and what its answer must say. */
import { hash } from "node:crypto";
import { StoreFault } from "./fault.ts";
import { etagOf, isEtagMd5, SHA256_KEY, WRITE_KEY } from "./s3-answers.ts";
import type { S3Bucket } from "./s3-bucket.ts";

/** As headers; at most one of them. */
export interface Condition {
  readonly IfNoneMatch?: "*";
  readonly IfMatch?: string;
}

export function isConditional(condition: Condition): boolean {
  return condition.IfNoneMatch !== undefined || condition.IfMatch !== undefined;
}

/** Whether the store says that the condition of a write does not hold. */
export function isRefusal(error: unknown, condition: Condition): error is StoreFault {
  if (!(error instanceof StoreFault) || !isConditional(condition)) return false;
  const { kind, storeCode } = error;
  return kind === "changed" || (kind === "missing" && condition.IfMatch !== undefined && storeCode !== "NoSuchBucket");
}

export function conflict({ IfMatch }: Condition, cause?: unknown): StoreFault {
  const reason = IfMatch === undefined ? "it is there already" : "it is another version now, or gone";
  return new StoreFault("conflict", reason, { cause });
}

/** What is written, and under which name it is known again. */
export interface Writing {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly writeId: string;
  readonly sha256: Buffer;
}

export function writingOf(name: string, bytes: Uint8Array): Writing {
  return { name, bytes, writeId: crypto.randomUUID(), sha256: hash("sha256", bytes, "buffer") };
}

export function metadataOf({ writeId, sha256 }: Writing): Record<string, string> {
  return { [SHA256_KEY]: sha256.toString("hex"), [WRITE_KEY]: writeId };
}

/** The version written. @throws {StoreFault} */
export async function put(
  { bucket, root, line, traffic }: S3Bucket,
  writing: Writing,
  condition: Condition,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { name, bytes } = writing;
  traffic.writes++;
  const connection = await line.connection();
  const md5 = hash("md5", bytes, "buffer");
  const answer = await connection.ask(
    signal,
    async ({ sdk, client, options }) => {
      const input = {
        Bucket: bucket,
        Key: root + name,
        Body: bytes,
        ContentLength: bytes.byteLength,
        // The one checksum that every server compares.
        ContentMD5: md5.toString("base64"),
        Metadata: metadataOf(writing),
        ...(connection.isAmazon && { ChecksumSHA256: writing.sha256.toString("base64") }),
        ...condition,
      };
      return await client.send(new sdk.PutObjectCommand(input), options);
    },
    bytes.byteLength,
  );
  traffic.bytesWritten += bytes.byteLength;
  return versionOfAnswer(answer, md5.toString("hex"), isEtagMd5(bucket, answer));
}

/** What the answer to a PUT says. */
export interface Put {
  readonly ETag?: string | undefined;
  readonly $metadata: { readonly httpStatusCode?: number | undefined };
}

/**
 * @param md5 Of the bytes that were sent; undefined where the ETag is none of them.
 * @throws {StoreFault} when the answer does not say that the bytes are kept: an error may come with status 200.
 */
export function versionOfAnswer(answer: Put, md5?: string, isMd5 = false): string {
  const etag = etagOf(answer.ETag);
  if (etag === undefined || answer.$metadata.httpStatusCode !== 200)
    throw new StoreFault("passing", "the answer does not say which version was written");
  if (isMd5 && /^[0-9a-f]{32}$/.test(etag) && etag !== md5)
    throw new StoreFault("passing", "the store keeps other bytes than were sent");
  return etag;
}
