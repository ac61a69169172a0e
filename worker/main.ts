#!/usr/bin/env node
/** Entry of the command pe-worker: the supervisor, which starts the worker's own process (`process.ts`). */
import { enter } from "../common/command-line/entry.ts";
import { packageVersion } from "../common/version.ts";

await enter({
  name: "pe-worker",
  about: "A worker of a cluster: computes tasks for a scheduler, on as many threads as it is given.",
  version: packageVersion(),
  main: async () => (await import("./command.ts")).worker,
  commands: {
    stop: async () => (await import("./detached.ts")).stop,
    status: async () => (await import("./detached.ts")).status,
  },
});
