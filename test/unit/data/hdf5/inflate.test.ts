import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inflate, inflateAnew, isReusing } from "../../../../data/hdf5/inflate.ts";

describe("inflate()", () => {
  it("uses its memory again on the versions of Node that are supported", () => {
    expect(isReusing()).toBe(true);
    const first = inflate(deflateSync(Uint8Array.of(1, 2, 3)), 3);
    const second = inflate(deflateSync(Uint8Array.of(4, 5, 6)), 3);
    expect(second.buffer).toBe(first.buffer);
  });

  it("gives what the public call gives, for any bytes, and refuses whatever that refuses", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3000 }),
        fc.nat(),
        fc.nat(255),
        fc.constantFrom("whole", "cut", "flipped", "longer"),
        (plain, at, flip, damage) => {
          const stream = deflateSync(plain);
          const place = at % stream.length;
          if (damage === "flipped") stream[place]! ^= flip;
          const bytes = damage === "cut" ? stream.subarray(0, place) : stream;
          // The public call takes no limit of 0.
          const bytesMax = Math.max(1, damage === "longer" ? at % (plain.length + 1) : plain.length);
          expect(outcome(inflate, bytes, bytesMax)).toEqual(outcome(inflateAnew, bytes, bytesMax));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("goes on after a damaged stream", () => {
    expect(() => inflate(Uint8Array.of(1, 2, 3), 10)).toThrow();
    expect([...inflate(deflateSync(Uint8Array.of(7)), 1)]).toEqual([7]);
  });

  it("inflates a stream that lies in its own memory", () => {
    const inner = deflateSync(Uint8Array.from({ length: 500 }, (_, place) => place % 7));
    const outer = deflateSync(inner);
    const once = inflate(outer, inner.length);
    expect([...inflate(once, 500)]).toEqual(Array.from({ length: 500 }, (_, place) => place % 7));
  });
});

function outcome(call: typeof inflate, bytes: Uint8Array, bytesMax: number): number[] | "refused" {
  try {
    return [...call(bytes, bytesMax)];
  } catch {
    return "refused";
  }
}
