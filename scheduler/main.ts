#!/usr/bin/env node
/** Entry of the command pe-scheduler. */
import { enter } from "../common/command-line/entry.ts";
import { packageVersion } from "../common/version.ts";

await enter({
  name: "pe-scheduler",
  about: "Hands out the tasks of jobs to workers, and loses nothing.",
  version: packageVersion(),
  main: async () => (await import("./cli/start.ts")).start,
  commands: {
    "access new": async () => (await import("./cli/access-new.ts")).accessNew,
    stop: async () => (await import("./cli/detached.ts")).stop,
    status: async () => (await import("./cli/detached.ts")).status,
  },
});
