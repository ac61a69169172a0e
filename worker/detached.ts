/** A worker that goes on by itself: pe-worker --detach, stop and status. */
import { hostname } from "node:os";
import { join } from "node:path";
import { statusCommand, stopCommand, type DetachableSpec } from "../data/detached/commands.ts";
import { stateFolder } from "../protocol/access-file.ts";

export const DETACHABLE: DetachableSpec = {
  program: "pe-worker",
  option: { flags: "--name NAME", about: "the name that it was given; without one, the one of this host without one" },
  // A name may hold what no file name may.
  pidFile: (given) =>
    join(stateFolder(), `worker-${(given.text("name") ?? hostname()).replaceAll(/[^\w.-]/g, "_")}.pid`),
};

export const stop = stopCommand(DETACHABLE);
export const status = statusCommand(DETACHABLE);
