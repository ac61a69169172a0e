/** Shards in a real S3 server that all hosts of a lab reach, for whoever has the credentials of one profile of a file. */
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { makeBucket, putObjects } from "../s3/as-user.ts";
import { startCeph } from "../s3/ceph.ts";
import type { Lab } from "./lab.ts";
import { relay } from "./relay.ts";

const [ADDRESS, PORT] = ["10.77.0.1", 7480];
const BUCKET = "lasers";

export interface S3InLab {
  readonly input: string;
  /** For the inventory. */
  readonly settings: Readonly<Record<string, string>>;
  /** Variables of somebody who has access without a file. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** @param shards Folder whose files go into the bucket. */
export async function s3InLab(lab: Lab, shards: string): Promise<S3InLab> {
  const server = await startCeph();
  const { accessKey, secretKey, port } = server;
  await makeBucket(server, BUCKET);
  await putObjects(server, BUCKET, contents(shards));
  const socket = join(lab.folder, "s3");
  const gate = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [[near, far] as const, [far, near] as const])
      one.pipe(other).on("error", () => one.destroy());
  }).listen(socket);
  await once(gate, "listening");
  await relay(lab, socket, ADDRESS, PORT);
  const credentials = join(lab.folder, "credentials");
  const section = (name: string, key: string, secret: string): string =>
    `[${name}]\naws_access_key_id = ${key}\naws_secret_access_key = ${secret}\n`;
  const text = section("default", "somebody", "else") + section("lab", accessKey, secretKey);
  writeFileSync(credentials, text, { mode: 0o600 });
  const where = { AWS_ENDPOINT_URL_S3: `http://${ADDRESS}:${PORT}`, AWS_REGION: "us-east-1" };
  return {
    input: `s3://${BUCKET}/shards`,
    settings: {
      pe_cluster_aws_credentials: credentials,
      pe_cluster_aws_profile: "lab",
      pe_cluster_environment: JSON.stringify(where),
    },
    environment: { ...where, AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey },
    async stop() {
      gate.close();
      await server.stop();
    },
  };
}

async function* contents(folder: string): AsyncIterable<readonly [string, Uint8Array]> {
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".hdf5")))
    yield await Promise.resolve([`shards/${name}`, readFileSync(join(folder, name))]);
}
