/** Maps files: names, reading, publishing. The format is in docs/formats.md. */
export { mapName } from "./map-name.ts";
export type { MapKey, Measure } from "./map-name.ts";
export { CELL_STATUS, lostBy, OWNER_CONFLICT, OWNER_NONE } from "./map-status.ts";
export type { MapSource, SourceShard } from "./maps-layout.ts";
export { publishMaps } from "./maps-publish.ts";
export type { CellConflict, Published } from "./maps-publish.ts";
export type { MapUpdate } from "./maps-update.ts";
export { readMaps } from "./maps-read.ts";
export type { MapInfo, Maps } from "./maps-read.ts";
