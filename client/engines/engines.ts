/** Every engine by its name, in the order of --help; its code is loaded when it is used. */
import type { Engine } from "./engine.ts";

export const ENGINES = {
  local: async () => (await import("./local.ts")).local,
  ssh: async () => (await import("./ssh.ts")).ssh,
  slurm: async () => (await import("./slurm.ts")).slurm,
} as const satisfies Readonly<Record<string, () => Promise<Engine>>>;

export type EngineName = keyof typeof ENGINES;
