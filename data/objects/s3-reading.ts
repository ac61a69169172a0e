/** GET and HEAD of one object. */
import { StoreFault } from "./fault.ts";
import { knownOf, rangeOf } from "./s3-answers.ts";
import type { Known, Opened, Source } from "./reading.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import type { Body } from "./watchdog.ts";

/** A name as a source of bytes. */
export async function s3Source(bucket: S3Bucket, name: string): Promise<Source> {
  const { isCarrierSafe } = await bucket.line.connection();
  return {
    isCarrierSafe,
    open: async (range, ifVersion, signal) => await open(bucket, name, range, ifVersion, signal),
    look: async (signal) => await look(bucket, name, signal),
    pieceBytes: async (signal) => await pieceBytes(bucket, name, signal),
  };
}

async function open(
  { bucket, root, line, traffic }: S3Bucket,
  name: string,
  range: { readonly start: number; readonly stop: number } | undefined,
  ifVersion: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  traffic.reads++;
  const connection = await line.connection();
  const answer = await connection.ask(signal, async ({ sdk, client, options }) => {
    const input = {
      Bucket: bucket,
      Key: root + name,
      ...(range !== undefined && { Range: `bytes=${range.start}-${range.stop - 1}` }),
      ...(ifVersion !== undefined && { IfMatch: `"${ifVersion}"` }),
    };
    return await client.send(new sdk.GetObjectCommand(input), options);
  });
  const status = answer.$metadata.httpStatusCode ?? 0;
  return {
    ...knownOf(bucket, answer, status === 206),
    status,
    bodyBytes: answer.ContentLength,
    range: rangeOf(answer.ContentRange),
    body: counted(answer.Body as unknown as Body | undefined, traffic),
  };
}

function counted(body: Body | undefined, traffic: { bytesRead: number }): Body {
  if (body === undefined) return { async *[Symbol.asyncIterator]() {}, destroy() {} };
  return {
    destroy: (error) => body.destroy(error),
    async *[Symbol.asyncIterator]() {
      for await (const piece of body) {
        traffic.bytesRead += piece.byteLength;
        yield piece;
      }
    },
  };
}

export interface Seen extends Known {
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What the store tells of an object without its bytes. @throws {StoreFault} */
export async function look(bucket: S3Bucket, name: string, signal?: AbortSignal): Promise<Seen> {
  bucket.traffic.stats++;
  const connection = await bucket.line.connection();
  const key = { Bucket: bucket.bucket, Key: bucket.root + name };
  try {
    const answer = await connection.ask(signal, async ({ sdk, client, options }) => {
      return await client.send(new sdk.HeadObjectCommand(key), options);
    });
    if (answer.ContentLength === undefined) throw new StoreFault("passing", "the answer does not say its length");
    return {
      ...knownOf(bucket.bucket, answer),
      bytes: answer.ContentLength,
      modifiedMs: answer.LastModified?.getTime() ?? 0,
      metadata: answer.Metadata ?? {},
    };
  } catch (error) {
    // An answer to HEAD has no body that would say why; one to GET has.
    if (error instanceof StoreFault && /^(missing|denied|refused)$/.test(error.kind))
      await askWhy(bucket, name, signal);
    throw error;
  }
}

/** @throws {StoreFault} with the reason, unless the object can be read after all or is empty. */
async function askWhy(bucket: S3Bucket, name: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    const { body } = await open(bucket, name, { start: 0, stop: 1 }, undefined, signal);
    body.destroy();
  } catch (error) {
    if (!(error instanceof StoreFault && error.kind === "out of range")) throw error;
  }
}

/** The size of the first piece of an object that was uploaded in pieces; undefined where the store does not tell. */
async function pieceBytes(
  bucket: S3Bucket,
  name: string,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  bucket.traffic.stats++;
  const connection = await bucket.line.connection();
  try {
    const answer = await connection.ask(signal, async ({ sdk, client, options }) => {
      const input = { Bucket: bucket.bucket, Key: bucket.root + name, PartNumber: 1 };
      return await client.send(new sdk.HeadObjectCommand(input), options);
    });
    return answer.PartsCount === undefined ? undefined : answer.ContentLength;
  } catch (error) {
    // A store that does not know the question.
    if (error instanceof StoreFault && /^(refused|out of range)$/.test(error.kind)) return undefined;
    throw error;
  }
}
