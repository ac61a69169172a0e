/** Which of its addresses this machine speaks from. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";

/**
 * The address of this machine from which another one is reached. Nothing is sent for it.
 *
 * @param host Name or address, without brackets.
 * @throws {Error} When it has no address, or there is no way to it.
 */
export async function addressTowards(host: string, port: number): Promise<string> {
  const socket = createSocket(isIP(host) === 6 ? "udp6" : "udp4");
  try {
    socket.connect(port, host);
    await once(socket, "connect");
    return socket.address().address;
  } finally {
    socket.close();
  }
}
