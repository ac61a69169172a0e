/**
 * How the bytes of a value lie in a stream, the same between workers, through the scheduler, and in a file on scratch disk:
 * pieces of 1 MiB, the last one shorter, each followed by its CRC-32, little-endian.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../common/assert.ts";

export const PIECE_BYTES = 1 << 20;
export const TRAILER_BYTES = 4;

/** Pieces of a value. */
export function pieceCount(bytes: number): number {
  return Math.ceil(bytes / PIECE_BYTES);
}

/** Bytes of a value's stream. */
export function streamBytes(bytes: number): number {
  return bytes + pieceCount(bytes) * TRAILER_BYTES;
}

/** Where a piece begins and ends in its value. */
export function pieceRange(index: number, bytes: number): { readonly start: number; readonly stop: number } {
  const start = index * PIECE_BYTES;
  return { start, stop: Math.min(start + PIECE_BYTES, bytes) };
}

/** Checksums of the pieces of a value in memory, each computed when it is first wanted. */
export class Trailers {
  readonly #bytes: Buffer;
  readonly #isKnown: Uint8Array;

  constructor(valueBytes: number) {
    const count = pieceCount(valueBytes);
    this.#bytes = Buffer.alloc(count * TRAILER_BYTES);
    this.#isKnown = new Uint8Array(count);
  }

  /** What follows the piece in a stream. */
  of(index: number, piece: Uint8Array): Uint8Array {
    const at = index * TRAILER_BYTES;
    if (this.#isKnown[index] === 0) {
      this.#bytes.writeUInt32LE(crc32(piece), at);
      this.#isKnown[index] = 1;
    }
    return this.#bytes.subarray(at, at + TRAILER_BYTES);
  }
}

/** Whether a piece is the one that its trailer was made for. */
export function isPiece(piece: Uint8Array, trailer: Uint8Array): boolean {
  return crc32(piece) === new DataView(trailer.buffer, trailer.byteOffset, TRAILER_BYTES).getUint32(0, true);
}

/** The bytes of a piece are not those that were sent. */
export class DamagedPiece extends Error {
  override readonly name = "DamagedPiece";

  constructor(index: number) {
    super(`piece ${index} does not fit its checksum`);
  }
}

/**
 * Takes a stream apart, in place: whoever reads asks for room, puts bytes there, and says how many. A trailer lies for a
 * moment where the next piece begins, so that a piece and its trailer may come in one read.
 */
export class PieceReader {
  readonly #target: Uint8Array;
  /** Trailer of the last piece, for which the target may have no room. */
  readonly #spare = new Uint8Array(TRAILER_BYTES);
  #index = 0;
  /** Bytes of the present piece and its trailer that have come. */
  #come = 0;

  constructor(target: SharedArrayBuffer) {
    this.#target = new Uint8Array(target);
  }

  get isDone(): boolean {
    return this.#index === pieceCount(this.#target.byteLength);
  }

  /** Where the next bytes of the stream belong; not empty until it is done. */
  room(): Uint8Array {
    const { start, stop } = this.#range();
    if (this.#fits(stop)) return this.#target.subarray(start + this.#come, stop + TRAILER_BYTES);
    const ofPiece = stop - start - this.#come;
    return ofPiece > 0 ? this.#target.subarray(start + this.#come, stop) : this.#spare.subarray(-ofPiece);
  }

  /**
   * `count` bytes have been put into the room.
   *
   * @throws {DamagedPiece}
   */
  took(count: number): void {
    const { start, stop } = this.#range();
    const whole = stop - start + TRAILER_BYTES;
    this.#come += count;
    assert(!this.isDone && this.#come <= whole, "a stream was read beyond its end");
    if (this.#come < whole) return;
    const trailer = this.#fits(stop) ? this.#target.subarray(stop, stop + TRAILER_BYTES) : this.#spare;
    if (!isPiece(this.#target.subarray(start, stop), trailer)) throw new DamagedPiece(this.#index);
    this.#index++;
    this.#come = 0;
  }

  /** Copies what came in memory of its own. @returns Whether all of it belonged to the stream. @throws {DamagedPiece} */
  takes(bytes: Uint8Array): boolean {
    let rest = bytes;
    while (rest.byteLength > 0) {
      if (this.isDone) return false;
      const room = this.room();
      const count = Math.min(room.byteLength, rest.byteLength);
      room.set(rest.subarray(0, count));
      this.took(count);
      rest = rest.subarray(count);
    }
    return true;
  }

  #range(): { readonly start: number; readonly stop: number } {
    return pieceRange(this.#index, this.#target.byteLength);
  }

  /** Whether the trailer of a piece fits behind it. */
  #fits(stop: number): boolean {
    return stop + TRAILER_BYTES <= this.#target.byteLength;
  }
}
