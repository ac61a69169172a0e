/** A store that is away for longer than one task is patient: nothing fails, and the job goes on by itself. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openObjectStore } from "../../data/objects/open.ts";
import { PATIENCE } from "../../data/objects/patience.ts";
import { startClient } from "../support/client.ts";
import { startCluster, until, type TestCluster } from "../support/cluster-processes.ts";
import { testFolder } from "../support/folders.ts";
import { GOLDEN_SHARDS, goldenPath } from "../support/golden.ts";
import { accessTo, asUser, makeBucket } from "../support/s3/as-user.ts";
import { reasonAgainstCeph, startCeph } from "../support/s3/ceph.ts";
import { errorBody, startFaultProxy, type Asked, type Fault, type FaultProxy } from "../support/s3/fault-proxy.ts";
import type { S3Server } from "../support/s3/server.ts";

const START_MS = 120_000;
const PREFIX = "s3://lasers/golden  set";
const PARTS = "s3://lasers/parts";

const against = reasonAgainstCeph();
if (against !== undefined) test.skip(`outages of S3: ${against}`, () => {});
else describe("a cluster whose store is away", () => suite());

function suite(): void {
  let server: S3Server;
  let proxy: FaultProxy;
  let restore: () => void;

  beforeAll(async () => {
    server = await startCeph();
    restore = asUser(server);
    proxy = await startFaultProxy(server.port);
    process.env.AWS_ENDPOINT_URL_S3 = proxy.endpointUrl;
    process.env.AWS_REGION = "us-east-1";
    await makeBucket(server, "lasers");
    const store = openObjectStore(PREFIX, accessTo(server));
    for (const name of GOLDEN_SHARDS) await store.write(name, await readFile(goldenPath(name)));
    store.close();
  }, START_MS);
  afterAll(async () => {
    restore?.();
    delete process.env.AWS_ENDPOINT_URL_S3;
    delete process.env.AWS_REGION;
    await proxy?.stop();
    await server?.stop();
  });
  afterEach(() => {
    proxy.plan = () => undefined;
  });

  /** Planned, and on no worker yet. */
  async function submitted(...delays: readonly string[]): Promise<{ cluster: TestCluster; job: string }> {
    const cluster = await startCluster();
    const maps = ["--orders", "3", "--delays", ...delays, "--parts", PARTS];
    const { stdout } = await cluster.runWell("submit", "--input", PREFIX, ...maps, "--detach");
    return { cluster, job: stdout.trim() };
  }

  const isShard = ({ method, url }: Asked): boolean => method === "GET" && url.includes("raw_shard");
  const isPart = ({ method, url }: Asked): boolean => method === "PUT" && url.includes("parts/pe-");

  // One thread reads shards one by one; parts are stored while it goes on.
  test.each<[string, (asked: Asked) => boolean, Fault, number]>([
    ["shards cannot be read", isShard, { answer: 503, body: errorBody("SlowDown") }, PATIENCE.triesMax],
    [
      "shards cannot be read, since credentials have run out",
      isShard,
      { answer: 400, body: errorBody("ExpiredToken") },
      3,
    ],
    ["parts cannot be stored", isPart, { answer: 503, body: errorBody("SlowDown") }, 2 * PATIENCE.triesMax],
  ])("goes on by itself when %s for longer than a task is patient", async (what, fits, fault, tries) => {
    const { cluster, job } = await submitted(String(1 + what.length));
    let met = 0;
    proxy.plan = (asked) => {
      if (!fits(asked)) return undefined;
      met++;
      return fault;
    };
    await cluster.startWorker("one");
    await until(() => met > tries, "another attempt meets the fault");
    proxy.plan = () => undefined;
    const output = join(cluster.folder, "maps.hdf5");
    const { stdout } = await cluster.runWell("attach", job, "--output", output, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ problems: [] });
  });

  test("run says what it waits for, and goes on", async () => {
    const output = join(await testFolder(), "maps.hdf5");
    let gets = 0;
    // The edge of the grid, which is three of the four shards, is planned first.
    proxy.plan = (asked) =>
      isShard(asked) && ++gets > 3 ? { answer: 400, body: errorBody("ExpiredToken") } : undefined;
    const running = startClient(["run", "--input", PREFIX, "--output", output, "--orders", "3", "--delays", "5"]);
    await running.said("waiting: ");
    proxy.plan = () => undefined;
    const { status, stderr } = await running.outcome;
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("resting after an error of its surroundings");
  });
}
