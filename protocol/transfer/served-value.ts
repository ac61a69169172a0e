/** A value as whoever sends it sees it: in memory or in a file. */
import { pieceRange, Trailers } from "./pieces.ts";

/**
 * Pieces of one value that are made ready or written, and not yet taken by the system. With fewer the holder has to wake up for
 * each; those of a value in memory take none of their own.
 */
export const PIECES_UNDER_WAY_MAX = 4;

export interface ServedValue {
  readonly bytes: number;
  /**
   * A piece and its trailer, in one or more blocks of memory. Pieces are asked for in their order, and no more than
   * `PIECES_UNDER_WAY_MAX` are in use at a time: the memory of an older one may hold another by then.
   *
   * @throws {Error} when it cannot be read, or is damaged.
   */
  piece(index: number): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Nothing more is asked of it. */
  close(): void;
}

/** A value in memory; nothing is copied. `trailers` are kept by whoever serves it more than once. */
export function serveMemory(blob: SharedArrayBuffer, trailers = new Trailers(blob.byteLength)): ServedValue {
  return {
    bytes: blob.byteLength,
    piece: (index) => {
      const { start, stop } = pieceRange(index, blob.byteLength);
      const piece = new Uint8Array(blob, start, stop - start);
      return [piece, trailers.of(index, piece)];
    },
    close: () => undefined,
  };
}
