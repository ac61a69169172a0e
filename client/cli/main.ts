#!/usr/bin/env node
/** Entry of the command pe-client. */
import { enter } from "../../common/command-line/entry.ts";
import { packageVersion } from "../../common/version.ts";
import { CLUSTER_COMMANDS, CLUSTER_GROUPS } from "./commands/cluster/commands.ts";

await enter({
  name: "pe-client",
  about: "Permutation entropy maps of laser data.",
  version: packageVersion(),
  commands: {
    run: async () => (await import("./commands/run.ts")).run,
    submit: async () => (await import("./commands/submit.ts")).submit,
    status: async () => (await import("./commands/status.ts")).status,
    watch: async () => (await import("./commands/watch.ts")).watch,
    attach: async () => (await import("./commands/attach.ts")).attach,
    cancel: async () => (await import("./commands/cancel.ts")).cancel,
    retry: async () => (await import("./commands/retry.ts")).retry,
    release: async () => (await import("./commands/release.ts")).release,
    story: async () => (await import("./commands/story.ts")).story,
    workers: async () => (await import("./commands/workers.ts")).workers,
    tasks: async () => (await import("./commands/tasks.ts")).tasks,
    reduce: async () => (await import("./commands/reduce.ts")).reduce,
    ...CLUSTER_COMMANDS,
    bench: async () => (await import("./commands/bench.ts")).bench,
    plot: async () => (await import("./commands/plot.ts")).plot,
    inspect: async () => (await import("./commands/inspect.ts")).inspect,
    export: async () => (await import("./commands/export.ts")).exportMap,
    doctor: async () => (await import("./commands/doctor.ts")).doctor,
    simulate: async () => (await import("./commands/simulate.ts")).simulate,
    demo: async () => (await import("./commands/demo.ts")).demo,
  },
  groups: CLUSTER_GROUPS,
});
