/** What a client is told unasked when nothing goes on, with the real core of the scheduler behind connections in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { openJob, type Ties } from "../../../../client/cluster-job.ts";
import { LooseTasks } from "../../../../client/futures/loose-tasks.ts";
import { SchedulerSession } from "../../../../client/session/session.ts";
import { ValueFetcher } from "../../../../client/values/value-fetcher.ts";
import { tellStandstill } from "../../../../client/session/standstill.ts";
import { until } from "../../../support/journal.ts";
import { SmallScheduler } from "../../../support/small-scheduler.ts";

const LOOK_MS = 20;
const closing: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close();
});

async function begin(): Promise<Ties & { scheduler: SmallScheduler; told: string[] }> {
  const scheduler = new SmallScheduler({ kinds: { slow: async () => await sleep(400) } });
  closing.push(scheduler);
  const session = await SchedulerSession.open({ connect: scheduler.connect, name: "test" });
  closing.push(session);
  const told: string[] = [];
  tellStandstill(session, { tell: (text) => told.push(text), firstMs: LOOK_MS });
  return { scheduler, session, values: new ValueFetcher(session, scheduler.fetchValue), told };
}

describe("tellStandstill()", () => {
  test("says once that no worker has the kind of a future's task, also after a lost connection", async () => {
    const { scheduler, session, values, told } = await begin();
    const tasks = new LooseTasks(session, () => "1", values);
    tasks.submit("absent", 1, undefined);
    tasks.submit("absent", 2, undefined);
    await until(() => told.length > 0);
    expect(told[0]).toMatch(
      /^2 tasks of kind "absent" wait \(job session-[0-9a-f]+-1\): no worker has kind "absent"; they have slow$/,
    );
    scheduler.breakConnections();
    await sleep(LOOK_MS * 15);
    expect(told).toHaveLength(1);
  });

  test("says why a durable job that somebody follows does not go on, and what else is in its way later", async () => {
    const { scheduler, session, values, told } = await begin();
    scheduler.holdWork();
    const job = await openJob(
      { session, values },
      { id: "job", kind: "slow", common: null, parts: null, taskCount: 3 },
      "1",
    );
    const ends = job.ends()[Symbol.asyncIterator]();
    const first = ends.next();
    await until(() => told.length > 0);
    expect(told).toEqual(['3 tasks of kind "slow" wait (job job): no worker is connected']);
    scheduler.releaseWork();
    await first;
    await ends.return?.();
  });

  test("says nothing of tasks that run, however long, nor of jobs that nobody follows", async () => {
    const { session, values, told } = await begin();
    const other = await SchedulerSession.open({ connect: (closing[0] as SmallScheduler).connect, name: "other" });
    closing.push(other);
    await openJob(
      { session: other, values },
      { id: "absent", kind: "absent", common: null, parts: null, taskCount: 1 },
      "1",
    );
    await new LooseTasks(session, () => "1", values).submit("slow", 1, undefined).result();
    expect(told).toEqual([]);
  });
});
