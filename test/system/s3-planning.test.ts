/** Planning from a real S3 server: the grid of a thousand shards must not cost their bytes. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openObjectStore } from "../../data/objects/open.ts";
import { planPe } from "../../tasks/pe/plan.ts";
import { runWell } from "../support/client.ts";
import { fileFolder } from "../support/folders.ts";
import { writeLargeShards } from "../support/large-shards.ts";
import { accessTo } from "../support/s3/as-user.ts";
import { describeOnCeph, type CephUnderTest } from "../support/s3/ceph-suite.ts";

const SHARDS = 3;
const PREFIX = "s3://lasers/large  shards";

describeOnCeph("planning from S3", suite, prepare);

let folder: string;
let bytes = 0;

async function prepare({ server }: CephUnderTest): Promise<void> {
  folder = await fileFolder();
  await writeLargeShards(folder, SHARDS);
  const store = openObjectStore(PREFIX, accessTo(server));
  for (let block = 0; block < SHARDS; block++) {
    const name = `raw_shard_00${block * 3}_000.hdf5`;
    const content = await readFile(join(folder, name));
    bytes += content.length;
    await store.write(name, content);
  }
  store.close();
}

function suite(ceph: CephUnderTest): void {
  test("planPe() reads headers by ranges of the version that was listed, and plans what it plans from disk", async () => {
    const maps = { orders: [3], delays: [1], measures: ["pe" as const] };
    const fromDisk = await planPe({ input: folder, ...maps });
    ceph.proxy.take();
    const job = await planPe({ input: PREFIX, ...maps });
    const gets = ceph.proxy.take().filter(({ method, url }) => method === "GET" && url.includes("raw_shard"));
    expect(gets.length).toBeGreaterThan(SHARDS * 9);
    expect(gets.length).toBeLessThan(SHARDS * 16);
    for (const { range, ifMatch } of gets) {
      expect(range).toMatch(/^bytes=\d+-\d+$/);
      expect(job.manifest.source.files.map(({ version }) => `"${version}"`)).toContain(ifMatch);
    }
    expect(job.manifest.grid).toEqual(fromDisk.manifest.grid);
    expect(job.manifest.tasks).toEqual(fromDisk.manifest.tasks);
    expect(job.seriesEstimate).toBe(fromDisk.seriesEstimate);
  });

  test("--dry-run tells what planning has read, a fraction of the shards", async () => {
    const maps = ["--orders", "3", "--delays", "1", "--output", join(folder, "maps.hdf5")];
    const { stdout } = await runWell(["run", "--input", PREFIX, ...maps, "--dry-run", "--json"]);
    const { requests } = JSON.parse(stdout) as { requests: { bytesRead: number; planning: { bytesRead: number } } };
    expect(requests.bytesRead).toBe(bytes);
    expect(requests.planning.bytesRead).toBeGreaterThan(0);
    expect(requests.planning.bytesRead).toBeLessThan(bytes / 20);
  });

  test("a shard that is replaced while it is planned is told, never mixed of two", async () => {
    const name = "raw_shard_006_000.hdf5";
    let isReplaced = false;
    ceph.proxy.plan = ({ url, range }) => {
      if (!url.includes(name) || range === undefined || range.startsWith("bytes=0-") || isReplaced) return undefined;
      isReplaced = true;
      return { answer: 412, body: "<Error><Code>PreconditionFailed</Code></Error>" };
    };
    const job = await planPe({ input: PREFIX, orders: [3], delays: [1], measures: ["pe"] });
    expect(isReplaced).toBe(true);
    expect(job.unreadable).toMatchObject([{ code: "PE_OBJECT_CHANGED" }]);
    ceph.proxy.plan = () => undefined;
  });
}
