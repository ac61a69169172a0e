import { crc32 } from "node:zlib";
import { describe, expect, test } from "vitest";
import { Random } from "../../../../common/random.ts";
import {
  DamagedPiece,
  PIECE_BYTES,
  pieceCount,
  PieceReader,
  streamBytes,
  TRAILER_BYTES,
} from "../../../../protocol/transfer/pieces.ts";
import { serveMemory } from "../../../../protocol/transfer/served-value.ts";
import { blobOf, sameBytes } from "../../../support/values.ts";

const SIZES = [1, 3, 4, 5, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, PIECE_BYTES + 3, 2 * PIECE_BYTES + 4, 3e6];

function streamOf(blob: SharedArrayBuffer): Buffer {
  const served = serveMemory(blob);
  const blocks = Array.from({ length: pieceCount(blob.byteLength) }, (_, index) => served.piece(index));
  return Buffer.concat(blocks.flat() as Uint8Array[]);
}

/** Puts a stream into a reader's room, at most so many bytes at a time. */
function readInPlace(stream: Buffer, bytes: number, most: () => number): SharedArrayBuffer {
  const target = new SharedArrayBuffer(bytes);
  const reader = new PieceReader(target);
  for (let at = 0; at < stream.byteLength;) {
    const room = reader.room();
    expect(room.byteLength).toBeGreaterThan(0);
    const count = Math.min(room.byteLength, stream.byteLength - at, most());
    room.set(stream.subarray(at, at + count));
    at += count;
    reader.took(count);
  }
  expect(reader.isDone).toBe(true);
  return target;
}

describe("the stream of a value", () => {
  test("is its pieces of 1 MiB, each followed by its CRC-32", () => {
    const blob = blobOf(PIECE_BYTES + 10);
    const stream = streamOf(blob);
    expect(stream.byteLength).toBe(PIECE_BYTES + 10 + 8);
    expect(stream.byteLength).toBe(streamBytes(blob.byteLength));
    expect(stream.readUInt32LE(PIECE_BYTES)).toBe(crc32(new Uint8Array(blob, 0, PIECE_BYTES)));
    expect(stream.readUInt32LE(stream.byteLength - 4)).toBe(crc32(new Uint8Array(blob, PIECE_BYTES)));
  });
});

describe("PieceReader", () => {
  test.each(SIZES)("reads a value of %i bytes in place, in whatever portions it comes", (bytes) => {
    const blob = blobOf(bytes);
    const stream = streamOf(blob);
    expect(stream.byteLength).toBe(streamBytes(bytes));
    const random = new Random(bytes);
    for (const most of [() => Infinity, () => 1 + random.integer(100_000), () => PIECE_BYTES])
      expect(sameBytes(readInPlace(stream, bytes, most), blob)).toBe(true);
  });

  test.each(SIZES)("takes a value of %i bytes from memory of others", (bytes) => {
    const blob = blobOf(bytes);
    const stream = streamOf(blob);
    const target = new SharedArrayBuffer(bytes);
    const reader = new PieceReader(target);
    for (let at = 0; at < stream.byteLength; at += 65_536)
      expect(reader.takes(stream.subarray(at, at + 65_536))).toBe(true);
    expect(reader.isDone).toBe(true);
    expect(sameBytes(target, blob)).toBe(true);
    expect(reader.takes(Buffer.of(1))).toBe(false);
  });

  test("finds a bit that changed, in a piece or its trailer", () => {
    const blob = blobOf(PIECE_BYTES + 100);
    const random = new Random(5);
    for (let round = 0; round < 20; round++) {
      const stream = streamOf(blob);
      const place = random.integer(stream.byteLength);
      stream[place]! ^= 1 << random.integer(8);
      const index = place < PIECE_BYTES + TRAILER_BYTES ? 0 : 1;
      const reader = new PieceReader(new SharedArrayBuffer(blob.byteLength));
      expect(() => reader.takes(stream)).toThrow(new DamagedPiece(index));
    }
  });
});
