/** What a shard says of its series, without its samples: of a large object by ranges, so that planning reads no shard whole. */
import { inLanes } from "../common/lanes.ts";
import { readMetadata } from "./hdf5/metadata.ts";
import { sourceOf } from "./input-object.ts";
import type { InputFile } from "./inputs.ts";
import { isS3Url } from "./objects/address.ts";
import { sharedStore } from "./objects/by-address.ts";
import { headersOf, openShard, type ShardHeaders } from "./shard.ts";

/** Smaller objects come whole, in one answer. */
export const WHOLE_BYTES_MAX = 2 ** 20;
/** Of one shard. */
const RANGES_AT_ONCE = 12;

/** @throws {PeError} those of `openShard`; of objects those of `ObjectStore.read` */
export async function readShardHeaders(file: InputFile): Promise<ShardHeaders> {
  if (isS3Url(file.path) && file.bytes > WHOLE_BYTES_MAX) {
    const headers = await readHeadersByRange(file);
    if (headers !== undefined) return headers;
  }
  const shard = await openShard(file.name, await sourceOf(file));
  shard.close();
  return shard;
}

/** Undefined when the object must be read whole. */
async function readHeadersByRange({ name, path, bytes, version }: InputFile): Promise<ShardHeaders | undefined> {
  const store = sharedStore(path.slice(0, path.length - name.length));
  const metadata = await readMetadata({
    size: bytes,
    fetch: async (ranges) =>
      await inLanes(ranges, RANGES_AT_ONCE, async (range) => {
        const options = { range, objectBytes: bytes, ...(version !== undefined && { ifVersion: version }) };
        return (await store.read(name, options)).bytes;
      }),
  });
  return metadata && headersOf(name, metadata);
}
