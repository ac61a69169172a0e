import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { planTaskList, recordOf, taskLines, wantedResults } from "../../../../client/maps/task-list.ts";
import type { Input } from "../../../../data/inputs.ts";
import { planPe, type PeJob } from "../../../../tasks/pe/plan.ts";
import { testFolder } from "../../../support/folders.ts";
import { copyGoldenShards, GOLDEN_SHARDS } from "../../../support/golden.ts";

const file = (name: string): Input["files"][number] => ({
  name,
  path: `s3://lasers/a  b/${name}`,
  bytes: 1,
  modifiedMs: 0,
});
const input: Input = { root: "s3://lasers/a  b/", kind: "shards", files: [file("one.hdf5"), file("two.hdf5")] };

function jobOf(files: readonly string[], measures: readonly string[] = ["pe"]): PeJob {
  const manifest = {
    source: { files: files.map(file) },
    common: { orders: [5, 6], delays: [2], measures },
    // The first file has two tasks, the last is not selected.
    tasks: files.slice(0, -1).flatMap((_, ordinal) =>
      ordinal === 0
        ? [
            [0, 0, 4],
            [0, 4, 9],
          ]
        : [[ordinal, 0, -1]],
    ),
  };
  return { manifest } as unknown as PeJob;
}

test("taskLines() leaves addresses as they stand, and gives each order and delay a folder of its own", () => {
  const one = taskLines(input, { orders: [6], delays: [2], output: "s3://lasers/r  s/" });
  expect(one.map(({ outfile }) => outfile)).toEqual([
    "s3://lasers/r  s/one.hdf5-pe.txt",
    "s3://lasers/r  s/two.hdf5-pe.txt",
  ]);
  expect(one[0]!.infile).toBe("s3://lasers/a  b/one.hdf5");
  const more = taskLines(input, { orders: [5, 6], delays: [2], output: "/results" });
  expect(more.map(({ outfile }) => outfile)).toContain("/results/m06t02/two.hdf5-pe.txt");
});

test("wantedResults() names a file for each selected shard, order and delay", () => {
  expect(wantedResults(jobOf(["one.hdf5", "two.hdf5", "three.hdf5"]), "s3://lasers/r")).toEqual([
    { outfile: "s3://lasers/r/m05t02/one.hdf5-pe.txt", ordinal: 0, order: 5, delay: 2 },
    { outfile: "s3://lasers/r/m05t02/two.hdf5-pe.txt", ordinal: 1, order: 5, delay: 2 },
    { outfile: "s3://lasers/r/m06t02/one.hdf5-pe.txt", ordinal: 0, order: 6, delay: 2 },
    { outfile: "s3://lasers/r/m06t02/two.hdf5-pe.txt", ordinal: 1, order: 6, delay: 2 },
  ]);
});

test("wantedResults() refuses shards that would share a file, and jobs without entropies", () => {
  expect(() => wantedResults(jobOf(["a/one.hdf5", "b/one.hdf5", "c.hdf5"]), "/r")).toThrow(
    'Cannot write result files: "a/one.hdf5" and "b/one.hdf5" would have one',
  );
  expect(() => wantedResults(jobOf(["one.hdf5", "two.hdf5"], ["weighted"]), "/r")).toThrow("without --measures pe");
});

test("planTaskList() refuses a list of files and objects, of several buckets, and of other addresses", async () => {
  const path = join(await testFolder(), "one.hdf5");
  await writeFile(path, "x");
  const plan = async (...infiles: string[]): Promise<unknown> =>
    await planTaskList(
      infiles.map((infile, place) => ({ order: 5, delay: 2, infile, outfile: `/r/${place}` })),
      "list",
    );
  await expect(plan(path, "s3://lasers/one.hdf5")).rejects.toThrow(/some of its files are on S3.*make a list of each/);
  await expect(plan("s3://lasers/one.hdf5", "s3://others/one.hdf5")).rejects.toThrow("several buckets");
  await expect(plan("ftp://lasers/one.hdf5")).rejects.toThrow("expected a path or s3://bucket/key");
});

test("planTaskList() computes the orders and delays that are named for a file, and no others", async () => {
  const folder = await copyGoldenShards(join(await testFolder(), "shards"));
  const [one, two, three] = GOLDEN_SHARDS.map((name) => join(folder, name)) as [string, string, string];
  const line = (order: number, delay: number, infile: string) => {
    return { order, delay, infile, outfile: join("/r", `${order}-${delay}-${infile.slice(-12)}`) };
  };
  const lines = [
    ...[1, 2, 3].map((delay) => line(3, delay, one)),
    line(5, 1, one),
    ...[1, 2, 3].map((delay) => line(3, delay, two)),
    line(5, 1, two),
    line(3, 2, three),
    line(3, 2, three),
  ];
  const records = await planTaskList(lines, "list");
  const told = records.map(({ job: { manifest }, results }) => {
    const names = manifest.source.files.map(({ path }) => GOLDEN_SHARDS.indexOf(path.slice(folder.length + 1)));
    return [manifest.common.orders, manifest.common.delays, names, results.length];
  });
  expect(told).toEqual([
    [[3, 5], [1], [0, 1], 4],
    [[3], [2, 3], [0, 1], 4],
    [[3], [2], [2], 1],
  ]);
  const named = records.flatMap(({ job: { manifest }, results }) =>
    results.map(({ ordinal, order, delay }) => `${order} ${delay} ${manifest.source.files[ordinal]!.path}`),
  );
  expect(named.toSorted()).toEqual(
    [...new Set(lines.map(({ order, delay, infile }) => `${order} ${delay} ${infile}`))].toSorted(),
  );
});

test("planTaskList() makes one job of a list with more sorts of lines than jobs are worth", async () => {
  const folder = await copyGoldenShards(join(await testFolder(), "shards"));
  // At delay d the orders of the bits of d.
  const infile = join(folder, GOLDEN_SHARDS[0]!);
  const lines = Array.from({ length: 70 }, (_, index) => {
    const orders = [2, 3, 4, 5, 6, 7, 8].filter((_order, bit) => (((index + 1) >> bit) & 1) === 1);
    return orders.map((order) => ({ order, delay: index + 1, infile, outfile: `/r/${order}-${index}` }));
  }).flat();
  const [{ job, results }, ...others] = await planTaskList(lines, "list");
  expect(others).toEqual([]);
  expect(results).toHaveLength(lines.length);
  expect(job.manifest.common).toMatchObject({ orders: [2, 3, 4, 5, 6, 7, 8] });
  expect(job.manifest.common.delays).toHaveLength(70);
});

test("recordOf() tells jobs apart that compute the same for other files, or for maps", async () => {
  const folder = await copyGoldenShards(join(await testFolder(), "shards"));
  const job = await planPe({ input: folder, orders: [3], delays: [1], measures: ["pe"] });
  const ids = ["/r", "/r", "/other"].map((output) => recordOf(job, wantedResults(job, output)).job.id);
  expect(ids[0]).toBe(ids[1]);
  expect(new Set([job.id, ...ids]).size).toBe(3);
  expect(recordOf(job, []).job.id).toBe(job.id);
});
