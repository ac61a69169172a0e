/** What the names of input files tell; only the attributes in a file are binding. */

/** Block of the grid that a shard's name tells; only its attributes are binding. */
export interface ShardBlock {
  readonly x: number;
  readonly y: number;
  readonly size?: number;
}

const NEW_NAME = /^raw_shard_(\d+)_(\d+)\.(?:hdf5|h5)$/i;
const OLD_NAME = /^FB_(\d+)_INJ_(\d+)_(\d+)\.(?:hdf5|h5)$/i;

/** `raw_shard_009_018.hdf5` gives x 9, y 18; `FB_000_INJ_009_09.hdf5` gives x 9, y 0, size 9; others undefined. */
export function shardBlock(name: string): ShardBlock | undefined {
  const file = lastOf(name);
  const block = NEW_NAME.exec(file);
  if (block !== null) return { x: Number(block[1]), y: Number(block[2]) };
  const old = OLD_NAME.exec(file);
  if (old !== null) return { x: Number(old[2]), y: Number(old[1]), size: Number(old[3]) };
  return undefined;
}

export function isHdf5Name(name: string): boolean {
  return /\.(?:hdf5|h5)$/i.test(name);
}

/** The whole set in one file, which may lie beside the shards. */
export function isWholeSetName(name: string): boolean {
  return /^raw_all\.(?:hdf5|h5)$/i.test(lastOf(name));
}

/** A file of maps, which may lie beside the shards. */
export function isMapsName(name: string): boolean {
  return /^maps\b/i.test(lastOf(name));
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
