/** Listings, page by page. */
import { StoreFault } from "./fault.ts";
import { isProbe } from "./s3-conditions.ts";
import { etagOf } from "./s3-answers.ts";
import { persist } from "./patience.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import type { ObjectInfo } from "./store.ts";

/** A listing that does not end is none: ten million objects. */
const PAGES_MAX = 10_000;

interface Page {
  readonly objects: readonly ObjectInfo[];
  readonly next: string | undefined;
}

export async function* listBucket(bucket: S3Bucket, prefix: string, signal?: AbortSignal): AsyncGenerator<ObjectInfo> {
  const task = bucket.task("list", prefix, signal);
  const seen = new Set<string>();
  for (let token: string | undefined, pages = 0; pages < PAGES_MAX; pages++) {
    const page: Page = await persist(task, async () => {
      const found = await listPage(bucket, prefix, token, signal);
      if (found.next !== undefined && seen.has(found.next))
        throw new StoreFault("refused", "its listing comes back to where it was");
      return found;
    });
    yield* page.objects;
    if (page.next === undefined) return;
    seen.add(page.next);
    token = page.next;
  }
  await persist(task, async () => {
    throw new StoreFault("refused", `its listing does not end within ${PAGES_MAX} pages`);
  });
}

async function listPage(
  { bucket, root, line, traffic }: S3Bucket,
  prefix: string,
  token: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Page> {
  traffic.lists++;
  const connection = await line.connection();
  const answer = await connection.ask(signal, async ({ sdk, client, options }) => {
    const input = {
      Bucket: bucket,
      Prefix: root + prefix,
      // XML cannot hold every character that a key can.
      EncodingType: "url" as const,
      ...(token !== undefined && { ContinuationToken: token }),
    };
    return await client.send(new sdk.ListObjectsV2Command(input), options);
  });
  // An error with status 200, or an answer cut short, reads as an empty page.
  if (answer.Name === undefined || answer.IsTruncated === undefined)
    throw new StoreFault("passing", "it answers with something that is no listing");
  if (answer.IsTruncated && !answer.NextContinuationToken)
    throw new StoreFault("passing", "its listing breaks off without saying how to go on");
  const decode = answer.EncodingType === "url" ? decoded : (key: string) => key;
  const objects: ObjectInfo[] = [];
  for (const { Key, Size, ETag, LastModified } of answer.Contents ?? []) {
    const version = etagOf(ETag);
    if (Key === undefined || Size === undefined || version === undefined)
      throw new StoreFault("passing", "its listing names an object without key, size or version");
    const key = decode(Key);
    if (!key.startsWith(root + prefix)) throw new StoreFault("passing", "its listing names what was not asked for");
    const name = key.slice(root.length);
    // Keys with a slash at their end are the folders that consoles make.
    if (name === "" || name.endsWith("/") || isProbe(name)) continue;
    objects.push({ name, bytes: Size, version, modifiedMs: LastModified?.getTime() ?? 0 });
  }
  return { objects, next: answer.IsTruncated ? answer.NextContinuationToken : undefined };
}

/** Servers write a space as `+` or `%20`, and a plus as `%2B`. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch (error) {
    throw new StoreFault("refused", `its listing names a key that is no text: ${key.slice(0, 100)}`, { cause: error });
  }
}
