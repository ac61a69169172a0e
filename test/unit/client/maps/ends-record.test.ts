import { describe, expect, test } from "vitest";
import { endsName, readEnds, storeEnds } from "../../../../client/maps/ends-record.ts";
import { PeError } from "../../../../common/errors.ts";
import { memoryStore } from "../../../../data/objects/memory-store.ts";
import { objectPartStore } from "../../../../data/objects/part-objects.ts";
import type { TaskEnd } from "../../../../tasks/pe/reduce.ts";

const job = { id: "3f2a", taskCount: 3 };
const failed: TaskEnd = {
  error: new PeError("PE_SHARD_UNREADABLE", "Cannot read it", { details: { n: 1 } }).toRecord(),
};
const part = (index: number): TaskEnd => ({ part: `pe-${index}` });
const ends = (...all: readonly TaskEnd[]): Map<number, TaskEnd> => new Map(all.entries());

describe("storeEnds()", () => {
  test("keeps how each task ended, for readEnds()", async () => {
    const store = objectPartStore(memoryStore());
    expect(await readEnds(store, job)).toBeUndefined();
    const all = ends(part(0), failed, part(2));
    await storeEnds(store, job, all);
    expect(await readEnds(store, job)).toEqual(all);
  });

  test("keeps nothing of a job that has not ended", async () => {
    const store = objectPartStore(memoryStore());
    await storeEnds(store, job, ends(part(0), part(1)));
    expect(await store.has(endsName(job.id))).toBe(false);
  });

  test("lets the end with fewer errors stand, whoever comes last", async () => {
    const store = objectPartStore(memoryStore());
    const [worse, better] = [ends(part(0), failed, part(2)), ends(part(0), part(1), part(2))];
    for (const all of [worse, better, worse]) await storeEnds(store, job, all);
    expect(await readEnds(store, job)).toEqual(better);
  });

  test("loses nothing that another writes at the same moment", async () => {
    const objects = memoryStore();
    const better = ends(part(0), part(1), part(2));
    let isFirst = true;
    const store = objectPartStore({
      ...objects,
      async write(...parameters) {
        if (isFirst) {
          isFirst = false;
          await storeEnds(objectPartStore(objects), job, better);
        }
        return await objects.write(...parameters);
      },
    });
    await storeEnds(store, job, ends(part(0), failed, part(2)));
    expect(await readEnds(store, job)).toEqual(better);
  });
});

describe("readEnds()", () => {
  test.each([
    ["no JSON", "{"],
    ["of another version", JSON.stringify({ format: 2, job: job.id, ends: ["a", "b", "c"] })],
    ["of another job", JSON.stringify({ format: 1, job: "other", ends: ["a", "b", "c"] })],
    ["of another number of tasks", JSON.stringify({ format: 1, job: job.id, ends: ["a"] })],
    [
      "with an error of a later version",
      JSON.stringify({ format: 1, job: job.id, ends: ["a", "b", { code: "PE_NEW", message: "", details: {} }] }),
    ],
  ])("takes a record %s for none, and storeEnds() replaces it", async (_, text) => {
    const store = objectPartStore(memoryStore());
    await store.put(endsName(job.id), new TextEncoder().encode(text));
    expect(await readEnds(store, job)).toBeUndefined();
    await storeEnds(store, job, ends(part(0), failed, part(2)));
    expect(await readEnds(store, job)).toEqual(ends(part(0), failed, part(2)));
  });
});
