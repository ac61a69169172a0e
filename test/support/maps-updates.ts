/** Jobs to publish, made of a small imaginary input whose cells tell what they should hold. */
import { createHash } from "node:crypto";
import { CELL_STATUS, OWNER_CONFLICT, OWNER_NONE } from "../../data/map-status.ts";
import type { MapKey } from "../../data/map-name.ts";
import type { MapsUpdate, MapUpdate } from "../../data/maps-update.ts";

export const X_SIZE = 4;
export const Y_SIZE = 3;

export const KEYS: readonly MapKey[] = [
  { order: 3, delay: 1, measure: "pe" },
  { order: 6, delay: 2, measure: "weighted" },
];

/** Cells that each shard of the input claims. */
export type Claims = readonly (readonly number[])[];

export const CLAIMS: Claims = [
  [0, 1, 2],
  [3, 4, 5],
  [6, 7],
  [8, 9, 10],
];

/** What the cell of a map holds; some cells hold a reason instead. */
export function cellOf({ order, delay }: MapKey, shard: number, cell: number): { value: number; status: number } {
  if (cell % 5 === 4) return { value: NaN, status: CELL_STATUS.seriesNotFinite };
  return { value: 1 / (order * delay + shard + cell / 7), status: CELL_STATUS.value };
}

export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export interface JobOptions {
  readonly claims?: Claims;
  /** Ordinals of the shards that the job computes; all by default. */
  readonly shards?: readonly number[];
  readonly input?: string;
  readonly keys?: readonly MapKey[];
  readonly change?: Partial<MapsUpdate>;
}

export function jobOf({ claims = CLAIMS, shards, input = "input", keys = KEYS, change }: JobOptions = {}): MapsUpdate {
  const cells = X_SIZE * Y_SIZE;
  const owners = new Int32Array(cells).fill(OWNER_NONE);
  for (const shard of shards ?? claims.keys())
    for (const cell of claims[shard]!) owners[cell] = owners[cell] === OWNER_NONE ? shard : OWNER_CONFLICT;
  const coordinate = (of: (cell: number) => number) =>
    Float64Array.from(owners, (owner, cell) => (owner === OWNER_NONE ? NaN : of(cell)));
  return {
    xSize: X_SIZE,
    ySize: Y_SIZE,
    source: {
      digest: digestOf(input),
      shards: claims.map((_, ordinal) => ({ name: `größe  ${ordinal}.hdf5`, bytes: 100 + ordinal, modifiedMs: 1000 })),
    },
    software: "pe-cluster 0.0.0",
    kernel: "test-1",
    dateIso: "2024-01-02T03:04:05.000Z",
    coordinates: {
      x: coordinate((cell) => 10 + Math.floor(cell / Y_SIZE) / 2),
      y: coordinate((cell) => 1 + (cell % Y_SIZE) / 4),
    },
    owners,
    maps: keys.map((key) => mapOf(key, owners)),
    replace: false,
    ...change,
  };
}

function mapOf(key: MapKey, owners: Int32Array): MapUpdate {
  return {
    ...key,
    load: async () => {
      const values = new Float64Array(owners.length).fill(NaN);
      const status = new Uint8Array(owners.length);
      for (const [cell, owner] of owners.entries()) {
        if (owner === OWNER_NONE) continue;
        const found = cellOf(key, owner, cell);
        values[cell] = owner === OWNER_CONFLICT ? 0.5 : found.value;
        status[cell] = owner === OWNER_CONFLICT ? CELL_STATUS.value : found.status;
      }
      return await Promise.resolve({ values, status });
    },
  };
}
