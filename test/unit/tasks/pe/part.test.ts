import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePart, encodePart, type PePart } from "../../../../tasks/pe/part.ts";

function partOf(series: number, maps: number, file: string): PePart {
  return {
    header: { file, sha256: "ab", series, maps, problems: [] },
    x: Int32Array.from({ length: series }, (_, i) => i * 3),
    y: Int32Array.from({ length: series }, (_, i) => i + 7),
    xVariable: Float64Array.from({ length: series }, (_, i) => (i === 0 ? NaN : i / 3)),
    yVariable: Float64Array.from({ length: series }, (_, i) => -i / 7),
    values: Float64Array.from({ length: series * maps }, (_, i) => (i % 5 === 0 ? NaN : Math.sqrt(i))),
    status: Uint8Array.from({ length: series * maps }, (_, i) => i % 7),
  };
}

describe("decodePart()", () => {
  test("gives back what encodePart() took, at whatever offset the bytes lie", () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), fc.string(), fc.nat(7), (series, maps, file, offset) => {
        const part = partOf(series, maps, file);
        const bytes = encodePart(part);
        // Bytes from a socket or a small file lie in a Buffer's pool, whose `slice` copies nothing.
        for (const memory of [new Uint8Array(bytes.byteLength + offset), Buffer.alloc(bytes.byteLength + offset)]) {
          memory.set(bytes, offset);
          const { layout, ...back } = decodePart("p", memory.subarray(offset));
          expect(back).toEqual(part);
          expect(layout.end).toBe(bytes.byteLength);
        }
      }),
    );
  });

  test("says where the values of one map lie", () => {
    const part = partOf(3, 4, "raw_shard_000_000.hdf5");
    const bytes = encodePart(part);
    const { layout } = decodePart("p", bytes);
    const map = bytes.slice(layout.values + 2 * 3 * 8, layout.values + 3 * 3 * 8);
    expect(new Float64Array(map.buffer)).toEqual(part.values.slice(6, 9));
  });

  test("refuses what is no part, and a part that lost its end", () => {
    const bytes = encodePart(partOf(3, 2, "a"));
    for (const broken of [new Uint8Array(3), new Uint8Array(100), bytes.subarray(0, -1)])
      expect(() => decodePart("p", broken)).toThrowError(/Cannot read part "p"/);
  });
});
