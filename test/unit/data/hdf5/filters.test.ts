import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { unfilter } from "../../../../data/hdf5/filters.ts";

const DEFLATE = 1;
const SHUFFLE = 2;
const FLETCHER32 = 3;
const chunk = { address: 0, bytes: 0, skipped: 0 };
const plain = Uint8Array.from({ length: 48 }, (_, index) => (index * 37) % 251);

/** From elements to all first bytes, all second bytes ... */
function shuffled(bytes: Uint8Array, width: number): Uint8Array {
  const elements = bytes.length / width;
  return bytes.map((_, index) => bytes[(index % elements) * width + Math.floor(index / elements)]!);
}

/** Of two words: [a, b] has the sums a + b and 2 a + b, which do not overflow here. */
function withChecksum(words: [number, number], swap = false): Uint8Array {
  const [a, b] = words;
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16BE(a, 0);
  bytes.writeUInt16BE(b, 2);
  const halves = [a + b, 2 * a + b].map((sum) => (swap ? ((sum & 0xff) << 8) | (sum >> 8) : sum));
  bytes.writeUInt16LE(halves[0]!, 4);
  bytes.writeUInt16LE(halves[1]!, 6);
  return bytes;
}

describe("unfilter()", () => {
  it("undoes deflate and shuffle in the order opposite to the writer's", () => {
    for (const width of [1, 2, 4, 8]) {
      const stored = deflateSync(shuffled(plain, width));
      expect([...unfilter(stored, [SHUFFLE, DEFLATE], chunk, { expected: 48, width })]).toEqual([...plain]);
    }
  });
  it("leaves out the filters that the writer left out", () => {
    const skipped = { ...chunk, skipped: 0b10 };
    expect([...unfilter(shuffled(plain, 8), [SHUFFLE, DEFLATE], skipped, { expected: 48, width: 8 })]).toEqual([
      ...plain,
    ]);
  });
  it("takes Fletcher-32 with the bytes of each half in either order, and no other sum", () => {
    const size = { expected: 4, width: 2 };
    expect([...unfilter(withChecksum([0x1234, 0x0102]), [FLETCHER32], chunk, size)]).toEqual([0x12, 0x34, 1, 2]);
    expect([...unfilter(withChecksum([0x1234, 0x0102], true), [FLETCHER32], chunk, size)]).toEqual([0x12, 0x34, 1, 2]);
    const wrong = withChecksum([0x1234, 0x0102]);
    wrong[7]! ^= 1;
    expect(() => unfilter(wrong, [FLETCHER32], chunk, size)).toThrow("does not fit its Fletcher-32 checksum");
    expect(() => unfilter(wrong.subarray(0, 3), [FLETCHER32], chunk, size)).toThrow("no room for its checksum");
  });
  it("refuses a chunk of another length, stored or inflated", () => {
    const size = { expected: 56, width: 8 };
    expect(() => unfilter(plain, [], chunk, size)).toThrow("a chunk holds 48 bytes instead of 56");
    expect(() => unfilter(deflateSync(plain), [DEFLATE], chunk, size)).toThrow("holds 48 bytes instead of 56");
    expect(() => unfilter(deflateSync(plain), [DEFLATE], chunk, { expected: 40, width: 8 })).toThrow(
      "cannot be inflated",
    );
  });
  it("refuses a damaged, a cut and a senseless stream", () => {
    const size = { expected: 48, width: 8 };
    const stored = deflateSync(plain);
    const damaged = stored.map((byte, index) => (index === stored.length - 1 ? byte ^ 1 : byte));
    for (const bytes of [damaged, stored.subarray(0, -3), Buffer.from("no deflate")])
      expect(() => unfilter(bytes, [DEFLATE], chunk, size)).toThrow("a chunk cannot be inflated");
  });
  it("takes no memory for what so few bytes cannot hold", () => {
    const claim = { expected: 2 ** 40, width: 8 };
    expect(() => unfilter(deflateSync(plain), [DEFLATE], chunk, claim)).toThrow("a chunk is shorter than it can be");
  });
});
