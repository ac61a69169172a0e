/**
 * Where things lie in a maps file. The root holds maps and coordinate maps only; what is known about their cells lies
 * in `/provenance/<first 12 digits of the input's digest>/`.
 */
export const PROVENANCE = "/provenance";

/** Values of the attribute `type` by which readers tell what something is. */
export const TYPE_PROVENANCE = "provenance";
export const TYPE_X = "x_variables";
export const TYPE_Y = "y_variables";

/** One input that cells of the file come from. */
export interface MapSource {
  /** Of the input's manifest, hexadecimal. */
  readonly digest: string;
  /** All shards of the input, in the order in which owners count them. */
  readonly shards: readonly SourceShard[];
}

export interface SourceShard {
  readonly name: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  /** Known once the shard was read. */
  readonly sha256?: string;
}

export function sourceFolder(digest: string): string {
  return `${PROVENANCE}/${digest.slice(0, 12)}`;
}

export function ownersPath(digest: string): string {
  return `${sourceFolder(digest)}/owners`;
}

export function shardsPath(digest: string): string {
  return `${sourceFolder(digest)}/shards`;
}

export function statusFolder(digest: string): string {
  return `${sourceFolder(digest)}/status`;
}

export function statusPath(digest: string, map: string): string {
  return `${statusFolder(digest)}/${map}`;
}

/** ASCII only, so that every reader shows it. */
export function formatShards(shards: readonly SourceShard[]): string {
  const text = JSON.stringify(
    shards.map(({ name, bytes, modifiedMs, sha256 }) => ({ name, bytes, modifiedMs, sha256 })),
  );
  return text.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What `formatShards` wrote. @throws {Error} */
export function parseShards(text: string): SourceShard[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list) || !list.every(isShard)) throw new Error("its list of shards cannot be understood");
  return list;
}

function isShard(shard: unknown): shard is SourceShard {
  if (typeof shard !== "object" || shard === null) return false;
  if (!("name" in shard && "bytes" in shard && "modifiedMs" in shard)) return false;
  const hasHash = !("sha256" in shard) || typeof shard.sha256 === "string";
  return (
    typeof shard.name === "string" && typeof shard.bytes === "number" && typeof shard.modifiedMs === "number" && hasHash
  );
}
