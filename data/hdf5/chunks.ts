/**
 * Where the chunks of a one-dimensional dataset lie: a B-tree of version 1.
 * HDF5 File Format Specification 3.0, section III.A.1.
 */
import type { ByteSource } from "./bytes.ts";
import { requirePlain, signatureIs, uint64, UNDEFINED_ADDRESS } from "./not-plain.ts";

export interface Chunk {
  readonly address: number;
  /** As stored, after all filters. */
  readonly bytes: number;
  /** Bit i is set where filter i was left out. */
  readonly skipped: number;
}

const LEVEL_MAX = 32;

/**
 * Chunks in order of their place: `length` elements in chunks of `chunkLength`. Undefined where one was never written.
 *
 * @param rank Dimensions of the dataset; all but the first have length 1.
 * @throws {NotPlain} when one is twice there or out of place, and errors of `bytes`
 */
export function readChunks(
  bytes: ByteSource,
  treeAddress: number,
  { rank, length, chunkLength }: { rank: number; length: number; chunkLength: number },
): Chunk[] | undefined {
  requirePlain(chunkLength > 0, "chunks without elements");
  const count = Math.ceil(length / chunkLength);
  // Each takes more than 32 bytes of the tree.
  requirePlain(count <= bytes.size / 32, "more chunks than fit the file");
  const chunks = new Array<Chunk | undefined>(count).fill(undefined);
  const keyBytes = 8 + 8 * (rank + 1);
  let nodes = 0;
  function descend(address: number, parentLevel: number): void {
    requirePlain(++nodes <= count + LEVEL_MAX, "too many nodes in an index of chunks");
    const header = bytes.block(address, 24);
    requirePlain(signatureIs(header, "TREE") && header.getUint8(4) === 1, "an index of chunks without its B-tree");
    const level = header.getUint8(5);
    requirePlain(level < parentLevel, "a B-tree that does not descend");
    const used = header.getUint16(6, true);
    const body = bytes.block(address + 24, used * (keyBytes + 8));
    // One key more than children: the library finds a chunk between two keys only.
    const end = bytes.block(address + 24 + used * (keyBytes + 8), keyBytes);
    for (let child = 0; child < used; child++) {
      const at = child * (keyBytes + 8);
      const next = child + 1 < used ? uint64(body, at + keyBytes + 16) : uint64(end, 8);
      requirePlain(uint64(body, at + 8) <= next, "keys that do not ascend");
      const below = uint64(body, at + keyBytes);
      if (level > 0) {
        descend(below, level);
        continue;
      }
      const place = uint64(body, at + 8) / chunkLength;
      for (let dimension = 1; dimension <= rank; dimension++)
        requirePlain(uint64(body, at + 8 + 8 * dimension) === 0, "a chunk out of place");
      requirePlain(Number.isInteger(place) && place < count && chunks[place] === undefined, "a chunk out of place");
      chunks[place] = { address: below, bytes: body.getUint32(at, true), skipped: body.getUint32(at + 4, true) };
    }
  }
  if (count > 0 && treeAddress !== UNDEFINED_ADDRESS) descend(treeAddress, LEVEL_MAX);
  const written = chunks.filter((chunk) => chunk !== undefined);
  return written.length === count ? written : undefined;
}
