/** Ways into the network of a lab: it has one of its own, but sockets of the file system go through to it. */
import type { Lab } from "./lab.ts";

const RELAY = `
const net = require("node:net");
const server = net.createServer((near) => {
  const far = net.connect(process.argv[1]);
  for (const [one, other] of [[near, far], [far, near]]) one.pipe(other).on("error", () => one.destroy());
});
server.listen(Number(process.argv[3]), process.argv[2], () => console.log("ready"));
`;

/** Leads from an address in the lab to a socket of this machine's file system. Ends with the lab. */
export async function relay(lab: Lab, socket: string, address: string, port: number): Promise<void> {
  await new Promise<void>((ready, fail) => {
    const args = ["-e", RELAY, socket, address, String(port)];
    const ended = lab.control(process.execPath, args, { onOutput: () => ready() });
    ended.then(({ stderr }) => fail(new Error(stderr)), fail);
  });
}
