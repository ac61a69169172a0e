/** How the nodes of a Slurm reach this machine. */
import { hostname } from "node:os";
import { isLoopback } from "../../protocol/access-file.ts";
import { addressTowards } from "../../protocol/own-address.ts";
import { run } from "./slurm-queue.ts";

/** No packet is sent to it. */
const ANY_PORT = 9;

/**
 * A login node has several addresses; the one from which it speaks to Slurm's controller is in the network of the nodes. Beside
 * the controller itself it is the name of this machine.
 */
export async function addressForNodes(): Promise<string> {
  const controller = controllerIn(await run("scontrol", ["show", "config"]));
  const own = controller === undefined ? undefined : await addressTowards(controller, ANY_PORT).catch(() => undefined);
  return own === undefined || isLoopback(own) ? hostname() : own;
}

/** `SlurmctldHost[0] = name(address)`; the address counts where there is one. */
export function controllerIn(config: string): string | undefined {
  const [, name, address] = /^SlurmctldHost(?:\[0\])?\s*=\s*([^\s(]+)(?:\(([^)]+)\))?/m.exec(config) ?? [];
  return address ?? name;
}
