/** Hands out credentials as clouds do: those of a machine's role (EC2's metadata service, version 2), and those of a container. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface MetadataServer {
  readonly url: string;
  /** What a container must send as `Authorization`. */
  readonly authorization: string;
  /** Handed out from now on. */
  keys: Keys;
  /** How long they say that they last. */
  lastMs: number;
  /** How often credentials were handed out. */
  handedOut: number;
  stop(): Promise<void>;
}

const ROLE = "lab-reader";
const PATH = "/latest/meta-data/iam/security-credentials/";
const TOKEN = "session-of-the-metadata-service";

export async function startMetadataServer(keys: Keys): Promise<MetadataServer> {
  const server = createServer((request, response) => answer(metadata, request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const metadata: MetadataServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    authorization: "Basic container",
    keys,
    lastMs: 3_600_000,
    handedOut: 0,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return metadata;
}

function answer(metadata: MetadataServer, { method, url, headers }: IncomingMessage, response: ServerResponse): void {
  const say = (status: number, text: string): void => void response.writeHead(status).end(text);
  if (method === "PUT" && url === "/latest/api/token") return say(200, TOKEN);
  if (url === "/container")
    return headers.authorization === metadata.authorization ? say(200, handOut(metadata)) : say(401, "");
  // As version 2 of the service: nothing without its token.
  if (headers["x-aws-ec2-metadata-token"] !== TOKEN) return say(401, "");
  if (url === PATH) return say(200, ROLE);
  return url === PATH + ROLE ? say(200, handOut(metadata)) : say(404, "");
}

function handOut(metadata: MetadataServer): string {
  metadata.handedOut++;
  const { accessKey, secretKey } = metadata.keys;
  const Expiration = new Date(Date.now() + metadata.lastMs).toISOString();
  // Keys of the test server are no session's: it knows no token.
  return JSON.stringify({
    Code: "Success",
    Type: "AWS-HMAC",
    AccessKeyId: accessKey,
    SecretAccessKey: secretKey,
    Token: "",
    Expiration,
  });
}
