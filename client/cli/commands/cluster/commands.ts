/** pe-client cluster: the same five commands for every engine, and one for all of them. */
import type { CommandSpec } from "../../../../common/command-line/command.ts";
import type { Engine } from "../../../engines/engine.ts";
import { ENGINES, type EngineName } from "../../../engines/engines.ts";

type Load = () => Promise<CommandSpec>;

const ACTS: Readonly<Record<string, () => Promise<(engine: Engine) => CommandSpec>>> = {
  start: async () => (await import("./start.ts")).startCommand,
  status: async () => (await import("./status.ts")).statusCommand,
  logs: async () => (await import("./logs.ts")).logsCommand,
  scale: async () => (await import("./scale.ts")).scaleCommand,
  stop: async () => (await import("./stop.ts")).stopCommand,
};

/** By their names as typed: `cluster local start`. */
export const CLUSTER_COMMANDS: Readonly<Record<string, Load>> = {
  "cluster list": async () => (await import("./list.ts")).list,
  ...Object.fromEntries(
    (Object.keys(ENGINES) as EngineName[]).flatMap((engine) =>
      Object.keys(ACTS).map((act): [string, Load] => [
        `cluster ${engine} ${act}`,
        async () => (await ACTS[act]!())(await ENGINES[engine]()),
      ]),
    ),
  ),
};

export const CLUSTER_GROUPS: Readonly<Record<string, string>> = {
  cluster: "Clusters on this machine and elsewhere: start, status, scale, stop, list.",
  ...Object.fromEntries(
    Object.keys(ENGINES).map((engine) => [`cluster ${engine}`, `such clusters: ${Object.keys(ACTS).join(", ")}`]),
  ),
};
