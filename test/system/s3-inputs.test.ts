/** How often, when and where to workers fetch shards of a real S3 server: ahead, once for each process, and to disk where large. */
import { hash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeEach, expect, test } from "vitest";
import { fetchInputObject } from "../../data/input-object.ts";
import { listInput, type InputFile } from "../../data/inputs.ts";
import { planPe } from "../../tasks/pe/plan.ts";
import { runWell } from "../support/client.ts";
import { startCluster, until } from "../support/cluster-processes.ts";
import { testFolder } from "../support/folders.ts";
import { GOLDEN_SHARDS, goldenPath } from "../support/golden.ts";
import { frameOf, openPool, runFrame } from "../support/pool.ts";
import { describeOnCeph, uploadGolden, type CephUnderTest } from "../support/s3/ceph-suite.ts";

const PREFIX = "s3://lasers/Optically  Injected/golden set";
const MAPS = ["--orders", "3-6", "--delays", "1-7"];

describeOnCeph("inputs from S3", suite, prepare);

let files: readonly InputFile[];

async function prepare(ceph: CephUnderTest): Promise<void> {
  await uploadGolden(ceph, PREFIX);
  ({ files } = await listInput(PREFIX));
}

function suite(ceph: CephUnderTest): void {
  beforeEach(() => void ceph.proxy.take());

  /** GETs since the last look, by shard. */
  let seen: string[] = [];
  const look = (): string[] => {
    seen.push(
      ...ceph.proxy
        .take()
        .flatMap(({ method, url }) => (method === "GET" ? (/raw_shard_\w+\.hdf5/.exec(url) ?? []) : [])),
    );
    return seen;
  };
  const gets = (): number[] => {
    look();
    const counts = GOLDEN_SHARDS.map((name) => seen.filter((each) => each === name).length);
    seen = [];
    return counts;
  };

  const expected = (): { bytes: number; sha256: string }[] =>
    GOLDEN_SHARDS.map((name) => {
      const bytes = readFileSync(goldenPath(name));
      return { bytes: bytes.length, sha256: hash("sha256", bytes, "hex") };
    });

  test("a pool reads an input before any task runs, and not once more for the task", async () => {
    gets();
    const pool = await openPool({ threads: 1 });
    await pool.listKinds();
    const parameters = files.map((file) => ({ file }));
    pool.prefetch(frameOf("reader", parameters), {});
    await until(() => new Set(look()).size === files.length, "all are read ahead");
    const { results } = await runFrame(pool, { kind: "reader", parameters });
    expect([...results.values()]).toMatchObject(expected());
    expect(gets()).toEqual([1, 1, 1, 1]);
  });

  test("two threads that want the same objects make one GET of each", async () => {
    gets();
    const pool = await openPool({ threads: 2 });
    const parameters = files.map((file) => ({ file, shared: true }));
    const ran = await Promise.all([0, 1].map(async () => await runFrame(pool, { kind: "reader", parameters })));
    for (const { results } of ran) expect([...results.values()]).toMatchObject(expected());
    expect(gets()).toEqual([1, 1, 1, 1]);
  });

  test("an object too large for memory becomes one file of the worker, which goes with it", async () => {
    gets();
    const scratch = await testFolder();
    const pool = await openPool({ threads: 2, scratch, contentBytesMax: 1000 });
    const parameters = files.map((file) => ({ file, shared: true }));
    const ran = await Promise.all([0, 1].map(async () => await runFrame(pool, { kind: "reader", parameters })));
    for (const { results } of ran) {
      expect([...results.values()]).toMatchObject(expected());
      for (const result of results.values()) expect((result as { path: string }).path).toContain(scratch);
    }
    expect(gets()).toEqual([1, 1, 1, 1]);
    expect(readdirSync(scratch)).toHaveLength(1);
    await pool.destroy();
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("maps from files are those from memory", async () => {
    const job = await planPe({ input: PREFIX, orders: [3, 5], delays: [1, 7], measures: ["pe"] });
    const parameters = Array.from({ length: job.taskCount }, (_, index) => job.task(index));
    const parts: string[] = [];
    for (const contentBytesMax of [undefined, 1000]) {
      const folder = join(await testFolder(), "parts");
      mkdirSync(folder);
      const pool = await openPool({ threads: 1, contentBytesMax, scratch: await testFolder() });
      const { failures } = await runFrame(pool, {
        kind: "pe",
        parameters,
        common: job.common,
        parts: pathToFileURL(folder).href,
      });
      expect(failures.size).toBe(0);
      const names = readdirSync(folder).toSorted();
      parts.push(names.map((name) => name + hash("sha256", readFileSync(join(folder, name)))).join());
      expect(names).toHaveLength(job.taskCount);
    }
    expect(parts[1]).toBe(parts[0]);
  });

  test("run makes one GET of a shard to compute from it, and one more where planning needs it", async () => {
    gets();
    const output = join(await testFolder(), "maps.hdf5");
    await runWell(["run", "--input", PREFIX, "--output", output, "--threads", "2", ...MAPS]);
    // The last row and column of blocks are looked at for the size of the grid.
    expect(gets()).toEqual([1, 2, 2, 2]);
  });

  test("a cluster of two workers makes at most one GET of a shard for each", async () => {
    gets();
    const cluster = await startCluster();
    await cluster.startWorker("one");
    await cluster.startWorker("two");
    const output = join(cluster.folder, "maps.hdf5");
    await cluster.runWell("submit", "--input", PREFIX, "--output", output, ...MAPS);
    const counts = gets();
    for (const [index, planned] of [0, 1, 1, 1].entries()) expect(counts[index]! - planned).toBeLessThanOrEqual(2);
  });

  test("fetchInputObject() gives no wrong byte: what does not fit its checksum is read again, or an error", async () => {
    const path = join(await testFolder(), "fetched");
    let flips = 1;
    ceph.proxy.plan = ({ method }) => {
      if (method !== "GET" || flips-- <= 0) return undefined;
      return {
        body: (body) => {
          body[body.length >> 1]! ^= 1;
          return body;
        },
      };
    };
    expect(await fetchInputObject(files[0]!, path)).toBe(expected()[0]!.sha256);
    expect(Buffer.compare(await readFile(path), await readFile(goldenPath(GOLDEN_SHARDS[0]!)))).toBe(0);
    expect(flips).toBeLessThan(0);
    flips = Infinity;
    await expect(fetchInputObject(files[0]!, path)).rejects.toMatchObject({ code: "PE_OBJECT_CORRUPT" });
  });
}
