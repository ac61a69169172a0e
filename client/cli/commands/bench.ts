/** pe-client bench: what a cluster brings, measured with the job that matters. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXIT } from "../../../common/errors.ts";
import { parseList } from "../../../common/ranges.ts";
import { JSON_OPTION, type CommandSpec, type Given } from "../../../common/command-line/command.ts";
import { printResult, type Console } from "../../../common/command-line/console.ts";
import { benchCluster, type BenchOptions, type BenchResult } from "../../maps/cluster-bench.ts";
import { simulateShards } from "../../simulation.ts";
import { CLUSTER_OPTIONS, withCluster } from "../cluster.ts";
import { formatCount } from "../progress.ts";
import { parseDelays, parseOrders, parseWhole } from "../quantities.ts";
import { table } from "../table.ts";

const RUNS_MAX = 100;

export const bench: CommandSpec = {
  name: "bench",
  about:
    "Compute one job with threads of this machine and on workers, and tell wall time, speed-up, efficiency, where the " +
    "time went, and whether all maps are identical.",
  options: [
    {
      ...CLUSTER_OPTIONS[0]!,
      about: "local: a scheduler and workers of its own on this machine; or the URL of one, with the workers it has",
      default: "local",
    },
    CLUSTER_OPTIONS[1]!,
    { flags: "--workers LIST", about: "with --scheduler local: numbers of workers, one thread each", default: "1,2" },
    { flags: "--input PATH", about: "shards (default: makes 1,296 series of 20,000 samples)" },
    { flags: "--orders LIST", about: "samples per window", default: "3-5" },
    { flags: "--delays LIST", about: "samples between neighbours", default: "1-100" },
    { flags: "--runs N", about: "of each; medians are told", default: "3" },
    JSON_OPTION,
  ],
  examples: ["pe-client bench --workers 1,2"],
  run: async (given, console) => {
    const made = given.has("input") ? undefined : await mkdtemp(join(tmpdir(), "pe-cluster-bench-shards-"));
    try {
      if (made !== undefined) await makeShards(made, console);
      const result = await measure(made ?? given.needed("input"), given, console);
      printResult(console, given.flag("json"), result, resultText(result));
      return result.identical ? EXIT.ok : EXIT.software;
    } finally {
      if (made !== undefined) await rm(made, { recursive: true, force: true });
    }
  },
};

async function makeShards(output: string, console: Console): Promise<void> {
  console.stderr("making shards\n");
  await simulateShards({
    model: "injection",
    output,
    grid: { xSize: 36, ySize: 36 },
    samples: 20_000,
    shardSize: 6,
    seed: 1,
  });
}

async function measure(input: string, given: Given, console: Console): Promise<BenchResult> {
  const options: BenchOptions = {
    request: {
      input,
      orders: parseOrders(given.needed("orders")),
      delays: parseDelays(given.needed("delays"), undefined),
      measures: ["pe"],
    },
    workers: parseList(given.needed("workers"), "--workers").map((count) =>
      parseWhole(String(count), "--workers", 1, 64),
    ),
    runs: parseWhole(given.needed("runs"), "--runs", 1, RUNS_MAX),
    onRun: (what, done, total) => console.stderr(`${done + 1} of ${total}: ${what}\n`),
  };
  return given.needed("scheduler") === "local"
    ? await benchCluster(options)
    : await withCluster(given, console, async (cluster) => await benchCluster({ ...options, cluster }));
}

function resultText({ series, tasks, runs, rows, identical, mapsCompared }: BenchResult): string {
  const percent = (share: number): string => `${Math.round(share * 100)} %`;
  const lines = table(
    ["", "threads", "wall s", "series/s", "speed-up", "efficiency", "read", "decode", "compute", "rest", "publish s"],
    rows.map(({ where, threads, computeMs, publishMs, seriesPerSecond, speedUp, efficiency, shares }) => [
      where === "local" ? "this machine" : "cluster",
      threads,
      (computeMs / 1000).toFixed(2),
      formatCount(seriesPerSecond),
      speedUp.toFixed(2),
      efficiency.toFixed(2),
      percent(shares.read),
      percent(shares.decode),
      percent(shares.compute),
      percent(shares.rest),
      (publishMs / 1000).toFixed(2),
    ]),
  );
  return [
    `${series} series in ${tasks} tasks; medians of ${runs} runs in turn; speed-up over one thread of this machine`,
    lines,
    "read, decode, compute: shares of the threads' time; rest: storing parts, hand-over, start of threads, waiting",
    identical ? `all ${mapsCompared} maps are identical, bit by bit` : "THE MAPS DIFFER: please report this",
  ].join("\n");
}
