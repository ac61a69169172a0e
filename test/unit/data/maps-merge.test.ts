import { describe, expect, it } from "vitest";
import { AssertionError } from "../../../common/assert.ts";
import { CELL_STATUS, lostBy, OWNER_CONFLICT, OWNER_NONE } from "../../../data/map-status.ts";
import { countCells, mergeCells, mergeCoordinates, mergeOwners } from "../../../data/maps-merge.ts";

const { conflict, notComputed, seriesNotFinite, unreadable, value } = CELL_STATUS;

describe("mergeOwners()", () => {
  it("keeps unclaimed cells, takes free ones, and makes a cell of two shards a conflict for ever", () => {
    const stored = Int32Array.of(OWNER_NONE, 3, OWNER_NONE, 3, 3, OWNER_CONFLICT, OWNER_CONFLICT, OWNER_NONE);
    const claimed = Int32Array.of(OWNER_NONE, OWNER_NONE, 5, 3, 5, 5, OWNER_NONE, OWNER_CONFLICT);
    const expected = [OWNER_NONE, 3, 5, 3, OWNER_CONFLICT, OWNER_CONFLICT, OWNER_CONFLICT, OWNER_CONFLICT];
    expect([...mergeOwners(stored, claimed)]).toEqual(expected);
    expect([...mergeOwners(undefined, claimed)]).toEqual([...claimed]);
  });
});

describe("mergeOwners() of shards that cannot be read", () => {
  it("lets a series take the cell whichever comes first, and names the first of two lost shards", () => {
    const real = Int32Array.of(2, OWNER_CONFLICT, OWNER_NONE, lostBy(4));
    const lost = Int32Array.of(lostBy(1), lostBy(1), lostBy(1), lostBy(1));
    const expected = [2, OWNER_CONFLICT, lostBy(1), lostBy(1)];
    expect([...mergeOwners(real, lost)]).toEqual(expected);
    expect([...mergeOwners(lost, real)]).toEqual(expected);
  });
});

describe("mergeCells()", () => {
  it("gives one map for a lost block and a series in it, in either order", () => {
    const real = { claimed: Int32Array.of(2), values: Float64Array.of(0.5), status: Uint8Array.of(value) };
    const lost = { claimed: Int32Array.of(lostBy(1)), values: Float64Array.of(NaN), status: Uint8Array.of(unreadable) };
    for (const [first, second] of [
      [real, lost],
      [lost, real],
    ] as const) {
      const before = mergeCells(undefined, first, first.claimed, first.claimed);
      const merged = mergeCells(before, second, second.claimed, mergeOwners(first.claimed, second.claimed));
      expect([...merged.values, ...merged.status]).toEqual([0.5, value]);
    }
  });
  const claimed = Int32Array.of(OWNER_NONE, 1, 1, 1);
  const owners = Int32Array.of(0, 1, OWNER_CONFLICT, 1);
  const job = { values: Float64Array.of(9, 0.5, 0.6, 0.7), status: Uint8Array.of(9, value, value, seriesNotFinite) };

  it("changes claimed cells only: value, conflict, or NaN with its reason", () => {
    const stored = { values: Float64Array.of(0.1, 0.2, 0.3, 0.4), status: Uint8Array.of(1, 1, 1, 1) };
    const merged = mergeCells(stored, job, claimed, owners);
    expect([...merged.values]).toEqual([0.1, 0.5, NaN, NaN]);
    expect([...merged.status]).toEqual([value, value, conflict, seriesNotFinite]);
    expect([...stored.values]).toEqual([0.1, 0.2, 0.3, 0.4]);
  });
  it("starts blank without a map of before", () => {
    const merged = mergeCells(undefined, job, claimed, owners);
    expect([...merged.values]).toEqual([NaN, 0.5, NaN, NaN]);
    expect([...merged.status]).toEqual([notComputed, value, conflict, seriesNotFinite]);
  });
  it("does not take a claimed cell without value or reason", () => {
    const one = Int32Array.of(0);
    const cell = (number: number, status: number) => ({
      values: Float64Array.of(number),
      status: Uint8Array.of(status),
    });
    expect(() => mergeCells(undefined, cell(0.5, notComputed), one, one)).toThrow(AssertionError);
    expect(() => mergeCells(undefined, cell(NaN, value), one, one)).toThrow(AssertionError);
    expect(() => mergeCells(undefined, cell(0.5, 7), one, one)).toThrow(AssertionError);
  });
});

describe("mergeCoordinates()", () => {
  it("takes what the job knows of its cells, keeps the rest, and knows nothing of a cell of two series", () => {
    const claimed = Int32Array.of(OWNER_NONE, 0, 0, 0);
    const owners = Int32Array.of(OWNER_NONE, 0, 0, OWNER_CONFLICT);
    const merged = mergeCoordinates(Float64Array.of(1, 2, 3, 4), Float64Array.of(9, 9, NaN, 9), claimed, owners);
    expect([...merged]).toEqual([1, 9, 3, NaN]);
  });
});

describe("countCells()", () => {
  it("counts what is done, and of that what failed", () => {
    expect(countCells(Uint8Array.of(0, 1, 1, 2, 5, 0))).toEqual({ done: 4, failed: 2 });
  });
});
