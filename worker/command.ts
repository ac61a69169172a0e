/** The command pe-worker. */
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { CommandSpec, Given } from "../common/command-line/command.ts";
import type { Console } from "../common/command-line/console.ts";
import { createLog } from "../common/log.ts";
import { DETACH_OPTIONS, serveOrDetach } from "../data/detached/commands.ts";
import { makeScratchFolder } from "../data/scratch-folder.ts";
import { DETACHABLE } from "./detached.ts";
import { readLeaving } from "./leaving.ts";
import { readSettings } from "./settings.ts";
import { supervise } from "./supervisor.ts";

/**
 * Exit status: 0 when it left as it was asked to; 69 when the scheduler refuses it or cannot be spoken to, 77 when it
 * refuses the token; 64 for a slip in the options or a kind that cannot be loaded; 130 when it was ended at once.
 */
export const worker: CommandSpec = {
  name: "pe-worker",
  about:
    "Joins a scheduler and computes its tasks until it is told to stop: SIGTERM or Ctrl-C finishes what runs and gives " +
    "the rest back, a second one ends at once. It does so as well before its time is up, as in a Slurm job. It comes back by itself when it dies, and when the scheduler does.",
  argument: {
    name: "URL",
    about: "the scheduler, ws://host:8786 or host:8786; else that of the access file",
    optional: true,
  },
  options: [
    { flags: "--threads N", about: "tasks at a time; as many as the machine has cores by default" },
    { flags: "--memory-limit SIZE", about: "of the process, such as 4GB; 80 % of the machine's by default" },
    { flags: "--resources LIST", about: "what tasks may ask for and share, such as gpu=1,licence=2" },
    {
      flags: "--kinds DIR",
      about: "folder of your own kinds of tasks; several with commas between them, or one each time",
      repeatable: true,
    },
    {
      flags: "--scratch DIR",
      about: "where temporary files go, also inputs too large for memory; in a folder that is removed at the end",
    },
    {
      flags: "--serve-host HOST",
      about: "address of this machine where other workers get results; the one towards the scheduler by default",
    },
    { flags: "--serve-port PORT", about: "and port, for firewalls; one that is free by default" },
    { flags: "--name NAME", about: "unique in the cluster; host and process by default" },
    { flags: "--access-file FILE", about: "token and certificate, as pe-scheduler wrote them" },
    {
      flags: "--until TIME",
      about:
        "when this machine is taken away, such as 2026-01-31T18:00:00Z; of a Slurm job known by itself (never: not heeded)",
    },
    {
      flags: "--leave-within SECONDS",
      about:
        "to leave takes that long at most: after half of it, what still runs is given back (60 before --until; no limit on SIGTERM)",
    },
    ...DETACH_OPTIONS,
    { flags: "--json", about: "log lines as JSON" },
  ],
  examples: [
    "pe-worker ws://127.0.0.1:8786 --threads 4",
    "pe-worker --access-file access.json --kinds kinds --name a",
    "pe-worker --detach --name a",
  ],
  run: async (given, console) =>
    await serveOrDetach(DETACHABLE, given, console, async (announce) => await run(given, console, announce)),
};

/** @param announce Tells whoever started it that it is up; the scheduler may come later. */
async function run(given: Given, console: Console, announce: () => Promise<void>): Promise<number> {
  const settings = readSettings(given);
  const leaving = readLeaving(given);
  const log = createLog((line) => console.stderr(line), { json: settings.json });
  const scratch = makeScratchFolder(given.text("scratch") ?? tmpdir(), "pe-worker-");
  try {
    await announce();
    return await supervise({ ...settings, scratch }, leaving, { log, stderr: (text) => console.stderr(text) });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
