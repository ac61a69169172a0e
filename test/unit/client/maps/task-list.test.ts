import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { planTaskList, taskLines, wantedResults } from "../../../../client/maps/task-list.ts";
import type { Input } from "../../../../data/inputs.ts";
import type { PeJob } from "../../../../tasks/pe/plan.ts";
import { testFolder } from "../../../support/folders.ts";

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
