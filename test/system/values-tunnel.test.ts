/** Who reaches nothing but the scheduler's port, as through an ssh tunnel, has large results through it. */
import { join } from "node:path";
import { afterEach, expect, test, type TestContext } from "vitest";
import { TEST_KINDS } from "../support/built.ts";
import { ROOT } from "../support/client.ts";
import { FaultCluster } from "../support/cluster-faults.ts";
import { eventually, Program } from "../support/cluster-programs.ts";
import { PrivateNetwork } from "../support/private-network.ts";

const PROGRAMS = { dist: join(ROOT, "test/fixtures") };
const WORKERS = ["a", "b"];
const CLIENT = "client";

let network: PrivateNetwork | undefined;
let cluster: FaultCluster | undefined;

afterEach(async () => {
  await cluster?.killAll();
  network?.close();
  [cluster, network] = [undefined, undefined];
});

async function start(context: TestContext): Promise<[FaultCluster, PrivateNetwork]> {
  network = PrivateNetwork.open([...WORKERS, CLIENT]);
  if (network === undefined)
    return context.skip("machines cannot be cut off here: that takes root, ip, nft and nsenter");
  cluster = await FaultCluster.start({ network });
  const workers = WORKERS.map((host) => cluster!.launchWorker(host, [], { host }));
  for (const { name, program } of workers)
    await eventually(
      () => program.output.stderr.includes("connected to the scheduler"),
      () => `worker ${name} joins: ${program.output.stderr}`,
    );
  return [cluster, network];
}

/** A graph over arrays, checked. */
async function computeGraph(on: FaultCluster): Promise<void> {
  const given = { accessFile: on.accessFile, kinds: [TEST_KINDS], seed: 7, hasKeys: false, scatters: true };
  const options = { ...PROGRAMS, ...on.within(CLIENT) };
  const client = new Program("programs/values-client.mjs", [JSON.stringify(given)], options);
  expect((await client.ended).status, client.output.stderr).toBe(0);
}

/** Of `/health`. */
async function relayOf(on: FaultCluster): Promise<{ now: number; relayed: number; failed: number; bytes: number }> {
  const asking = new Program("programs/health.mjs", [on.accessFile], { ...PROGRAMS, ...on.within() });
  await asking.ended;
  return (JSON.parse(asking.output.stdout) as { relay: Awaited<ReturnType<typeof relayOf>> }).relay;
}

test("a client that reaches only the scheduler's port gathers large results through it, which /health counts", async (context) => {
  const [on, net] = await start(context);
  await computeGraph(on);
  expect((await relayOf(on)).relayed).toBe(0);
  for (const host of WORKERS) net.cut(CLIENT, host, "silent");
  await computeGraph(on);
  const relay = await relayOf(on);
  expect(relay).toMatchObject({ now: 0, failed: 0 });
  expect(relay.relayed).toBeGreaterThan(0);
  expect(relay.bytes).toBeGreaterThan(relay.relayed * 64 * 1024);
  await on.stop();
});

test("workers that do not reach each other compute with each other's results through the scheduler", async (context) => {
  const [on, net] = await start(context);
  net.cut("a", "b", "refused");
  await computeGraph(on);
  const relay = await relayOf(on);
  expect(relay).toMatchObject({ now: 0, failed: 0 });
  expect(relay.relayed).toBeGreaterThan(0);
  await on.stop();
});
