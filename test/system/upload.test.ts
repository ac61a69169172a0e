/** `submit --upload` on real processes: workers that cannot see the input compute its maps, whoever dies meanwhile. */
import { readdirSync, statSync } from "node:fs";
import { mkdir, rename, rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { MapJobReport } from "../../index.ts";
import { runWell } from "../support/client.ts";
import { startCluster, until, type TestCluster } from "../support/cluster-processes.ts";
import { testFolder } from "../support/folders.ts";
import { copyGoldenShards, GOLDEN_SHARDS } from "../support/golden.ts";
import { compareMaps } from "../support/maps-files.ts";
import { withSmallDisk } from "../support/small-disk.ts";

interface Job {
  readonly id: string;
  readonly tasks: number;
  readonly sealed: boolean;
  readonly counts: { readonly erred: number; readonly cancelled: number };
}

const MAPS = ["--orders", "3-6", "--delays", "1-7"];

describe("submit --upload", () => {
  let cluster: TestCluster, input: string, hidden: string, output: string, expected: string;
  beforeEach(async () => {
    cluster = await startCluster();
    input = await copyGoldenShards(join(await testFolder(), "shards"));
    hidden = `${input}-hidden`;
    output = join(cluster.folder, "maps.hdf5");
    expected = join(await testFolder(), "expected.hdf5");
    await runWell(["run", "--input", input, "--output", expected, ...MAPS]);
  });

  const upload = (...more: readonly string[]): string[] => ["submit", "--input", input, "--upload", ...MAPS, ...more];
  const partsFolder = (): string => join(cluster.folder, "journal", "parts");
  const uploaded = (): string[] => readdirSync(partsFolder()).filter((name) => name.startsWith("input-"));
  const status = async (): Promise<readonly Job[]> =>
    (JSON.parse((await cluster.runWell("status", "--json")).stdout) as { jobs: Job[] }).jobs;
  const bytesOf = (names: readonly string[]): number =>
    names.reduce((sum, name) => sum + statSync(join(input, name)).size, 0);

  test("makes the golden maps where no worker sees the input, detached and attached to", async () => {
    const plan = await cluster.runWell(...upload("--detach", "--dry-run"));
    expect(plan.stdout).toMatch(/^upload {3}4 files, 97 kB/m);
    expect(readdirSync(cluster.folder)).not.toContain("parts");
    const { stdout: id } = await cluster.runWell(...upload("--detach"));
    expect(uploaded()).toHaveLength(GOLDEN_SHARDS.length);
    await rename(input, hidden);
    await cluster.startWorker("w");
    const { stdout } = await cluster.runWell("attach", id.trim(), "--output", output, "--json");
    expect(await compareMaps(output, expected)).toEqual([]);
    expect(JSON.parse(stdout)).toMatchObject({ job: id.trim(), input: { root: input }, problems: [] });
    // With the job goes what was sent for it.
    await cluster.runWell("release", id.trim());
    await until(() => readdirSync(partsFolder()).every((name) => name.startsWith(".")), "its parts are freed");
  });

  test("makes them while it waits, and from a store of parts that was named", async () => {
    const parts = join(await testFolder(), "parts");
    const client = cluster.start(...upload("--output", output, "--parts", parts, "--wait", "--json"));
    await until(async () => (await status()).some(({ sealed }) => sealed), "the job has its tasks");
    await rename(input, hidden);
    await cluster.startWorker("w");
    const outcome = await client.outcome;
    expect(outcome.status, outcome.stderr).toBe(0);
    expect(await compareMaps(output, expected)).toEqual([]);
    expect(readdirSync(parts).filter((name) => name.startsWith("input-"))).toHaveLength(GOLDEN_SHARDS.length);
  });

  test("takes the place of a job that failed because no worker sees the input, under the same id, and is joined without it", async () => {
    const submit = ["submit", "--input", input, ...MAPS];
    const { stdout: id } = await cluster.runWell(...submit, "--detach");
    await rename(input, hidden);
    await cluster.startWorker("w");
    const isOver = ({ sealed, tasks, counts }: Job): boolean => sealed && counts.erred + counts.cancelled === tasks;
    await until(async () => (await status()).every(isOver), "the job comes to nothing");
    await rename(hidden, input);
    const again = await cluster.runWell(...upload("--detach", "--json"));
    expect(JSON.parse(again.stdout)).toMatchObject({ job: id.trim(), joined: false });
    const { stderr } = await cluster.runWell(...submit, "--output", output);
    expect(stderr).toContain("joined: ");
    expect(await compareMaps(output, expected)).toEqual([]);
    await rename(input, hidden);
    await cluster.runWell("reduce", id.trim(), "--output", `${output}-2.hdf5`);
    expect(await compareMaps(`${output}-2.hdf5`, expected)).toEqual([]);
  });

  test("sends nothing again that is there, and all that is not when it is submitted again", async () => {
    await cluster.runWell(...upload("--detach", "--shards", "0:2"));
    const { stderr } = await cluster.runWell(...upload("--detach"));
    const [first, rest] = [bytesOf(GOLDEN_SHARDS.slice(0, 2)), bytesOf(GOLDEN_SHARDS.slice(2))];
    const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1e3)} kB`;
    expect(stderr).toContain(`uploaded ${kilobytes(rest)}; ${kilobytes(first)} were there`);
    // Somebody has lost two, and cut one short.
    const [one, two, three] = uploaded();
    for (const name of [one, two]) await rm(join(partsFolder(), name!));
    await truncate(join(partsFolder(), three!), 100);
    await cluster.startWorker("w");
    const failing = await cluster.run("submit", "--input", input, ...MAPS, "--output", output);
    expect(failing.stderr).toContain("submit it again with --upload");
    await cluster.runWell(...upload("--output", output));
    expect(await compareMaps(output, expected)).toEqual([]);
  });

  test("goes on where a client was killed while it sent", async () => {
    const client = cluster.start(...upload("--detach"));
    await until(() => readdirSync(cluster.folder).length > 0 && sentSome(), "something is sent");
    cluster.scheduler.child.kill("SIGSTOP");
    client.child.kill("SIGKILL");
    await client.outcome;
    cluster.scheduler.child.kill("SIGCONT");
    await cluster.startWorker("w");
    await cluster.runWell(...upload("--output", output));
    expect(await compareMaps(output, expected)).toEqual([]);
    expect(uploaded()).toHaveLength(GOLDEN_SHARDS.length);

    function sentSome(): boolean {
      try {
        return uploaded().length > 0;
      } catch {
        return false;
      }
    }
  });

  test("frees what a client sent that left before its job had tasks", async () => {
    await mkdir(partsFolder(), { recursive: true });
    const client = cluster.start(...upload("--detach"));
    await until(() => uploaded().length > 0, "something is sent");
    client.child.kill("SIGKILL");
    await client.outcome;
    const [job] = await status();
    // It may have been quicker than the kill.
    if (job!.tasks > 0) await cluster.runWell("cancel", job!.id);
    await cluster.runWell("release", job!.id);
    await until(() => uploaded().length === 0, "what was sent is freed");
  });

  test("says so when the store has no room, before anything is sent", async (context) => {
    await withSmallDisk(context, "1m", async (folder) => {
      const outcome = await cluster.run(...upload("--output", output, "--parts", join(folder, "parts")));
      expect(outcome.stderr).toMatch(/Cannot upload 4 files .* bytes free.*\[PE_DISK_FULL\]/);
      expect(readdirSync(join(folder, "parts")).filter((name) => name.startsWith("input-"))).toEqual([]);
    });
  });

  test("a worker reads what was uploaded once, and a second job over it nothing", async () => {
    await cluster.startWorker("w");
    const report = async (...maps: readonly string[]): Promise<MapJobReport> => {
      const args = ["--input", input, "--upload", "--output", output, "--json"];
      const { stdout } = await cluster.runWell("submit", ...args, ...maps);
      return JSON.parse(stdout) as MapJobReport;
    };
    expect((await report("--orders", "3", "--delays", "1")).fetched).toEqual({ files: 4, series: 20 });
    expect((await report("--orders", "4", "--delays", "2")).fetched).toEqual({ files: 0, series: 0 });
  });
});
