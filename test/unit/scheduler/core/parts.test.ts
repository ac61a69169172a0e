/** The small parts of the scheduler's core: arena, edges, stories, what waits for the disk, the table of tasks. */
import { describe, expect, test } from "vitest";
import { BytesArena } from "../../../../scheduler/core/bytes-arena.ts";
import { Durability } from "../../../../scheduler/core/durability.ts";
import { Edges } from "../../../../scheduler/core/edges.ts";
import { STORY_LINES_MAX, STORY_RING } from "../../../../scheduler/core/limits.ts";
import { StoryRing } from "../../../../scheduler/core/story.ts";
import { SuspectLine } from "../../../../scheduler/core/suspect-line.ts";
import { MAY_FOLLOW, TASK, TASK_STATES } from "../../../../scheduler/core/task-state.ts";
import { TaskTable } from "../../../../scheduler/core/task-table.ts";
import { leaseKey, splitKey } from "../../../../scheduler/core/worker-record.ts";

describe("Durability", () => {
  test("runs at once what waits for nothing", () => {
    const order: string[] = [];
    new Durability(7).after(() => order.push("now"));
    expect(order).toEqual(["now"]);
  });

  test("runs the rest in order as records become durable", () => {
    const durability = new Durability();
    const order: number[] = [];
    for (let record = 1; record <= 3; record++) {
      durability.write();
      durability.after(() => order.push(record));
    }
    durability.reach(2);
    expect(order).toEqual([1, 2]);
    durability.reach(3);
    expect(order).toEqual([1, 2, 3]);
  });

  test("runs what is asked for meanwhile after what waited longer", () => {
    const durability = new Durability();
    const order: string[] = [];
    durability.write();
    durability.after(() => {
      order.push("first");
      durability.after(() => order.push("last"));
    });
    durability.after(() => order.push("second"));
    durability.reach(1);
    durability.after(() => undefined);
    expect(order[1]).toBe("second");
  });

  test("refuses what was never written", () => {
    expect(() => new Durability().reach(1)).toThrow("record 1");
  });
});

describe("Edges", () => {
  test("gives edges back and uses them again", () => {
    const edges = new Edges();
    let list = -1;
    for (let task = 0; task < 100; task++) list = edges.add(list, 1, task);
    const seen: number[] = [];
    edges.forEach(list, (_, task) => seen.push(task));
    expect(seen).toEqual(Array.from({ length: 100 }, (_, task) => 99 - task));
    edges.release(list);
    expect(edges.count).toBe(0);
    expect(edges.add(-1, 1, 1)).toBeLessThan(100);
  });
});

describe("BytesArena", () => {
  test("gives back what was put, over many blocks, and nothing for nothing", () => {
    const arena = new BytesArena();
    const sizes = [0, 1, 255, 256, 300, 70_000, 262_144, 5];
    const places = sizes.map((size, index) => arena.put(new Uint8Array(size).fill(index)));
    for (const [index, size] of sizes.entries())
      expect(arena.get(places[index]!, size)).toEqual(new Uint8Array(size).fill(index));
  });

  test("refuses more than a block", () => {
    expect(() => new BytesArena().put(new Uint8Array(262_145))).toThrow("too many");
  });
});

describe("StoryRing", () => {
  test("tells the last transitions of a task, oldest first", () => {
    const story = new StoryRing();
    story.add(1500, 1, 2, TASK.queued, 0, 0);
    story.add(1600, 1, 3, TASK.queued, 0, 0);
    story.add(2000, 1, 2, TASK.processing, 1, 9);
    story.name(9, "a");
    expect(story.of(1, 2, 3250)).toEqual(["1.750 s ago: queued", '1.250 s ago: processing, attempt 1, worker "a"']);
  });

  test.each([
    [59_999, "59.999 s"],
    [3_599_000, "59 min 59 s"],
    [7_260_000, "2 h 1 min"],
    [2 * 86_400_000 + 3_600_000, "2 d 1 h"],
  ])("tells what is %d ms ago as %s ago", (ms, text) => {
    const story = new StoryRing();
    story.add(0, 1, 2, TASK.queued, 0, 0);
    expect(story.of(1, 2, ms)).toEqual([`${text} ago: queued`]);
  });

  test("forgets the oldest beyond its size", () => {
    const story = new StoryRing();
    story.add(0, 9, 9, TASK.queued, 0, 0);
    for (let entry = 0; entry < STORY_RING - 1; entry++) story.add(entry, 1, entry, TASK.queued, 0, 0);
    expect(story.of(9, 9, 0)).toHaveLength(1);
    story.add(0, 1, 0, TASK.queued, 0, 0);
    expect(story.of(9, 9, 0)).toEqual([]);
    for (let entry = 0; entry < 100; entry++) story.add(entry, 5, 5, TASK.queued, 0, 0);
    expect(story.of(5, 5, 0)).toHaveLength(STORY_LINES_MAX);
  });
});

describe("SuspectLine", () => {
  test("has one line a shape, oldest first", () => {
    const line = new SuspectLine();
    for (const [shape, key] of [
      ["a", 3],
      ["b", 4],
      ["a", 1],
    ] as const)
      line.add(shape, key);
    expect([line.firsts(), line.size]).toEqual([[3, 4], 3]);
    line.delete("a", 3);
    expect([line.firsts(), line.has("a", 1), line.has("b", 1)]).toEqual([[1, 4], true, false]);
  });
});

describe("TaskTable", () => {
  test("allows the transitions that are declared and no others", () => {
    for (const from of TASK_STATES)
      for (const to of TASK_STATES) {
        const table = new TaskTable();
        table.add(1, TASK[from]);
        const act = (): void => table.move(0, TASK[to]);
        if (MAY_FOLLOW[from].includes(to)) act();
        else expect(act).toThrow(`cannot go from ${from} to ${to}`);
      }
  });

  test("counts states and settled tasks", () => {
    const table = new TaskTable();
    table.add(3, TASK.queued);
    table.move(1, TASK.processing);
    table.setSettled(0, true);
    table.setSettled(0, true);
    expect([...table.counts]).toEqual([0, 2, 1, 0, 0, 0, 0]);
    expect(table.settledRows).toBe(1);
  });

  test("refuses a task that it has not", () => {
    expect(() => new TaskTable().state(0)).toThrow("task 0 of 0");
  });
});

test("leaseKey() names each task of each job by one exact number", () => {
  for (const [job, task] of [
    [1, 0],
    [2 ** 29 - 1, 2 ** 24 - 1],
  ] as const)
    expect(splitKey(leaseKey(job, task))).toEqual({ job, task });
});
