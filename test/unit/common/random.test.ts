import { describe, expect, it } from "vitest";
import { Random } from "../../../common/random.ts";
import { bell, ZIGGURAT } from "../../../common/ziggurat.ts";

describe("Random", () => {
  it("Random.uint32() gives the published first numbers of xoshiro128** from the state 1, 2, 3, 4", () => {
    const random = Random.fromState([1, 2, 3, 4]);
    const numbers = Array.from({ length: 10 }, () => random.uint32());
    expect(numbers).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it("Random() gives the same sequence for the same seed and stream, and another for any other", () => {
    const streams = [[1], [2], [1, 0], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, -1], [2 ** 31, 5]] as const;
    const first = streams.map(([seed, ...stream]) => new Random(seed, ...stream).uint32());
    expect(new Set(first).size).toBe(streams.length);
    expect(streams.map(([seed, ...stream]) => new Random(seed, ...stream).uint32())).toEqual(first);
  });

  it("Random() gives neighbouring streams that have nothing in common", () => {
    let [changed, total] = [0, 0];
    const seen = new Set<number>();
    for (let x = 0; x < 64; x++)
      for (let y = 0; y < 64; y++) {
        const here = new Random(1, x, y);
        const beside = new Random(1, x, y + 1);
        for (let step = 0; step < 4; step++) {
          const word = here.uint32();
          changed += ones(word ^ beside.uint32());
          total += 32;
          seen.add(word);
        }
      }
    // Half of the bits differ: 262,144 x 32 / 16 coin tosses have a standard deviation of 7e-4.
    expect(changed / total).toBeCloseTo(0.5, 2.5);
    // 16,384 draws of 2^32 repeat 0.03 times.
    expect(seen.size).toBeGreaterThan(16_380);
  });

  it("Random.uniform() and integer() fill their ranges evenly", () => {
    const random = new Random(7);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let draw = 0; draw < 100_000; draw++) counts[random.integer(10)]! += 1;
    expect(
      chiSquared(
        counts,
        Array.from({ length: 10 }, () => 10_000),
      ),
    ).toBeLessThan(27.9); // 9 degrees, 0.1 %
    for (let draw = 0; draw < 1000; draw++) {
      const value = random.uniform();
      expect(value >= 0 && value < 1).toBe(true);
    }
  });
});

describe("Random.gaussian()", () => {
  it("gaussian() has the moments of the normal law", () => {
    const random = new Random(3);
    const sums = [0, 0, 0, 0, 0, 0, 0];
    const draws = 2_000_000;
    for (let draw = 0; draw < draws; draw++) {
      let power = 1;
      const value = random.gaussian();
      for (let order = 1; order <= 6; order++) sums[order]! += power *= value;
    }
    // Mean of x^k: 0, 1, 0, 3, 0, 15, with standard deviations sqrt((E x^2k - (E x^k)^2) / draws).
    const deviation = [0, 1, 2, 15, 96, 945, 10_170].map((variance) => Math.sqrt(variance / draws));
    const expected = [1, 0, 1, 0, 3, 0, 15];
    for (let order = 1; order <= 6; order++)
      expect(Math.abs(sums[order]! / draws - expected[order]!) / deviation[order]!).toBeLessThan(4);
  });

  it("gaussian() fills equal parts of the normal law equally, its tails too", () => {
    const random = new Random(4);
    const edges = [-3.6, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 3.6];
    const counts = Array.from({ length: edges.length + 1 }, () => 0);
    const draws = 2_000_000;
    for (let draw = 0; draw < draws; draw++) {
      const value = random.gaussian();
      counts[edges.filter((edge) => value >= edge).length]! += 1;
    }
    const cumulated = [0, ...edges.map(normalDistribution), 1];
    const expected = counts.map((_, part) => draws * (cumulated[part + 1]! - cumulated[part]!));
    expect(chiSquared(counts, expected)).toBeLessThan(31.3); // 11 degrees, 0.1 %
  });

  it("gaussian() is the same for ever", () => {
    const random = new Random(1, 2, 3);
    expect(Array.from({ length: 5 }, () => random.gaussian())).toEqual([
      -0.009583866182011541, -0.3322142976837202, -0.15489102479376143, -1.6477086299044874, -1.1714029494657163,
    ]);
  });
});

describe("ZIGGURAT", () => {
  it("bell() is exp(-x^2/2)", () => {
    for (let x = 0; x < 9; x += 0.01) expect(bell(x) / Math.exp((-x * x) / 2) - 1).toBeCloseTo(0, 11);
  });

  it("ZIGGURAT has strips of one area that end at the top of the curve", () => {
    const { edge, height } = ZIGGURAT;
    for (let strip = 1; strip < 128; strip++) {
      expect(edge[strip]! * (height[strip + 1]! - height[strip]!)).toBeCloseTo(9.91256303526217e-3, 10);
      expect(Math.exp(-(edge[strip]! ** 2) / 2)).toBeCloseTo(height[strip]!, 11);
    }
  });
});

function ones(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest >>>= 1) count += rest & 1;
  return count;
}

function chiSquared(counts: readonly number[], expected: readonly number[]): number {
  return counts.reduce((sum, count, part) => sum + (count - expected[part]!) ** 2 / expected[part]!, 0);
}

/** By Simpson's rule from 0, to 1e-12. */
function normalDistribution(x: number): number {
  const steps = 2000;
  const width = x / steps;
  let sum = 0;
  for (let step = 0; step <= steps; step++) {
    const weight = step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((step * width) ** 2) / 2);
  }
  return 0.5 + (sum * width) / 3 / Math.sqrt(2 * Math.PI);
}
