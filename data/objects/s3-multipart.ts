/** Uploads in pieces, for objects that are too large for one request. */
import { hash } from "node:crypto";
import { asError, StoreFault } from "./fault.ts";
import { persist } from "./patience.ts";
import { isEtagMd5, WRITE_KEY } from "./s3-answers.ts";
import { conflict, isRefusal, metadataOf, versionOfAnswer, type Condition, type Writing } from "./s3-put.ts";
import { look } from "./s3-reading.ts";
import type { S3Bucket } from "./s3-bucket.ts";

/** Larger objects are uploaded in pieces. */
export const SINGLE_PUT_BYTES_MAX = 64 * 2 ** 20;
const PIECE_BYTES = 16 * 2 ** 20;
const AT_ONCE = 4;

interface Upload {
  readonly bucket: S3Bucket;
  readonly writing: Writing;
  readonly uploadId: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * The version written. What was uploaded is removed when it fails.
 *
 * @param condition Of the completion; not every store heeds it (`s3-conditions.ts`).
 * @throws {PeError}
 */
export async function putInPieces(
  bucket: S3Bucket,
  writing: Writing,
  condition: Condition,
  signal?: AbortSignal,
): Promise<string> {
  const uploadId = await begin(bucket, writing, signal);
  const upload = { bucket, writing, uploadId, signal };
  try {
    const etags = await putPieces(upload);
    return await complete(upload, etags, condition);
  } catch (error) {
    await abort(bucket, bucket.root + writing.name, uploadId).catch(() => undefined);
    throw error;
  }
}

async function begin(bucket: S3Bucket, writing: Writing, signal: AbortSignal | undefined): Promise<string> {
  const connection = await bucket.line.connection();
  return await persist(bucket.task("write", writing.name, signal), async () => {
    bucket.traffic.writes++;
    const answer = await connection.ask(signal, async ({ sdk, client, options }) => {
      const input = { Bucket: bucket.bucket, Key: bucket.root + writing.name, Metadata: metadataOf(writing) };
      return await client.send(new sdk.CreateMultipartUploadCommand(input), options);
    });
    if (!answer.UploadId) throw new StoreFault("passing", "the answer does not name an upload");
    return answer.UploadId;
  });
}

/** Their ETags, in order. */
async function putPieces(upload: Upload): Promise<string[]> {
  const { bytes } = upload.writing;
  const etags = new Array<string>(Math.ceil(bytes.byteLength / PIECE_BYTES));
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let piece = next++; piece < etags.length; piece = next++)
      etags[piece] = await putPiece(upload, piece).catch((error: unknown) => {
        next = etags.length;
        throw error;
      });
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, lane));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return etags;
}

async function putPiece({ bucket, writing, uploadId, signal }: Upload, piece: number): Promise<string> {
  const bytes = writing.bytes.subarray(piece * PIECE_BYTES, (piece + 1) * PIECE_BYTES);
  const md5 = hash("md5", bytes, "buffer");
  const connection = await bucket.line.connection();
  return await persist(bucket.task("write", writing.name, signal), async () => {
    bucket.traffic.writes++;
    const answer = await connection.ask(
      signal,
      async ({ sdk, client, options }) => {
        const input = {
          Bucket: bucket.bucket,
          Key: bucket.root + writing.name,
          UploadId: uploadId,
          PartNumber: piece + 1,
          Body: bytes,
          ContentLength: bytes.byteLength,
          ContentMD5: md5.toString("base64"),
        };
        return await client.send(new sdk.UploadPartCommand(input), options);
      },
      bytes.byteLength,
    );
    bucket.traffic.bytesWritten += bytes.byteLength;
    return versionOfAnswer(answer, md5.toString("hex"), isEtagMd5(bucket.bucket, answer));
  });
}

async function complete(upload: Upload, etags: readonly string[], condition: Condition): Promise<string> {
  const { bucket, writing, uploadId, signal } = upload;
  const connection = await bucket.line.connection();
  let isUncertain = false;
  return await persist(bucket.task("write", writing.name, signal), async () => {
    bucket.traffic.writes++;
    try {
      const answer = await connection.ask(signal, async ({ sdk, client, options }) => {
        const input = {
          Bucket: bucket.bucket,
          Key: bucket.root + writing.name,
          UploadId: uploadId,
          MultipartUpload: { Parts: etags.map((ETag, piece) => ({ ETag: `"${ETag}"`, PartNumber: piece + 1 })) },
          ...condition,
        };
        return await client.send(new sdk.CompleteMultipartUploadCommand(input), options);
      });
      return versionOfAnswer(answer);
    } catch (error) {
      const own = isUncertain ? await ownVersion(bucket, writing) : undefined;
      if (own !== undefined) return own;
      if (isRefusal(error, condition) || isOvertaken(error)) throw conflict(condition, error);
      isUncertain = true;
      throw error;
    }
  });
}

/** Another write came between: the upload cannot be completed any more, however often that is tried. */
function isOvertaken(error: unknown): boolean {
  return error instanceof StoreFault && error.storeCode === "ConditionalRequestConflict";
}

/** The version of the object when it is the one that `writing` wrote, though the answer was lost. */
export async function ownVersion(bucket: S3Bucket, { name, writeId }: Writing): Promise<string | undefined> {
  try {
    const seen = await look(bucket, name);
    return seen.metadata[WRITE_KEY] === writeId ? seen.version : undefined;
  } catch (error) {
    if (error instanceof StoreFault && error.kind === "missing") return undefined;
    throw error;
  }
}

async function abort(bucket: S3Bucket, key: string, uploadId: string): Promise<void> {
  const connection = await bucket.line.connection();
  await persist({ ...bucket.task("remove", ""), where: `an upload of s3://${bucket.bucket}/${key}` }, async () => {
    bucket.traffic.removals++;
    try {
      await connection.ask(undefined, async ({ sdk, client, options }) => {
        const input = { Bucket: bucket.bucket, Key: key, UploadId: uploadId };
        return await client.send(new sdk.AbortMultipartUploadCommand(input), options);
      });
    } catch (error) {
      // Finished or aborted meanwhile.
      if (!(error instanceof StoreFault && error.kind === "missing")) throw error;
    }
  });
}

const UPLOADS_MAX = 100_000;

/** Aborts the uploads under the store's root that were begun more than `olderThanMs` ago; how many there were. */
export async function abortOldUploads(bucket: S3Bucket, olderThanMs: number): Promise<number> {
  const connection = await bucket.line.connection();
  const task = bucket.task("list", "");
  let markers: { KeyMarker?: string; UploadIdMarker?: string } = {};
  let aborted = 0;
  for (let seen = 0; seen < UPLOADS_MAX;) {
    const page = await persist(task, async () => {
      bucket.traffic.lists++;
      return await connection.ask(undefined, async ({ sdk, client, options }) => {
        const input = { Bucket: bucket.bucket, Prefix: bucket.root, ...markers };
        return await client.send(new sdk.ListMultipartUploadsCommand(input), options);
      });
    });
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      seen++;
      if (Key === undefined || UploadId === undefined || !Key.startsWith(bucket.root)) continue;
      if (Initiated === undefined || Date.now() - Initiated.getTime() < olderThanMs) continue;
      await abort(bucket, Key, UploadId);
      aborted++;
    }
    if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return aborted;
    markers = {
      KeyMarker: page.NextKeyMarker,
      ...(page.NextUploadIdMarker !== undefined && { UploadIdMarker: page.NextUploadIdMarker }),
    };
  }
  throw asError(new StoreFault("refused", `it holds more than ${UPLOADS_MAX} unfinished uploads`), task);
}
