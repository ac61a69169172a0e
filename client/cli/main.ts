#!/usr/bin/env node
/** Entry of the command pe-client. */
import { enter } from "../../common/command-line/entry.ts";
import { packageVersion } from "../../common/version.ts";

await enter({
  name: "pe-client",
  about: "Permutation entropy maps of laser data.",
  version: packageVersion(),
  commands: {
    run: async () => (await import("./commands/run.ts")).run,
    plot: async () => (await import("./commands/plot.ts")).plot,
    inspect: async () => (await import("./commands/inspect.ts")).inspect,
    export: async () => (await import("./commands/export.ts")).exportMap,
    simulate: async () => (await import("./commands/simulate.ts")).simulate,
    demo: async () => (await import("./commands/demo.ts")).demo,
  },
});
