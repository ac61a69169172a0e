/** What a job hands over to be published. */
import type { MapKey } from "./map-name.ts";
import type { MapSource } from "./maps-layout.ts";
import type { Cells } from "./maps-merge.ts";

/** What a job puts into a maps file. Arrays have the shape [xSize, ySize], row-major. */
export interface MapsUpdate {
  readonly xSize: number;
  readonly ySize: number;
  readonly source: MapSource;
  /** Name and version of the program, and version of the kernel: cells of two kernels never share a map. */
  readonly software: string;
  readonly kernel: string;
  readonly dateIso: string;
  /** Physical parameters of the claimed cells, NaN where unknown. */
  readonly coordinates: { readonly x: Float64Array; readonly y: Float64Array };
  /** Ordinal in `source.shards` of the shard that claims the cell; -1 not claimed by this job, -2 claimed twice. */
  readonly owners: Int32Array;
  readonly maps: readonly MapUpdate[];
  /** Replace maps of these names, whatever they come from, instead of merging into them. */
  readonly replace: boolean;
}

export interface MapUpdate extends MapKey {
  /** Called once, in turn, so that one map at a time is in memory. Claimed cells have a status from 1 to 6. */
  load(): Promise<Cells>;
}
