/** Result files and maps of one input side by side, task lists with gaps, and maps of several folders. */
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { HOOK_MS, runClient, runWell } from "../support/client.ts";
import { startCluster, type TestCluster } from "../support/cluster-processes.ts";
import { fileFolder } from "../support/folders.ts";
import { copyGoldenShards, GOLDEN_SHARDS } from "../support/golden.ts";
import { compareMaps } from "../support/maps-files.ts";

let input: string;
let clean: string;
const MAPS = ["--orders", "4-5", "--delays", "2-3"];

beforeAll(async () => {
  const folder = await fileFolder();
  input = await copyGoldenShards(join(folder, "shards"));
  clean = join(folder, "clean.hdf5");
  await runWell(["run", "--input", input, "--output", clean, ...MAPS]);
}, HOOK_MS);

async function exported(path: string, map: string): Promise<string> {
  return (await runWell(["export", path, "--map", map])).stdout;
}

async function clusterOfOne(): Promise<TestCluster> {
  const cluster = await startCluster();
  await cluster.startWorker("a");
  return cluster;
}

describe("jobs of one input", () => {
  test("that make maps and that write result files are two, and each is attached to as what it is", async () => {
    const cluster = await clusterOfOne();
    const request = ["submit", "--input", input, ...MAPS, "--detach"];
    const [one, two] = ["one", "two"].map((name) => join(cluster.folder, name)) as [string, string];
    const ids: string[] = [];
    for (const more of [[], ["--part-format", "text", "--output", one], ["--part-format", "text", "--output", two]])
      ids.push((await cluster.runWell(...request, ...more)).stdout.trim());
    expect(new Set(ids).size).toBe(3);
    const output = join(cluster.folder, "maps.hdf5");
    await cluster.runWell("attach", ids[0]!, "--output", output);
    expect(await compareMaps(output, clean)).toEqual([]);
    for (const id of ids.slice(1)) expect((await cluster.runWell("attach", id)).stdout).toContain("16 result files");
    expect(await readdir(join(one, "m05t03"))).toEqual(await readdir(join(two, "m05t03")));
  });
});

describe("a task list", () => {
  test("with other orders and delays for each file is computed as it stands", async () => {
    const cluster = await clusterOfOne();
    const results = join(cluster.folder, "results");
    const line = (order: number, delay: number, name: string): string =>
      [order, delay, join(input, name), join(results, `m${order}t${delay}`, `${name}-pe.txt`)].join("\t");
    const [list, first] = [join(cluster.folder, "tasks.txt"), GOLDEN_SHARDS[0]!];
    const lines = [...GOLDEN_SHARDS.map((name) => line(4, 2, name)), line(5, 3, first)];
    await writeFile(list, `${lines.join("\n")}\n`);
    const { stdout } = await cluster.runWell("submit", "--task-file", list, "--json");
    const { files, series, problems } = JSON.parse(stdout) as { files: string[]; series: number; problems: unknown[] };
    expect([files.length, series, problems]).toEqual([5, 20, []]);
    expect(await readdir(join(results, "m5t3"))).toEqual([`${first}-pe.txt`]);
    const again = await cluster.runWell("submit", "--task-file", list, "--detach");
    expect(again.stdout.trim().split("\n")).toHaveLength(2);
    const output = join(cluster.folder, "maps.hdf5");
    await runWell(["reduce", join(results, "m4t2"), "--order", "4", "--delay", "2", "--output", output]);
    expect(await exported(output, "m004t002")).toBe(await exported(clean, "m004t002"));
  });
});

describe("reduce", () => {
  test("knows from the parts alone that a job has ended, and why a cell has no value", async () => {
    const cluster = await clusterOfOne();
    const [damaged, parts] = ["damaged", "parts"].map((name) => join(cluster.folder, name)) as [string, string];
    await copyGoldenShards(damaged);
    await writeFile(join(damaged, GOLDEN_SHARDS[0]!), "no shard");
    const [made, reduced] = ["made.hdf5", "reduced.hdf5"].map((name) => join(cluster.folder, name)) as [string, string];
    const submit = ["submit", "--input", damaged, ...MAPS, "--parts", parts];
    expect((await cluster.run(...submit, "--output", made)).status).toBe(65);
    const { status, stdout } = await runClient(["reduce", parts, "--output", reduced, "--json"]);
    expect([status, JSON.parse(stdout)]).toMatchObject([
      65,
      { missing: [], problems: [{ code: "PE_SHARD_UNREADABLE" }] },
    ]);
    expect(await compareMaps(reduced, made)).toEqual([]);
  });

  test("says of parts of a job that nobody has seen the end of it", async () => {
    const cluster = await startCluster();
    const parts = join(cluster.folder, "parts");
    await cluster.runWell("submit", "--input", input, ...MAPS, "--parts", parts, "--detach");
    const { status, stderr } = await runClient(["reduce", parts, "--output", join(cluster.folder, "maps.hdf5")]);
    expect([status, stderr]).toEqual([65, expect.stringContaining("nobody has seen the job's end")]);
  });

  test("puts the parts of several folders into one file", async () => {
    const cluster = await clusterOfOne();
    const [low, high] = ["low", "high"].map((name) => join(cluster.folder, name)) as [string, string];
    const submit = ["submit", "--input", input, ...MAPS, "--output", join(cluster.folder, "none.hdf5")];
    await cluster.runWell(...submit, "--shards", "0:2", "--parts", low);
    await cluster.runWell(...submit, "--shards", "2:", "--parts", high);
    const output = join(cluster.folder, "maps.hdf5");
    const { stdout } = await runWell(["reduce", low, high, "--output", output, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject([{ missing: [] }, { missing: [] }]);
    expect(await compareMaps(output, clean)).toEqual([]);
    const mixed = await runClient(["reduce", low, input, "--output", output]);
    expect([mixed.status, mixed.stderr]).toEqual([64, expect.stringContaining("reduce them one by one")]);
  });

  test("makes one map of the result files of several folders, each file once", async () => {
    const cluster = await clusterOfOne();
    const folders = ["0:1", "1:"].map((_, place) => join(cluster.folder, String(place)));
    const submit = ["submit", "--input", input, "--orders", "4", "--delays", "2", "--part-format", "text"];
    for (const [place, shards] of ["0:1", "1:"].entries())
      await cluster.runWell(...submit, "--shards", shards, "--output", folders[place]!);
    const output = join(cluster.folder, "maps.hdf5");
    const file = join(folders[0]!, `${GOLDEN_SHARDS[0]!}-pe.txt`);
    const { stdout } = await runWell(["reduce", ...folders, file, "--order", "4", "--delay", "2", "--output", output]);
    expect(stdout).toContain("from 4 result files");
    expect(await exported(output, "m004t002")).toBe(await exported(clean, "m004t002"));
    expect(await readFile(file, "utf8")).toMatch(/^0,0,/);
  });
});
