/** `npm run bench -- NAME [options]`: runs one of the benchmarks, or lists them. */
const BENCHES: Record<string, { about: string; run: (args: readonly string[]) => Promise<void> }> = {
  kernel: {
    about: "ns per (sample, delay) of a sweep, over kinds, lengths and types of series [--quick] [--json]",
    run: async (args) => (await import("./kernel.ts")).benchKernel(args),
  },
  journal: {
    about:
      "durable records/s of the scheduler's journal, and its replay [--folder DIR] [--seconds N] [--runs N] [--json]",
    run: async (args) => (await import("./journal.ts")).benchJournal(args),
  },
  pool: {
    about:
      "no-op tasks/s through the pool of threads alone, by tasks a frame; large results and inputs, ms [--threads N] [--tasks N] [--runs N] [--json]",
    run: async (args) => (await import("./pool.ts")).benchPool(args),
  },
  scheduler: {
    about:
      "tasks/s, round trip and efficiency of a cluster, also beside dask [--peers] [--defaults] [--rounds N] [--repeats N] [--only REGEXP] [--shape processes,local] [--profiles DIR] [--json] [--from FILE]",
    run: async (args) => (await import("./scheduler.ts")).benchScheduler(args),
  },
  overhead: {
    about:
      "the main job through the scheduler over the bare pool of threads [--input DIR] [--shards N] [--runs N] [--json]",
    run: async (args) => (await import("./overhead.ts")).benchOverhead(args),
  },
  storage: {
    about:
      "the main job from a real S3 server of this machine beside the same from disk: wall and CPU time, MB/s, time that threads wait, GETs [--input DIR] [--shards N] [--runs N] [--threads LIST] [--json]",
    run: async (args) => (await import("./storage.ts")).benchStorage(args),
  },
  transfer: {
    about:
      "values from worker to worker: 15 MB, several needers, 1 GB, TLS, files, through the scheduler, also beside dask [--peers] [--only small,together,large] [--rounds N] [--json]",
    run: async (args) => (await import("./transfer.ts")).benchTransfer(args),
  },
  "scheduler-load": {
    about:
      "the scheduler alone: time and memory a task of a million, with 2 and 1,000 zero workers [--tasks N] [--rounds N] [--json]",
    run: async (args) => (await import("./scheduler-load.ts")).benchSchedulerLoad(args),
  },
  "end-to-end": {
    about: "the main job on made shards, one thread and all [--input DIR] [--shards N] [--runs N] [--json]",
    run: async (args) => (await import("./end-to-end.ts")).benchEndToEnd(args),
  },
};

const [name = "", ...args] = process.argv.slice(2);
const bench = BENCHES[name];
if (bench === undefined) {
  const list = Object.entries(BENCHES).map(([each, { about }]) => `  ${each.padEnd(14)} ${about}`);
  console.error([`usage: npm run bench -- NAME [options]`, ...list].join("\n"));
  process.exitCode = 64;
} else if (args.includes("--help")) console.log(`npm run bench -- ${name}: ${bench.about}`);
else await bench.run(args);
