import { describe, expect, test } from "vitest";
import type { JournalRecord } from "../../../protocol/journal-records.ts";
import { decodeRecord, decodeRecords, encodeRecord, packSnapshot, unpackSnapshot } from "../../../scheduler/records.ts";
import { OPTIONS } from "../../support/scheduler-under-test.ts";

const FRAME_BYTES_MAX = 1 << 20;

function range(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

function finished(count: number, bytes: number): JournalRecord & { type: "finished" } {
  const results = new Uint8Array(count * bytes).map((_, at) => at % 251);
  return {
    type: "finished",
    job: 1,
    tasks: range(count),
    ends: range(count).map((task) => (task + 1) * bytes),
    results,
  };
}

/** Result of each task that the records name. */
function resultsOf(records: readonly JournalRecord[]): Map<number, string> {
  const found = new Map<number, string>();
  for (const record of records) {
    if (record.type !== "finished") throw new Error(record.type);
    for (const [place, task] of record.tasks.entries())
      found.set(
        task,
        Buffer.from(record.results.subarray(place === 0 ? 0 : record.ends[place - 1], record.ends[place])).toString(
          "latin1",
        ),
      );
    expect(record.ends.at(-1)).toBe(record.results.byteLength);
  }
  return found;
}

describe("encodeRecord()", () => {
  test("makes one record of the journal of one of the core", () => {
    const record: JournalRecord = { type: "appended", job: 1, count: 7, options: OPTIONS };
    const frames = encodeRecord(record);
    expect(frames).toHaveLength(1);
    expect(decodeRecord(frames[0]!)).toEqual(record);
  });

  test("cuts finished tasks by the bytes of their results", () => {
    const record = finished(5000, 1000);
    const frames = encodeRecord(record);
    expect(frames.length).toBeGreaterThan(5);
    for (const { byteLength } of frames) expect(byteLength).toBeLessThan(FRAME_BYTES_MAX);
    expect(resultsOf(frames.map(decodeRecord))).toEqual(resultsOf([record]));
  });

  test("cuts finished tasks without results, and keeps one that is large by itself", () => {
    expect(resultsOf(encodeRecord(finished(200_000, 0)).map(decodeRecord)).size).toBe(200_000);
    expect(encodeRecord(finished(1, 700_000))).toHaveLength(1);
  });

  test("cuts ten million cancelled tasks, and repeats why", () => {
    const because = "too many failed";
    const frames = encodeRecord({ type: "cancelled", job: 3, tasks: range(10_000_000), because });
    let next = 0;
    for (const frame of frames) {
      expect(frame.byteLength).toBeLessThan(FRAME_BYTES_MAX);
      const record = decodeRecord(frame);
      if (record.type !== "cancelled") throw new Error(record.type);
      expect([record.tasks[0], record.because]).toEqual([next, because]);
      next += record.tasks.length;
    }
    expect(next).toBe(10_000_000);
  });

  test("takes a record as large as the largest request", () => {
    const common = new Uint8Array(FRAME_BYTES_MAX - 40);
    const record: JournalRecord = {
      type: "opened",
      job: 4_000_000_000,
      id: "x",
      kind: "k",
      version: "1",
      common,
      maxFails: 4_000_000_000,
      transient: false,
    };
    const read = decodeRecord(encodeRecord(record)[0]!);
    if (read.type !== "opened") throw new Error(read.type);
    expect([read.job, read.common.byteLength]).toEqual([4_000_000_000, common.byteLength]);
  });
});

describe("packSnapshot()", () => {
  const records: JournalRecord[] = [{ type: "epoch", epoch: 5 }, finished(3000, 1000), { type: "sealed", job: 1 }];

  test("gives pieces of bounded size that are read back as the same records", () => {
    const pieces = [...packSnapshot(records)];
    for (const { byteLength } of pieces) expect(byteLength).toBeLessThan(2 * FRAME_BYTES_MAX);
    const read = [...decodeRecords(unpackSnapshot(Buffer.concat(pieces)), "folder")];
    expect(read[0]).toEqual(records[0]);
    expect(read.at(-1)).toEqual(records[2]);
    expect(resultsOf(read.slice(1, -1))).toEqual(resultsOf([records[1]!]));
  });

  test("of nothing is read back as nothing", () => {
    expect([...unpackSnapshot(Buffer.concat([...packSnapshot([])]))]).toEqual([]);
  });

  test("that ends too early or holds something else is refused with its place", () => {
    const bytes = Buffer.concat([...packSnapshot(records)]);
    for (const cut of [1, 3, bytes.length - 1])
      expect(() => [...decodeRecords(unpackSnapshot(bytes.subarray(0, cut)), "folder")]).toThrow(
        /^Cannot read record \d+ of the journal "folder": Cannot decode snapshot: it ends in the middle/,
      );
    bytes[5] = 0xc1;
    expect(() => [...decodeRecords(unpackSnapshot(bytes), "folder")]).toThrow(/Cannot read record 1 of the journal/);
  });
});
