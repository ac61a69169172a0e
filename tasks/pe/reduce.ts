/**
 * The parts of a job become maps. Reads exactly the parts it is given, counts every cell, and asks the caller to publish:
 * what a cell holds is decided here, how maps are stored in `data/maps`.
 */
import type { ErrorRecord } from "../../common/errors.ts";
import { CELL_STATUS, OWNER_CONFLICT, OWNER_NONE } from "../../data/maps.ts";
import type { MapKey } from "../../data/maps.ts";
import type { MapUpdate } from "../../data/maps.ts";
import { claim, lose, noClaims, type Claims } from "./claims.ts";
import { decodePart, type PartLayout, type SeriesProblem } from "./part.ts";
import type { PeManifest } from "./schema.ts";

/** Where parts are read from. */
export interface PartReader {
  read(name: string): Promise<Uint8Array>;
  readSlice(name: string, offset: number, into: Uint8Array): Promise<void>;
}

/** How each task of the job ended, by index. */
export type TaskEnd = { readonly part: string } | { readonly error: ErrorRecord };

export interface ReducedJob {
  readonly owners: Int32Array;
  readonly coordinates: { readonly x: Float64Array; readonly y: Float64Array };
  readonly maps: readonly MapUpdate[];
  /** Cells of this job: those with values, and those with a reason instead. */
  readonly cellsWithValue: number;
  readonly cellsWithReason: number;
  /** Every reason for a cell without a value, and every dataset that could not be used. */
  readonly problems: readonly SeriesProblem[];
  /** Content hash by file ordinal. */
  readonly hashes: ReadonlyMap<number, string>;
}

/** Memory that the values of maps under construction may take; more maps are made in several rounds over the parts. */
const ROUND_BYTES_MAX = 256 * 2 ** 20;

/** A part by its place: what is needed to find its slice of a map. */
interface Located {
  readonly name: string;
  readonly layout: PartLayout;
  /** Cell of each series, -1 where the grid has none. */
  readonly cells: Int32Array;
}

/**
 * @param ends One per task of the job, in order.
 * @throws {PeError} `PE_RESULTS_UNREADABLE` when a part is not whole.
 */
export async function reducePe(manifest: PeManifest, ends: readonly TaskEnd[], parts: PartReader): Promise<ReducedJob> {
  const claims = noClaims(manifest);
  const hashes = new Map<number, string>();
  const located: Located[] = [];
  const isUsable = new Uint8Array(claims.owners.length);
  for (const [index, end] of ends.entries()) {
    if ("error" in end) continue;
    const [ordinal] = manifest.tasks[index]!;
    const part = decodePart(end.part, await parts.read(end.part));
    hashes.set(ordinal, part.header.sha256);
    for (const problem of part.header.problems) claims.problems.push(problem);
    const cells = Int32Array.from(part.x, (x, place) =>
      claim(claims, manifest, ordinal, {
        x,
        y: part.y[place]!,
        xVariable: part.xVariable[place]!,
        yVariable: part.yVariable[place]!,
      }),
    );
    located.push({ name: end.part, layout: part.layout, cells });
    // A series that cannot be used has the same status in every map, so the first tells.
    for (const [place, cell] of cells.entries())
      if (cell >= 0 && part.status[place] === CELL_STATUS.value) isUsable[cell] = 1;
  }
  countLost(claims, manifest, ends);
  const cellsClaimed = count(claims.owners, (owner) => owner !== OWNER_NONE);
  const cellsWithValue = count(claims.owners, (owner, cell) => owner >= 0 && isUsable[cell] === 1);
  return {
    owners: claims.owners,
    coordinates: { x: claims.xVariable, y: claims.yVariable },
    maps: mapUpdates(manifest, claims, located, parts),
    problems: claims.problems,
    cellsWithValue,
    cellsWithReason: cellsClaimed - cellsWithValue,
    hashes,
  };
}

function count(owners: Int32Array, isCounted: (owner: number, cell: number) => boolean): number {
  return owners.reduce((sum, owner, cell) => sum + (isCounted(owner, cell) ? 1 : 0), 0);
}

/** After all claims: a lost file takes only cells that no series claims. One file's reason is told once. */
function countLost(claims: Claims, manifest: PeManifest, ends: readonly TaskEnd[]): void {
  const told = new Set<string>();
  for (const [index, end] of ends.entries()) {
    if (!("error" in end)) continue;
    const [ordinal] = manifest.tasks[index]!;
    lose(claims, manifest, ordinal);
    if (told.has(end.error.message)) continue;
    told.add(end.error.message);
    claims.problems.push(end.error);
  }
}

/** The maps of a job in the order of its parts' map index. */
export function mapKeys({ common: { orders, delays, measures } }: PeManifest): MapKey[] {
  return measures.flatMap((measure) => delays.flatMap((delay) => orders.map((order) => ({ order, delay, measure }))));
}

function mapUpdates(manifest: PeManifest, claims: Claims, located: readonly Located[], parts: PartReader): MapUpdate[] {
  const keys = mapKeys(manifest);
  const cells = claims.owners.length;
  const roundMaps = Math.max(1, Math.floor(ROUND_BYTES_MAX / (cells * (Float64Array.BYTES_PER_ELEMENT + 1))));
  let round: Round | undefined;
  return keys.map((key, map) => ({
    ...key,
    load: async () => {
      if (round === undefined || map < round.first || map >= round.first + round.values.length)
        round = await loadRound(map, Math.min(roundMaps, keys.length - map), claims, located, parts);
      return { values: round.values[map - round.first]!, status: round.status[map - round.first]! };
    },
  }));
}

/** Neighbouring maps in memory. */
interface Round {
  readonly first: number;
  readonly values: readonly Float64Array[];
  readonly status: readonly Uint8Array[];
}

async function loadRound(
  first: number,
  maps: number,
  { owners, lost }: Claims,
  located: readonly Located[],
  parts: PartReader,
): Promise<Round> {
  const values = Array.from({ length: maps }, () => new Float64Array(owners.length).fill(NaN));
  const status = Array.from({ length: maps }, () => new Uint8Array(owners.length));
  for (const { name, layout, cells } of located) {
    const series = cells.length;
    if (series === 0) continue;
    const partValues = new Float64Array(maps * series);
    const partStatus = new Uint8Array(maps * series);
    await parts.readSlice(name, layout.values + first * series * 8, new Uint8Array(partValues.buffer));
    await parts.readSlice(name, layout.status + first * series, partStatus);
    for (let map = 0; map < maps; map++)
      for (let place = 0; place < series; place++) {
        const cell = cells[place]!;
        if (cell < 0 || owners[cell] === OWNER_CONFLICT) continue;
        values[map]![cell] = partValues[map * series + place]!;
        status[map]![cell] = partStatus[map * series + place]!;
      }
  }
  for (let map = 0; map < maps; map++) {
    for (const cell of lost) status[map]![cell] = CELL_STATUS.unreadable;
    for (const [cell, owner] of owners.entries())
      if (owner === OWNER_CONFLICT) status[map]![cell] = CELL_STATUS.conflict;
  }
  return { first, values, status };
}
