/**
 * Goal: whatever graph of tasks with large results is submitted, and however often connections break, the scheduler dies and the
 * worker that holds everything is replaced, every future that was not released has the value of a plain evaluation; and when all are
 * released, workers hold nothing.
 *
 * Method: fast-check draws graphs (each task needs tasks before it; results are large or small, some tasks have keys) and what
 * happens between submissions, releases among it. Replay a failure with the seed and path that fast-check prints.
 */
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Future } from "../../../client/futures/future.ts";
import { gather } from "../../../client/futures/gather.ts";
import { LooseTasks } from "../../../client/futures/loose-tasks.ts";
import { SchedulerSession } from "../../../client/session/session.ts";
import { ValueFetcher } from "../../../client/values/value-fetcher.ts";
import { SmallScheduler, type SmallKind } from "../../support/small-scheduler.ts";

const RUNS = 60;
const HANG_MS = 30_000;
const MODULUS = 1_000_003;
/** Its array does not fit into a report. */
const LENGTH = 8500;

interface Node {
  readonly kind: "large" | "small";
  readonly own: number;
  /** Fractions of the tasks before it that are not released. */
  readonly needs: readonly number[];
  readonly hasKey: boolean;
  readonly after: "nothing" | "turn" | "break" | "wait" | "replace" | "kill" | "forget" | "release" | "fetch";
  /** Fraction of the tasks so far: which is released or fetched. */
  readonly which: number;
}

const fraction = fc.double({ min: 0, max: 0.999, noNaN: true });

const nodeWith = (happens: fc.Arbitrary<Node["after"]>): fc.Arbitrary<Node> =>
  fc.record({
    kind: fc.constantFrom("large", "small"),
    own: fc.nat(1000),
    needs: fc.array(fraction, { maxLength: 3 }),
    hasKey: fc.boolean(),
    after: happens,
    which: fraction,
  });

const numberIn = (value: unknown): number => (value instanceof Float64Array ? value[LENGTH - 1]! : (value as number));
const mix = (own: number, needs: readonly number[]): number =>
  needs.reduce((total, one) => (total * 31 + one) % MODULUS, own);

type Work = readonly [own: number, needs: readonly unknown[]];
const small: SmallKind = (value) => mix((value as Work)[0], (value as Work)[1].map(numberIn));
const KINDS: Record<string, SmallKind> = {
  small,
  large: (value, context) => new Float64Array(LENGTH).fill(small(value, context) as number),
};

const after = (...more: Node["after"][]): fc.Arbitrary<Node["after"]> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant("nothing" as const) },
    { weight: 4, arbitrary: fc.constantFrom("turn" as const, "release" as const, "fetch" as const) },
    { weight: 2, arbitrary: fc.constantFrom("break" as const, "wait" as const, "replace" as const) },
    { weight: 1, arbitrary: fc.constantFrom("kill" as const, ...more) },
  );

test("large results of any graph have the values of a plain evaluation, and are gone when they are released", async () => {
  await holdsFor(after(), async (futures, values) => {
    expect((await gather(futures)).map(numberIn)).toEqual(values);
  });
}, 180_000);

test("large results are right, or told to be lost, where the scheduler loses its journal too", async () => {
  await holdsFor(after("forget"), async (futures, values) => {
    const ends = await Promise.allSettled(futures.map(async (future) => await future.result()));
    for (const [place, end] of ends.entries())
      if (end.status === "fulfilled") expect(numberIn(end.value)).toBe(values[place]);
      else expect(["PE_VALUE_LOST", "PE_NEED_FAILED"]).toContain((end.reason as { code?: string }).code);
  });
}, 180_000);

type Judge = (futures: readonly Future[], values: readonly number[]) => Promise<void>;

/** @param judge Of futures that are not released, what they should have. */
async function holdsFor(happens: fc.Arbitrary<Node["after"]>, judge: Judge): Promise<void> {
  const graphs = fc.array(nodeWith(happens), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(graphs, async (graph) => await run(graph, judge)),
    // A run takes milliseconds; whoever takes this long waits for ever, and is told with its seed.
    { numRuns: RUNS, timeout: HANG_MS },
  );
}

async function run(graph: readonly Node[], judge: Judge): Promise<void> {
  const scheduler = new SmallScheduler({ kinds: KINDS, slots: 2 });
  const session = await SchedulerSession.open({ connect: scheduler.connect, name: "graph" });
  // Time of the core passes quickly: after a restart it waits for its workers.
  const passing = setInterval(() => scheduler.pass(500), 5);
  try {
    const tasks = new LooseTasks(session, () => "1", new ValueFetcher(session, scheduler.fetchValue, 5));
    const futures: Future[] = [];
    const values: number[] = [];
    const held = new Set<number>();
    for (const [index, { kind, own, needs, hasKey, after: how, which }] of graph.entries()) {
      const before = [...held];
      const chosen = needs.flatMap((part) => before.slice(Math.floor(part * before.length)).slice(0, 1));
      const parameters = [own, chosen.map((place) => futures[place])];
      futures.push(tasks.submit(kind, parameters, hasKey ? { key: `key ${index}` } : undefined));
      values.push(
        mix(
          own,
          chosen.map((place) => values[place]!),
        ),
      );
      held.add(index);
      const place = Math.floor(which * (index + 1));
      if (how === "release") {
        futures[place]!.release();
        held.delete(place);
      } else if (how === "fetch" && held.has(place)) void futures[place]!.result().catch(() => undefined);
      else await disturb(scheduler, how, futures);
    }
    const left = [...held];
    await judge(
      left.map((place) => futures[place]!),
      left.map((place) => values[place]!),
    );
    for (const place of left) futures[place]!.release();
    while (futures.some(({ status }) => status === "pending") || scheduler.values.size > 0) await sleep(1);
  } finally {
    clearInterval(passing);
    await session.close();
    scheduler.close();
  }
}

async function disturb(scheduler: SmallScheduler, how: Node["after"], futures: readonly Future[]): Promise<void> {
  if (how === "nothing") return;
  await sleep(0);
  if (how === "break") scheduler.breakConnections();
  if (how === "replace") scheduler.replaceWorker();
  if (how === "wait") await waitFor(futures.at(-1)!);
  if (how !== "kill" && how !== "forget") return;
  scheduler.kill();
  if (how === "forget") scheduler.forgetJournal();
  scheduler.start();
}

/** Also one that was released meanwhile. */
async function waitFor(future: Future): Promise<void> {
  while (future.status === "pending") await sleep(1);
}
