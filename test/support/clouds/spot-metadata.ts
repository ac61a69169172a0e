/** What a machine of EC2 is told about itself, version 2 of the service: nothing without a session. */
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import type { Lab } from "../hosts/lab.ts";
import { relay } from "../hosts/relay.ts";

const SESSION = "session-of-a-machine";
const [ADDRESS, PORT] = ["10.77.0.1", 8169];

export interface SpotMetadata {
  readonly url: string;
  /** How often a machine has asked. */
  asked: number;
  /** Handed out once there is one. */
  notice: string | undefined;
  stop(): Promise<void>;
}

/** For all machines of a lab. */
export async function startSpotMetadata(lab: Lab): Promise<SpotMetadata> {
  const socket = join(lab.folder, "metadata");
  const server = createServer(({ method, url, headers }, response) => {
    const say = (status: number, text: string): void => void response.writeHead(status).end(text);
    if (method === "PUT" && url === "/latest/api/token")
      return say(headers["x-aws-ec2-metadata-token-ttl-seconds"] === undefined ? 400 : 200, SESSION);
    if (headers["x-aws-ec2-metadata-token"] !== SESSION) return say(401, "");
    if (url !== "/latest/meta-data/spot/instance-action") return say(404, "");
    metadata.asked++;
    return metadata.notice === undefined ? say(404, "") : say(200, metadata.notice);
  });
  const metadata: SpotMetadata = {
    url: `http://${ADDRESS}:${PORT}`,
    asked: 0,
    notice: undefined,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  server.listen(socket);
  await once(server, "listening");
  await relay(lab, socket, ADDRESS, PORT);
  return metadata;
}
