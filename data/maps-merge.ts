/**
 * The rules by which the cells of a job enter maps that are there already. Pure: arrays in, arrays out.
 *
 * Ranges compose: jobs over disjoint ranges of one input, in any order, give what one job over all of it gives, bit
 * for bit. That holds because a cell depends only on which shards claimed it, never on when:
 * - a cell that the job does not claim keeps value, status and owner;
 * - a cell claimed by one shard, once or again, gets that shard's value;
 * - a cell claimed by two shards, in one job or in two, is a conflict for ever: NaN, in the maps of the jobs that
 *   claim it;
 * - a shard that cannot be read claims the cells of its block weakly: whatever another shard says of them stands.
 */
import { assert } from "../common/assert.ts";
import { CELL_STATUS, CELL_STATUS_MAX, isLost, OWNER_CONFLICT, OWNER_NONE } from "./map-status.ts";

/** Values and statuses of one map, shape [xSize, ySize]. */
export interface Cells {
  readonly values: Float64Array;
  readonly status: Uint8Array;
}

/** Owners after the job. `stored` are those of the same input from earlier jobs. */
export function mergeOwners(stored: Int32Array | undefined, claimed: Int32Array): Int32Array {
  if (stored === undefined) return claimed.slice();
  assert(stored.length === claimed.length, "owners of two grids");
  return stored.map((before, cell) => mergeOwner(before, claimed[cell]!));
}

function mergeOwner(before: number, now: number): number {
  if (now === OWNER_NONE || now === before) return before;
  if (before === OWNER_NONE) return now;
  // Of two unreadable shards the first in the list is named.
  if (isLost(before) && isLost(now)) return Math.max(before, now);
  if (isLost(now)) return before;
  return isLost(before) ? now : OWNER_CONFLICT;
}

/** Cells of one map after the job. `owners` are those of `mergeOwners`; without `stored` the map starts blank. */
export function mergeCells(stored: Cells | undefined, job: Cells, claimed: Int32Array, owners: Int32Array): Cells {
  const cells = claimed.length;
  assert(job.values.length === cells && job.status.length === cells, "a map of another grid");
  const values = stored?.values.slice() ?? new Float64Array(cells).fill(NaN);
  const status = stored?.status.slice() ?? new Uint8Array(cells);
  for (let cell = 0; cell < cells; cell++) {
    if (claimed[cell] === OWNER_NONE) continue;
    if (isLost(claimed[cell]!) && status[cell] !== CELL_STATUS.notComputed) continue;
    const reason = owners[cell] === OWNER_CONFLICT ? CELL_STATUS.conflict : job.status[cell]!;
    assert(reason > CELL_STATUS.notComputed && reason <= CELL_STATUS_MAX, () => `cell ${cell} has no reason`);
    const value = reason === CELL_STATUS.value ? job.values[cell]! : NaN;
    assert(reason !== CELL_STATUS.value || !Number.isNaN(value), () => `cell ${cell} has no value`);
    values[cell] = value;
    status[cell] = reason;
  }
  return { values, status };
}

/** Coordinates after the job; those of a cell that two series claim are not known. */
export function mergeCoordinates(
  stored: Float64Array | undefined,
  job: Float64Array,
  claimed: Int32Array,
  owners: Int32Array,
): Float64Array {
  return job.map((value, cell) => {
    const before = stored?.[cell] ?? NaN;
    if (claimed[cell] === OWNER_NONE) return before;
    if (owners[cell] === OWNER_CONFLICT) return NaN;
    return Number.isNaN(value) ? before : value;
  });
}

/** Cells with a value or a named reason, and those with a reason. */
export function countCells(status: Uint8Array): { done: number; failed: number } {
  let done = 0;
  let failed = 0;
  for (const code of status) {
    if (code !== CELL_STATUS.notComputed) done++;
    if (code > CELL_STATUS.value) failed++;
  }
  return { done, failed };
}
