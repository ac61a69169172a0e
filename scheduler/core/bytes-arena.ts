/** Many small byte strings in a few large blocks: 8 bytes of bookkeeping each, given back all at once. */
import { assert } from "../../common/assert.ts";

const BLOCK_BYTES = 1 << 18;
/** The first block is small, because most jobs are; each later one is twice the one before, up to `BLOCK_BYTES`. */
const FIRST_BLOCK_BYTES = 256;
/** To copy so few one by one costs less than a view of them. */
const SMALL_BYTES = 96;

export class BytesArena {
  readonly #blocks: Uint8Array[] = [];
  /** Next free place in the last block. */
  #offset = 0;

  /** Place of a copy of `bytes[start:end]`, for `get`: number of its block times `BLOCK_BYTES`, and where it is in it. */
  put(bytes: Uint8Array, start = 0, end = bytes.byteLength): number {
    const byteLength = end - start;
    assert(byteLength <= BLOCK_BYTES, () => `${byteLength} bytes are too many for a block`);
    if (byteLength === 0) return 0;
    let block = this.#blocks.at(-1);
    if (block === undefined || this.#offset + byteLength > block.byteLength) {
      const next = block === undefined ? FIRST_BLOCK_BYTES : 2 * block.byteLength;
      block = new Uint8Array(Math.min(Math.max(next, byteLength), BLOCK_BYTES));
      this.#blocks.push(block);
      this.#offset = 0;
    }
    const place = (this.#blocks.length - 1) * BLOCK_BYTES + this.#offset;
    copy(bytes, start, byteLength, block, this.#offset);
    this.#offset += byteLength;
    return place;
  }

  /** The bytes at a place; shared memory, not to be changed. */
  get(place: number, length: number): Uint8Array {
    if (length === 0) return EMPTY;
    const start = place % BLOCK_BYTES;
    return this.#blocks[Math.floor(place / BLOCK_BYTES)]!.subarray(start, start + length);
  }

  /** Copies the bytes at a place to `into`, from `at` on. */
  copyTo(place: number, length: number, into: Uint8Array, at: number): void {
    if (length > 0) copy(this.#blocks[Math.floor(place / BLOCK_BYTES)]!, place % BLOCK_BYTES, length, into, at);
  }
}

function copy(from: Uint8Array, start: number, length: number, into: Uint8Array, at: number): void {
  if (length > SMALL_BYTES) into.set(from.subarray(start, start + length), at);
  else for (let place = 0; place < length; place++) into[at + place] = from[start + place]!;
}

const EMPTY = new Uint8Array(0);
