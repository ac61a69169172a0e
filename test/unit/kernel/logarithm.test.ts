import { describe, expect, it } from "vitest";
import { Random } from "../../../common/random.ts";
import { naturalLogarithm } from "../../../kernel/logarithm.ts";

/** Correctly rounded, from 60-digit decimal arithmetic. */
const LITERALS: readonly [number, number][] = [
  [1.0, 0.0],
  [2.0, 0.6931471805599453],
  [3.0, 1.0986122886681098],
  [10.0, 2.302585092994046],
  [0.5, -0.6931471805599453],
  [0.75, -0.2876820724517809],
  [1.5, 0.4054651081081644],
  [0.1, -2.3025850929940455],
  [0.9999999999999999, -1.1102230246251565e-16],
  [1.0000000000000002, 2.2204460492503128e-16],
  [0.7071067811865475, -0.34657359027997275],
  [0.7071067811865476, -0.3465735902799726],
  [1.4142135623730951, 0.3465735902799727],
  [1.414213562373095, 0.3465735902799726],
  [5040.0, 8.525161361065415],
  [362880.0, 12.801827480081469],
  [100000.0, 11.512925464970229],
  [1e-300, -690.7755278982137],
  [5e-324, -744.4400719213812],
  [2.2250738585072014e-308, -708.3964185322641],
  [1.7976931348623157e308, 709.782712893384],
  [123456789.0, 18.63140176616802],
  [2147483647.0, 21.487562596892644],
  [0.003, -5.809142990314028],
  [0.6931471805599453, -0.36651292058166435],
  [1.2, 0.1823215567939546],
  [0.8, -0.2231435513142097],
  [1.41, 0.34358970439007686],
  [0.71, -0.342490308946776],
  [1.1, 0.09531017980432493],
  [0.9, -0.10536051565782628],
  [7.0, 1.9459101490553132],
  [11.0, 2.3978952727983707],
  [13.0, 2.5649493574615367],
  [17.0, 2.833213344056216],
  [8191.0, 9.010791269515602],
];

describe("naturalLogarithm()", () => {
  it.each(LITERALS)(
    "naturalLogarithm(%d) is within 1 unit in the last place of high-precision arithmetic",
    (x, exact) => {
      expect(Math.abs(naturalLogarithm(x) - exact)).toBeLessThanOrEqual(unitInLastPlace(exact));
    },
  );

  it("naturalLogarithm() of a product is the sum of the logarithms, over a million magnitudes", () => {
    const random = new Random(11);
    for (let round = 0; round < 20_000; round++) {
      const [x, y] = [1 + random.integer(2 ** 26), 1 + random.integer(2 ** 26)];
      const difference = naturalLogarithm(x * y) - (naturalLogarithm(x) + naturalLogarithm(y));
      expect(Math.abs(difference)).toBeLessThan(1.5e-14);
    }
  });

  it("naturalLogarithm() never falls, which a table of terms relies on", () => {
    for (let x = 2; x < 100_000; x++) expect(naturalLogarithm(x)).toBeGreaterThan(naturalLogarithm(x - 1));
  });
});

function unitInLastPlace(value: number): number {
  const size = Math.abs(value);
  return size === 0 ? 0 : 2 ** (Math.floor(Math.log2(size)) - 52);
}
