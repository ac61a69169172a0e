/** Tests against Ceph's S3 gateway, with a proxy before it that may spoil answers. */
import { readFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, test } from "vitest";
import { openObjectStore } from "../../../data/objects/open.ts";
import { GOLDEN_SHARDS, goldenPath } from "../golden.ts";
import { accessTo, asUser, makeBucket } from "./as-user.ts";
import { reasonAgainstCeph, startCeph } from "./ceph.ts";
import { startFaultProxy, type FaultProxy } from "./fault-proxy.ts";
import type { S3Server } from "./server.ts";

/** What is there when the first test begins. */
export interface CephUnderTest {
  readonly server: S3Server;
  readonly proxy: FaultProxy;
}

const START_MS = 120_000;

/**
 * Describes tests that have a server with bucket `lasers`, through whose proxy commands and workers go; one that is skipped
 * and says why where Ceph is not installed.
 *
 * @param prepare Fills the bucket, before the first test.
 */
export function describeOnCeph(
  title: string,
  suite: (ceph: CephUnderTest) => void,
  prepare: (ceph: CephUnderTest) => Promise<void>,
): void {
  const against = reasonAgainstCeph();
  if (against !== undefined) return test.skip(`${title}: ${against}`, () => {});
  describe(title, () => {
    const ceph: { -readonly [Name in keyof CephUnderTest]?: CephUnderTest[Name] } = {};
    let restore: (() => void) | undefined;

    beforeAll(async () => {
      ceph.server = await startCeph();
      restore = asUser(ceph.server);
      ceph.proxy = await startFaultProxy(ceph.server.port);
      process.env["AWS_ENDPOINT_URL_S3"] = ceph.proxy.endpointUrl;
      process.env["AWS_REGION"] = "us-east-1";
      await makeBucket(ceph.server, "lasers");
      await prepare(ceph as CephUnderTest);
    }, START_MS);
    afterAll(async () => {
      restore?.();
      await ceph.proxy?.stop();
      await ceph.server?.stop();
    });
    afterEach(() => {
      ceph.proxy!.plan = () => undefined;
    });

    suite(ceph as CephUnderTest);
  });
}

/** Writes the golden shards under a prefix, past the proxy. */
export async function uploadGolden({ server }: CephUnderTest, prefix: string): Promise<void> {
  const store = openObjectStore(prefix, accessTo(server));
  for (const name of GOLDEN_SHARDS) await store.write(name, await readFile(goldenPath(name)));
  store.close();
}
