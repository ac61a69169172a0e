import { expect, test } from "vitest";
import { clientToScheduler, schedulerToClient } from "../../../protocol/client-link.ts";
import { pair } from "../../../protocol/memory.ts";
import type { SchedulerEvent } from "../../../scheduler/core/events.ts";
import { Peers } from "../../../scheduler/peers.ts";
import { until } from "../../support/journal.ts";

function connect() {
  const events: SchedulerEvent[] = [];
  const peers = new Peers(
    (event) => events.push(event),
    () => undefined,
  );
  const [theirs, ours] = pair({ link: { out: schedulerToClient, in: clientToScheduler } });
  const ends: string[] = [];
  ours.onClose(({ reason }) => ends.push(reason));
  peers.accept("client", theirs);
  return { peers, events, ours, ends };
}

test("Peers turns away who connects and says nothing", async () => {
  const { peers, events, ends } = connect();
  peers.closeSilent(performance.now() + 9000);
  expect(peers.counts().clients).toBe(1);
  peers.closeSilent(performance.now() + 11_000);
  await until(() => events.length > 0);
  expect([ends, events, peers.counts().clients]).toEqual([
    ["it said nothing"],
    [{ type: "client-closed", link: 1 }],
    0,
  ]);
});

test("Peers leaves in peace who has said something", async () => {
  const { peers, events, ours } = connect();
  ours.send({ type: "status", request: 1 });
  await until(() => events.length > 0);
  peers.closeSilent(performance.now() + 1e9);
  expect(peers.counts().clients).toBe(1);
  await peers.close("end");
});

test("Peers gives nothing of a connection that was ended to the core but its end", async () => {
  const { peers, events, ours } = connect();
  ours.send({ type: "status", request: 1 });
  await until(() => events.length > 0);
  ours.send({ type: "status", request: 2 });
  peers.end(1, "enough");
  expect(peers.has(1)).toBe(false);
  await until(() => events.length > 1);
  expect(events.map(({ type }) => type)).toEqual(["client-said", "client-closed"]);
});
