/** Many small byte strings in a few large blocks: 8 bytes of bookkeeping each, given back all at once. */
import { assert } from "../../common/assert.ts";

const BLOCK_BYTES = 1 << 18;

export class BytesArena {
  readonly #blocks: Uint8Array[] = [];
  /** Next free place, counted over all blocks as if they were one. */
  #end = 0;

  /** Place of a copy of `bytes`, for `get`. Larger than a block: not for an arena. */
  put(bytes: Uint8Array): number {
    assert(bytes.byteLength <= BLOCK_BYTES, () => `${bytes.byteLength} bytes are too many for a block`);
    const left = BLOCK_BYTES - (this.#end % BLOCK_BYTES);
    if (this.#end % BLOCK_BYTES !== 0 && bytes.byteLength > left) this.#end += left;
    if (this.#end / BLOCK_BYTES >= this.#blocks.length && bytes.byteLength > 0)
      this.#blocks.push(new Uint8Array(BLOCK_BYTES));
    const place = this.#end;
    if (bytes.byteLength > 0) this.#blocks[Math.floor(place / BLOCK_BYTES)]!.set(bytes, place % BLOCK_BYTES);
    this.#end += bytes.byteLength;
    return place;
  }

  /** The bytes at a place; shared memory, not to be changed. */
  get(place: number, length: number): Uint8Array {
    if (length === 0) return EMPTY;
    const start = place % BLOCK_BYTES;
    return this.#blocks[Math.floor(place / BLOCK_BYTES)]!.subarray(start, start + length);
  }
}

const EMPTY = new Uint8Array(0);
