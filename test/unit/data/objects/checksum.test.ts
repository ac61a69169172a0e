import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { computeChecksum, fits, fitsPieces } from "../../../../data/objects/checksum.ts";

const nine = Buffer.from("123456789");
const md5 = (bytes: Uint8Array): Buffer => createHash("md5").update(bytes).digest();

describe("computeChecksum()", () => {
  test.each([
    ["crc32", "cbf43926"],
    ["crc32c", "e3069283"],
    ["crc64nvme", "ae8b14860a799888"],
    ["md5", "25f9e794323b453885f5181f1b624d0b"],
    ["sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"],
    ["sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"],
  ] as const)("%s of the nine digits is the published check value", (algorithm, hex) => {
    expect(computeChecksum(algorithm, nine)).toBe(hex);
    expect(fits({ algorithm, hex }, nine)).toBe(true);
    expect(fits({ algorithm, hex }, Buffer.from("123456780"))).toBe(false);
  });

  test("agrees with one bit at a time, at every length and place", () => {
    const bytes = Uint8Array.from({ length: 70 }, (_, index) => (index * 151 + 7) & 255);
    for (let start = 0; start < 9; start++)
      for (let stop = start; stop < 70; stop += 1) {
        const piece = bytes.subarray(start, stop);
        expect(computeChecksum("crc64nvme", piece)).toBe(bitwise(piece, 0x9a6c9329ac4bc9b5n, 64n));
        expect(computeChecksum("crc32c", piece)).toBe(bitwise(piece, 0x82f63b78n, 32n));
      }
  });
});

/** The definition, word for word. */
function bitwise(bytes: Uint8Array, polynomial: bigint, width: bigint): string {
  const ones = (1n << width) - 1n;
  let rest = ones;
  for (const byte of bytes) {
    rest ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) rest = rest & 1n ? (rest >> 1n) ^ polynomial : rest >> 1n;
  }
  return (rest ^ ones).toString(16).padStart(Number(width / 4n), "0");
}

describe("fitsPieces()", () => {
  const bytes = new Uint8Array(13 * 2 ** 20 + 5).map((_, index) => index % 253);
  const etagFor = (pieceBytes: number): string => {
    const digests: Buffer[] = [];
    for (let start = 0; start < bytes.length; start += pieceBytes)
      digests.push(md5(bytes.subarray(start, start + pieceBytes)));
    return `${md5(Buffer.concat(digests)).toString("hex")}-${digests.length}`;
  };

  test("finds the usual sizes of pieces by itself", () => {
    for (const mib of [5, 8, 10]) expect(fitsPieces(etagFor(mib * 2 ** 20), bytes)).toBe(true);
  });

  test("takes an unusual size from the store", () => {
    const etag = etagFor(7_000_001);
    expect(fitsPieces(etag, bytes)).toBe(false);
    expect(fitsPieces(etag, bytes, 7_000_001)).toBe(true);
  });

  test("finds a flipped bit", () => {
    const etag = etagFor(8 * 2 ** 20);
    const flipped = bytes.slice();
    flipped[9_000_000]! ^= 1;
    expect(fitsPieces(etag, flipped)).toBe(false);
  });

  test("takes an object of one piece, whatever its size, and none", () => {
    const small = bytes.subarray(0, 777);
    expect(fitsPieces(`${md5(md5(small)).toString("hex")}-1`, small)).toBe(true);
    expect(fitsPieces(md5(small).toString("hex"), small)).toBe(false);
  });
});
