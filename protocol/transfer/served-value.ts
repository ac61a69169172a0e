/** A value as whoever sends it sees it: in memory or in a file. */
import { PIECE_BYTES, pieceRange, Trailers } from "./pieces.ts";

export interface ServedValue {
  readonly bytes: number;
  /**
   * A piece and its trailer, in one or more blocks of memory that do not change.
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

/** Most memory that one piece takes with its trailer where it does not lie in memory anyway. */
export const PIECE_MEMORY_BYTES = PIECE_BYTES + 4;
