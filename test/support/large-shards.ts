/** Shards large enough for memory to tell. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Random } from "../../common/random.ts";
import { createWithLibrary } from "../../data/hdf5/library.ts";
import { shardFileName } from "../../data/shard-writer.ts";

const EDGE = 3;
const SAMPLES = 48_000;

/** `count` shards of 9 series in a row of the grid, about 3 MB each: noise hardly compresses. */
export async function writeLargeShards(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let block = 0; block < count; block++) {
    const file = await createWithLibrary(join(folder, shardFileName(block * EDGE, 0)));
    try {
      file.attribute("/", "shard_size", BigInt(EDGE));
      for (let place = 0; place < EDGE * EDGE; place++) {
        const [x, y] = [block * EDGE + Math.floor(place / EDGE), place % EDGE];
        const random = new Random(2, x, y);
        const dataset = `/x_${x}_y_${y}`;
        const samples = Float64Array.from({ length: SAMPLES }, () => random.int32() * 1.1);
        file.dataset(dataset, samples, [SAMPLES], 1);
        file.attribute(dataset, "x_index", BigInt(x));
        file.attribute(dataset, "y_index", BigInt(y));
      }
    } finally {
      file.close();
    }
  }
}
