/** Names of maps within a maps file. */

/** What a map holds in each cell: normalised permutation entropy, its weighted variant, Jensen-Shannon complexity, fraction of missing patterns. */
export type Measure = "pe" | "weighted" | "complexity" | "missing";

export interface MapKey {
  /** Samples of a window. */
  readonly order: number;
  /** Samples from one member of a window to the next. */
  readonly delay: number;
  readonly measure: Measure;
}

/** The `type` attribute of the maps of each measure; the first is the original system's. */
export const MEASURE_TYPES: Readonly<Record<Measure, string>> = {
  pe: "permutation entropy",
  weighted: "weighted permutation entropy",
  complexity: "statistical complexity",
  missing: "missing patterns",
};

/** `m006t002`, `m006t002_weighted`: at least three digits each. */
export function mapName({ order, delay, measure }: MapKey): string {
  const name = `m${String(order).padStart(3, "0")}t${String(delay).padStart(3, "0")}`;
  return measure === "pe" ? name : `${name}_${measure}`;
}

const measures = ["weighted", "complexity", "missing"] as const;

/** What `mapName` wrote, or undefined. */
export function parseMapName(name: string): MapKey | undefined {
  const match = /^m(\d{3,9})t(\d{3,9})(?:_(weighted|complexity|missing))?$/.exec(name);
  if (match === null) return undefined;
  const key = {
    order: Number(match[1]),
    delay: Number(match[2]),
    measure: measures.find((measure) => measure === match[3]) ?? ("pe" as const),
  };
  // A second spelling such as m0006t002 would be a second map of the same key.
  return mapName(key) === name ? key : undefined;
}
