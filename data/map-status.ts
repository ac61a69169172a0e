/** Why a cell of a map holds what it holds. */

export const CELL_STATUS = {
  notComputed: 0,
  value: 1,
  seriesNotFinite: 2,
  seriesShort: 3,
  seriesRagged: 4,
  conflict: 5,
  unreadable: 6,
} as const;

export const CELL_STATUS_MAX = CELL_STATUS.unreadable;

/** Indexed by status; stored beside the maps, so that a reader needs no manual. */
export const CELL_STATUS_TEXTS = [
  "not computed",
  "value",
  "series holds NaN or infinity",
  "series too short for order and delay",
  "series of another length or layout than the rest",
  "two series claim the cell",
  "series cannot be read",
] as const;

/** Owner of a cell that no series of the job claims, and of one that two series claim. */
export const OWNER_NONE = -1;
export const OWNER_CONFLICT = -2;

/**
 * Owner of a cell that lies in the block of a shard that could not be read: any series that claims the cell takes it.
 * The shard's place in the list is kept, so that the outcome does not depend on the order of jobs.
 */
export function lostBy(ordinal: number): number {
  return OWNER_CONFLICT - 1 - ordinal;
}

export function isLost(owner: number): boolean {
  return owner < OWNER_CONFLICT;
}
