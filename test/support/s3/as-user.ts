/** The environment of a user of a test server, and buckets on it. */
import type { S3Access } from "../../../data/objects/s3-settings.ts";
import type { S3Server } from "./server.ts";

/** Variables that would lead the SDK elsewhere. */
const OTHERS = ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION"];

/** Sets the variables that credentials and settings come from; the function it returns puts back what was there. */
export function setEnvironment(values: Readonly<Record<string, string | undefined>>): () => void {
  const all = { ...Object.fromEntries(OTHERS.map((name) => [name, undefined])), ...values };
  const before = Object.keys(all).map((name) => [name, process.env[name]] as const);
  const set = (name: string, value: string | undefined): void => {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  };
  for (const [name, value] of Object.entries(all)) set(name, value);
  return () => {
    for (const [name, value] of before) set(name, value);
  };
}

/** As the user of `server`, with no files of this machine's user. */
export function asUser({ accessKey, secretKey }: Pick<S3Server, "accessKey" | "secretKey">): () => void {
  return setEnvironment({
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_CONFIG_FILE: "/nonexistent/config",
    AWS_SHARED_CREDENTIALS_FILE: "/nonexistent/credentials",
    AWS_EC2_METADATA_DISABLED: "true",
  });
}

/** Makes a bucket with a name of its own, by the SDK alone. */
export async function makeBucket(server: S3Server, name: string): Promise<string> {
  const { sdk, client } = await plainClient(server);
  try {
    await client.send(new sdk.CreateBucketCommand({ Bucket: name }));
    return name;
  } finally {
    client.destroy();
  }
}

/** Writes objects as another program would: with an MD5 as ETag, and nothing else to check them against. */
export async function putObjects(
  server: S3Server,
  bucket: string,
  objects: AsyncIterable<readonly [key: string, bytes: Uint8Array]>,
): Promise<void> {
  const { sdk, client } = await plainClient(server);
  try {
    for await (const [key, bytes] of objects)
      await client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }));
  } finally {
    client.destroy();
  }
}

async function plainClient({ endpointUrl, accessKey, secretKey }: S3Server) {
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3Client({
    endpoint: endpointUrl,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    requestChecksumCalculation: "WHEN_REQUIRED",
  });
  return { sdk, client };
}

export function accessTo({ endpointUrl }: Pick<S3Server, "endpointUrl">, more: S3Access = {}): S3Access {
  return { endpointUrl, region: "us-east-1", ...more };
}
