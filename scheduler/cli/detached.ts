/** A scheduler that goes on by itself: pe-scheduler --detach, stop and status. */
import { join } from "node:path";
import { parsePort } from "../../common/command-line/port.ts";
import { statusCommand, stopCommand, type DetachableSpec } from "../../data/detached/commands.ts";
import { PORT_DEFAULT, stateFolder } from "../../protocol/access-file.ts";

export const DETACHABLE: DetachableSpec = {
  program: "pe-scheduler",
  option: { flags: "--port N", about: "the port that it was given", default: String(PORT_DEFAULT) },
  pidFile: (given) => join(stateFolder(), `scheduler-${parsePort(given.needed("port"))}.pid`),
};

export const stop = stopCommand(DETACHABLE);
export const status = statusCommand(DETACHABLE);
