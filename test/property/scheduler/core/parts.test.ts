/**
 * Goal: the parts of the scheduler's core that hold numbers in columns behave as plain lists would.
 * Method: random acts on the part and on a list. A failure prints its seed and path: give them to `fc.assert` to replay it.
 */
import fc from "fast-check";
import { describe, test } from "vitest";
import { Edges } from "../../../../scheduler/core/edges.ts";
import type { Batch } from "../../../../scheduler/core/job.ts";
import { BatchQueue } from "../../../../scheduler/core/queue.ts";

function same(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected))
    throw new Error(`expected ${JSON.stringify(expected)}, found ${JSON.stringify(actual)}`);
}

describe("Edges", () => {
  test("are what lists of lists are", () => {
    const act = fc.record({ list: fc.nat(4), release: fc.boolean(), task: fc.nat(1000) });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 300 }), (acts) => {
        const edges = new Edges();
        const heads = [-1, -1, -1, -1, -1];
        const model: number[][] = [[], [], [], [], []];
        for (const { list, release, task } of acts) {
          if (release) {
            edges.release(heads[list]!);
            heads[list] = -1;
            model[list] = [];
          } else {
            heads[list] = edges.add(heads[list]!, list, task);
            model[list]!.unshift(task);
          }
          same(edges.count, model.flat().length);
          for (const [place, head] of heads.entries()) {
            const tasks: number[] = [];
            edges.forEach(head, (_, one) => tasks.push(one));
            same(tasks, model[place]);
          }
        }
      }),
    );
  });
});

describe("BatchQueue", () => {
  test("has the first of each shape first, whatever is added and removed", () => {
    const batch = fc.record({
      priority: fc.integer({ min: -2, max: 2 }),
      shape: fc.constantFrom("a", "b"),
      age: fc.nat(3),
      depth: fc.nat(3),
    });
    // Once results are values the order changes, of what is queued too.
    const acts = fc.array(fc.record({ batch: fc.nat(19), remove: fc.boolean(), value: fc.nat(50) }), {
      maxLength: 200,
    });
    fc.assert(
      fc.property(fc.array(batch, { minLength: 20, maxLength: 20 }), acts, (drawn, list) => {
        const batches = drawn.map(
          ({ priority, ...rest }, sequence) => ({ ...rest, options: { priority }, sequence, isQueued: false }) as Batch,
        );
        const queue = new BatchQueue();
        const queued = new Set<Batch>();
        for (const { batch: place, remove, value } of list) {
          if (value === 0) queue.endWhatWasBegun();
          const one = batches[place]!;
          if (remove) queue.remove(one);
          else queue.add(one);
          if (remove) queued.delete(one);
          else queued.add(one);
          for (const shape of ["a", "b"]) {
            const [first] = [...queued]
              .filter((other) => other.shape === shape)
              .sort((a, b) => (queue.goesBefore(a, b) ? -1 : 1));
            same(queue.first(shape)?.sequence, first?.sequence);
          }
          same(queue.isEmpty, queued.size === 0);
        }
      }),
    );
  });
});
