/** A store that is away for longer than one task is patient: nothing fails, and the job goes on by itself. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { PATIENCE } from "../../data/objects/patience.ts";
import { startClient } from "../support/client.ts";
import { startCluster, until, type TestCluster } from "../support/cluster-processes.ts";
import { testFolder } from "../support/folders.ts";
import { describeOnCeph, uploadGolden, type CephUnderTest } from "../support/s3/ceph-suite.ts";
import { errorBody, type Asked, type Fault } from "../support/s3/fault-proxy.ts";

const PREFIX = "s3://lasers/golden  set";
const PARTS = "s3://lasers/parts";

describeOnCeph("a cluster whose store is away", suite, prepare);

async function prepare(ceph: CephUnderTest): Promise<void> {
  await uploadGolden(ceph, PREFIX);
}

function suite(ceph: CephUnderTest): void {
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
    ceph.proxy.plan = (asked) => {
      if (!fits(asked)) return undefined;
      met++;
      return fault;
    };
    await cluster.startWorker("one");
    await until(() => met > tries, "another attempt meets the fault");
    ceph.proxy.plan = () => undefined;
    const output = join(cluster.folder, "maps.hdf5");
    const { stdout } = await cluster.runWell("attach", job, "--output", output, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ problems: [] });
  });

  test("run says what it waits for, and goes on", async () => {
    const output = join(await testFolder(), "maps.hdf5");
    let gets = 0;
    // The edge of the grid, which is three of the four shards, is planned first.
    ceph.proxy.plan = (asked) =>
      isShard(asked) && ++gets > 3 ? { answer: 400, body: errorBody("ExpiredToken") } : undefined;
    const running = startClient(["run", "--input", PREFIX, "--output", output, "--orders", "3", "--delays", "5"]);
    await running.said("waiting: ");
    ceph.proxy.plan = () => undefined;
    const { status, stderr } = await running.outcome;
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("resting after an error of its surroundings");
  });
}
