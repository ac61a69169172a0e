/** The golden set from a real S3 server: the same maps as from disk, by `run` and by a cluster, also over faults. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { readInputObject } from "../../data/input-object.ts";
import { listInput } from "../../data/inputs.ts";
import { openObjectStore } from "../../data/objects/open.ts";
import { expectError, runClient, runWell } from "../support/client.ts";
import { startCluster } from "../support/cluster-processes.ts";
import { fileFolder, testFolder } from "../support/folders.ts";
import { copyGoldenShards, GOLDEN_SHARDS, goldenPath } from "../support/golden.ts";
import { compareMaps, mapsContent } from "../support/maps-files.ts";
import { accessTo } from "../support/s3/as-user.ts";
import { describeOnCeph, uploadGolden, type CephUnderTest } from "../support/s3/ceph-suite.ts";
import { errorBody, type Asked } from "../support/s3/fault-proxy.ts";

const PREFIX = "s3://lasers/Optically  Injected/golden set";
const MAPS = ["--orders", "3-6", "--delays", "1-7"];

describeOnCeph("maps from S3", suite, prepare);

let fromDisk: string;

async function prepare(ceph: CephUnderTest): Promise<void> {
  await uploadGolden(ceph, PREFIX);
  const store = openObjectStore(PREFIX, accessTo(ceph.server));
  // What lies beside and below, and is no shard.
  for (const name of ["raw_all.hdf5", "maps.hdf5", "notes.txt", "deeper/raw_shard_009_009.hdf5", ".hidden.hdf5"])
    await store.write(name, Buffer.from("no shard"));
  store.close();
  const place = await fileFolder();
  fromDisk = join(place, "disk.hdf5");
  const input = await copyGoldenShards(join(place, "shards"));
  await runWell(["run", "--input", input, "--output", fromDisk, ...MAPS]);
}

function suite(ceph: CephUnderTest): void {
  let folder: string;
  beforeEach(async () => {
    folder = await testFolder();
    ceph.proxy.take();
  });

  const isShardGet = ({ method, url }: Asked): boolean => method === "GET" && /raw_shard_\d/.test(url);

  test("listInput() lists the shards of a prefix with length and version, and reads none", async () => {
    const input = await listInput(PREFIX);
    expect(input).toMatchObject({ kind: "shards", root: `${PREFIX}/` });
    expect(input.files.map(({ name }) => name)).toEqual(GOLDEN_SHARDS);
    for (const { name, path, bytes, version } of input.files) {
      expect(path).toBe(`${PREFIX}/${name}`);
      expect(bytes).toBe((await readFile(goldenPath(name))).length);
      expect(version).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(ceph.proxy.take().filter(isShardGet)).toEqual([]);
    expect((await listInput(`${PREFIX}/${GOLDEN_SHARDS[1]!}`)).files).toHaveLength(1);
    await expect(listInput("s3://lasers/none")).rejects.toMatchObject({ code: "PE_INPUT_EMPTY" });
  });

  test("run gives the same maps as from disk, and reads a shard once", async () => {
    const output = join(folder, "s3.hdf5");
    await runWell(["run", "--input", PREFIX, "--output", output, ...MAPS]);
    expect(await compareMaps(output, fromDisk)).toEqual([]);
    const gets = ceph.proxy.take().filter(isShardGet);
    // Once for the edge of the grid, which is three of the four, and once to compute.
    for (const name of GOLDEN_SHARDS)
      expect(gets.filter(({ url }) => url.includes(name)).length, name).toBeLessThanOrEqual(2);
  });

  test("inspect looks at a prefix and at one shard", async () => {
    expect((await runWell(["inspect", PREFIX])).stdout).toContain("grid 5 x 4");
    const { stdout } = await runWell(["inspect", `${PREFIX}/${GOLDEN_SHARDS[0]!}`]);
    expect(stdout).toContain(`shard ${PREFIX}/${GOLDEN_SHARDS[0]!}: 9 series`);
  });

  test("run over faults gives the same maps", async () => {
    let requests = 0;
    ceph.proxy.plan = (asked) => {
      if (asked.method !== "GET") return undefined;
      const number = requests++ % 6;
      if (number === 0) return { answer: 503, body: errorBody("SlowDown") };
      if (number === 2) return isShardGet(asked) ? { after: [20_000, "reset"] } : "reset";
      if (number !== 4 || !isShardGet(asked)) return undefined;
      return {
        body: (body) => {
          body[body.length - 1]! ^= 1;
          return body;
        },
      };
    };
    const output = join(folder, "s3.hdf5");
    await runWell(["run", "--input", PREFIX, "--output", output, ...MAPS]);
    expect(await compareMaps(output, fromDisk)).toEqual([]);
    expect(requests).toBeGreaterThan(10);
  });

  test("a cluster with two workers gives the same maps, with its parts in a bucket", async () => {
    const cluster = await startCluster();
    await cluster.startWorker("one");
    await cluster.startWorker("two");
    const output = join(folder, "cluster.hdf5");
    const parts = "s3://lasers/parts of jobs";
    await cluster.runWell("submit", "--input", PREFIX, "--output", output, "--parts", parts, ...MAPS);
    expect(await compareMaps(output, fromDisk)).toEqual([]);
    const store = openObjectStore(parts, accessTo(ceph.server));
    const names: string[] = [];
    for await (const { name } of store.list()) names.push(name);
    store.close();
    expect(names.some((name) => name.startsWith("manifest-"))).toBe(true);
    expect(names.length).toBeGreaterThan(GOLDEN_SHARDS.length);
  });

  test("a shard that cannot be read is named, and the rest is computed", async () => {
    const name = GOLDEN_SHARDS[0]!;
    ceph.proxy.plan = (asked) =>
      isShardGet(asked) && asked.url.includes(name) ? { answer: 403, body: errorBody("AccessDenied") } : undefined;
    const output = join(folder, "s3.hdf5");
    const { status, stdout } = await runClient(["run", "--input", PREFIX, "--output", output, ...MAPS, "--json"]);
    expect(status).toBe(65);
    expect(stdout).toContain(`${PREFIX}/${name}: the store does not allow it (AccessDenied, 403`);
    // The shard has 9 of the 20 series.
    const cells = (await mapsContent(output)).blocks.get("m003t001 values")!;
    expect(cells.filter((cell) => cell.includes("NaN"))).toHaveLength(9);
  });

  test("a shard that is replaced after it was listed is an error with its name", async () => {
    const { files } = await listInput(PREFIX);
    const file = files[2]!;
    const bytes = await readFile(goldenPath(file.name));
    expect(Buffer.compare(await readInputObject(file), bytes)).toBe(0);
    const store = openObjectStore(PREFIX, accessTo(ceph.server));
    await store.write(file.name, Buffer.concat([bytes.subarray(1), bytes.subarray(0, 1)]));
    await expect(readInputObject(file)).rejects.toMatchObject({
      code: "PE_OBJECT_CHANGED",
      message: expect.stringContaining(file.path) as string,
    });
    await store.write(file.name, bytes);
    store.close();
  });

  test("doctor finds this server good, tells what is missing elsewhere, and leaves nothing", async () => {
    const { stdout } = await runWell(["doctor", "s3://lasers/checked"]);
    expect(stdout.split("\n").map((line) => line.slice(0, 4))).toEqual([...Array<string>(7).fill("good"), ""]);
    expect(stdout).toContain("checked by sha256");
    const store = openObjectStore("s3://lasers/checked", accessTo(ceph.server));
    for await (const { name } of store.list()) expect(name).toBe("nothing");
    store.close();
    const nowhere = await runClient(["doctor", "s3://no-such-bucket", "--json"]);
    expect(nowhere.status).toBe(66);
    expect(JSON.parse(nowhere.stdout)).toMatchObject({
      findings: [{ what: "listing", status: "bad", code: "PE_OBJECT_MISSING" }, { what: "writing" }],
    });
  });

  test("a bucket that is not there, or no access to it, is one line and a status", async () => {
    const output = join(folder, "s3.hdf5");
    const args = ["run", "--output", output, ...MAPS];
    await expectError([...args, "--input", "s3://no-such-bucket/x"], "PE_OBJECT_MISSING", 66);
    const env = { AWS_SECRET_ACCESS_KEY: "wrong" };
    await expectError([...args, "--input", PREFIX], "PE_OBJECT_DENIED", 77, { env });
  });
}
