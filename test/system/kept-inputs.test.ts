/** What workers keep of their inputs, on real processes: a second job over the same shards reads and inflates nothing. */
import { readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { MapJobReport } from "../../index.ts";
import { runWell } from "../support/client.ts";
import { startCluster, type TestCluster } from "../support/cluster-processes.ts";
import { testFolder } from "../support/folders.ts";
import { copyGoldenShards, GOLDEN_SHARDS } from "../support/golden.ts";
import { compareMaps } from "../support/maps-files.ts";
import { describeOnCeph, uploadGolden } from "../support/s3/ceph-suite.ts";

const SERIES = 20;
const FIRST = ["--orders", "3-6", "--delays", "1-7"];
const SECOND = ["--orders", "3-5", "--delays", "2,9"];

async function submit(cluster: TestCluster, input: string, name: string, maps: readonly string[]) {
  const output = join(cluster.folder, name);
  const { stdout } = await cluster.runWell("submit", "--input", input, ...maps, "--output", output, "--json");
  return { output, fetched: (JSON.parse(stdout) as MapJobReport).fetched };
}

/** Writes something else into a file that only workers read, so that nobody can tell by its size and time. */
function spoil(path: string): void {
  const { size, mtimeMs } = statSync(path);
  writeFileSync(path, Buffer.alloc(size, "spoilt"));
  // As planning sees it: a Date would be rounded, to the next millisecond half of the time. Half of one more: seconds are no whole numbers.
  const seconds = (Math.floor(mtimeMs) + 0.5) / 1000;
  utimesSync(path, seconds, seconds);
}

test("a second job over the same shards on the same worker reads and inflates nothing", async () => {
  const cluster = await startCluster();
  await cluster.startWorker("w", "--threads", "2");
  const input = await copyGoldenShards(join(await testFolder(), "shards"));
  const expected = join(await testFolder(), "expected.hdf5");
  await runWell(["run", "--input", input, "--output", expected, ...SECOND]);
  const first = await submit(cluster, input, "first.hdf5", FIRST);
  expect(first.fetched).toEqual({ files: GOLDEN_SHARDS.length, series: SERIES });
  // Planning looks into the others.
  spoil(join(input, GOLDEN_SHARDS[0]!));
  const second = await submit(cluster, input, "second.hdf5", SECOND);
  expect(second.fetched).toEqual({ files: 0, series: 0 });
  expect(await compareMaps(second.output, expected)).toEqual([]);
});

test("of two workers each gets the shards that it had, in another job too", async () => {
  const cluster = await startCluster();
  for (const name of ["a", "b"]) await cluster.startWorker(name, "--threads", "1");
  const input = await copyGoldenShards(join(await testFolder(), "shards"));
  const first = await submit(cluster, input, "first.hdf5", FIRST);
  expect(first.fetched).toEqual({ files: GOLDEN_SHARDS.length, series: SERIES });
  for (const [place, maps] of [
    SECOND,
    ["--orders", "4", "--delays", "3"],
    ["--orders", "6", "--delays", "1-4"],
  ].entries()) {
    const later = await submit(cluster, input, `later-${place}.hdf5`, maps);
    expect(later.fetched).toEqual({ files: 0, series: 0 });
  }
});

test("a shard that was written since is read anew", async () => {
  const cluster = await startCluster();
  await cluster.startWorker("w");
  const input = await copyGoldenShards(join(await testFolder(), "shards"));
  await submit(cluster, input, "first.hdf5", FIRST);
  const path = join(input, GOLDEN_SHARDS[3]!);
  writeFileSync(path, readFileSync(path));
  utimesSync(path, new Date(), new Date(Date.now() - 5000));
  const second = await submit(cluster, input, "second.hdf5", SECOND);
  expect(second.fetched.files).toBe(1);
});

describeOnCeph(
  "inputs from S3 that a worker keeps",
  (ceph) => {
    test("are fetched by no later job", async () => {
      const cluster = await startCluster();
      await cluster.startWorker("w", "--threads", "2");
      const gets = (): number[] => {
        const urls = ceph.proxy.take().flatMap(({ method, url }) => (method === "GET" ? [url] : []));
        return GOLDEN_SHARDS.map((name) => urls.filter((url) => url.includes(name)).length);
      };
      gets();
      const first = await submit(cluster, "s3://lasers/set", "first.hdf5", FIRST);
      expect(first.fetched).toEqual({ files: GOLDEN_SHARDS.length, series: SERIES });
      // One of the worker, one of planning, which looks into the last row and column of blocks.
      expect(gets()).toEqual([1, 2, 2, 2]);
      const second = await submit(cluster, "s3://lasers/set", "second.hdf5", SECOND);
      expect(second.fetched).toEqual({ files: 0, series: 0 });
      expect(gets()).toEqual([0, 1, 1, 1]);
    });
  },
  async (ceph) => await uploadGolden(ceph, "s3://lasers/set"),
);
