/**
 * Goal: whatever graph of tasks is submitted, and however often connections break, the scheduler dies or loses its journal, every
 * future has the value of a plain evaluation.
 *
 * Method: fast-check draws graphs (each task needs tasks before it, some have keys, kinds differ) and disturbances between
 * submissions. Replay a failure with the seed and path that fast-check prints.
 */
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Future } from "../../../client/futures/future.ts";
import { gather } from "../../../client/futures/gather.ts";
import { LooseTasks } from "../../../client/futures/loose-tasks.ts";
import { SchedulerSession } from "../../../client/session/session.ts";
import { ValueFetcher } from "../../../client/values/value-fetcher.ts";
import { SmallScheduler } from "../../support/small-scheduler.ts";

const RUNS = 60;
const HANG_MS = 20_000;
const MODULUS = 1_000_003;

interface Node {
  readonly kind: "add" | "mix";
  readonly own: number;
  /** Fractions of the tasks before it. */
  readonly needs: readonly number[];
  readonly hasKey: boolean;
  readonly after: "nothing" | "turn" | "break" | "kill" | "forget" | "wait";
}

const node: fc.Arbitrary<Node> = fc.record({
  kind: fc.constantFrom("add", "mix"),
  own: fc.nat(1000),
  needs: fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 3 }),
  hasKey: fc.boolean(),
  after: fc.oneof(
    { weight: 12, arbitrary: fc.constant("nothing" as const) },
    { weight: 4, arbitrary: fc.constant("turn" as const) },
    { weight: 2, arbitrary: fc.constantFrom("break" as const, "wait" as const) },
    { weight: 1, arbitrary: fc.constantFrom("kill" as const, "forget" as const) },
  ),
});

type Work = readonly [own: number, needs: readonly number[]];
const KINDS = {
  add: ([own, needs]: Work): number => needs.reduce((total, one) => (total + one) % MODULUS, own),
  mix: ([own, needs]: Work): number => needs.reduce((total, one) => (total * 31 + one) % MODULUS, own),
};

test("futures of any graph have the values of a plain evaluation, whatever is lost on the way", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(node, { minLength: 1, maxLength: 40 }), async (graph) => {
      const kinds = Object.fromEntries(
        Object.entries(KINDS).map(([name, run]) => [name, (value: unknown) => run(value as Work)]),
      );
      const scheduler = new SmallScheduler({ kinds, slots: 2 });
      const session = await SchedulerSession.open({ connect: scheduler.connect, name: "graph" });
      try {
        const tasks = new LooseTasks(session, () => "1", new ValueFetcher(session, scheduler.fetchValue));
        const futures: Future[] = [];
        const values: number[] = [];
        for (const [index, { kind, own, needs, hasKey, after }] of graph.entries()) {
          const before = needs.map((fraction) => Math.floor(fraction * index)).filter((place) => place < index);
          const parameters = [own, before.map((place) => futures[place])];
          futures.push(tasks.submit(kind, parameters, hasKey ? { key: `key ${index}` } : undefined));
          values.push(KINDS[kind]([own, before.map((place) => values[place]!)]));
          await disturb(scheduler, after, futures);
        }
        // Time of the core passes quickly: after a restart it waits for its workers.
        const passing = setInterval(() => scheduler.pass(500), 5);
        try {
          expect(await gather(futures)).toEqual(values);
        } finally {
          clearInterval(passing);
        }
      } finally {
        await session.close();
        scheduler.close();
      }
    }),
    // A run takes milliseconds; whoever takes this long waits for ever, and is told with its seed.
    { numRuns: RUNS, timeout: HANG_MS },
  );
});

async function disturb(scheduler: SmallScheduler, how: Node["after"], futures: readonly Future[]): Promise<void> {
  if (how === "nothing") return;
  await sleep(0);
  if (how === "break") scheduler.breakConnections();
  if (how === "wait") await futures.at(-1)!.result();
  if (how !== "kill" && how !== "forget") return;
  scheduler.kill();
  if (how === "forget") scheduler.forgetJournal();
  scheduler.start();
  scheduler.pass(5000);
}
