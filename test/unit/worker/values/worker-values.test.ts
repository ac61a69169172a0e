import { readdirSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { LogLine } from "../../../../common/log.ts";
import { PIECE_BYTES } from "../../../../protocol/transfer/pieces.ts";
import { ValueStore } from "../../../../worker/values/store.ts";
import { WorkerValues, type ValueEvent } from "../../../../worker/values/worker-values.ts";
import { testFolder } from "../../../support/folders.ts";
import { atEnd, blobOf, NAME, until } from "../../../support/values.ts";

afterEach(() => vi.restoreAllMocks());

const names = [1, 2, 3].map((task) => ({ ...NAME, task }));

/** Values of one piece in memory, and a disk that takes less than two. */
async function smallDisk() {
  const parent = await testFolder();
  const store = new ValueStore({ parent, diskBytesMax: 1.5 * PIECE_BYTES });
  const events: ValueEvent[] = [];
  const lines: LogLine[] = [];
  const ways = { fetch: vi.fn(), upload: vi.fn(), close: async () => await Promise.resolve() };
  const values = new WorkerValues(
    store,
    ways,
    (event) => events.push(event),
    (line) => lines.push(line),
  );
  atEnd(async () => await values.close());
  for (const name of names) values.put(name, blobOf(PIECE_BYTES));
  const spill = async (...some: readonly (typeof NAME)[]): Promise<string[]> => {
    const before = events.length;
    for (const name of some) values.carryOut({ type: "spill-value", name });
    await until(() => events.length === before + some.length);
    return events.slice(before).map(({ type, name }) => `${name.task} ${type}`);
  };
  return { store, lines, spill, files: () => readdirSync(parent, { recursive: true, encoding: "utf8" }) };
}

describe("WorkerValues", () => {
  test("tells once that the disk is full, keeps what does not fit, and leaves the disk alone for a while", async () => {
    vi.spyOn(performance, "now").mockReturnValue(1000);
    const { lines, spill, store, files } = await smallDisk();
    expect(await spill(names[0]!)).toEqual(["1 value-spilled"]);
    expect(await spill(names[1]!, names[2]!)).toEqual(["2 value-not-spilled", "3 value-not-spilled"]);
    expect(lines.map(({ text }) => text)).toEqual([expect.stringContaining("Cannot write")]);
    const write = vi.spyOn(store, "spill");
    expect(await spill(names[1]!)).toEqual(["2 value-not-spilled"]);
    expect(write).not.toHaveBeenCalled();
    expect([lines.length, files().filter((file) => file.endsWith(".value")).length]).toEqual([1, 1]);
    // What has its file needs no room.
    await store.load(names[0]!);
    expect(await spill(names[0]!)).toEqual(["1 value-spilled"]);
    // There is room.
    store.drop(names[0]!);
    vi.spyOn(performance, "now").mockReturnValue(2001);
    expect(await spill(names[1]!)).toEqual(["2 value-spilled"]);
  });
});
