/**
 * The natural logarithm of this product.
 *
 * `Math.log` is implementation-defined: two engines, or two releases of one, may differ in the last bit. This one uses
 * only + - * /, which IEEE 754 fixes to the bit, so an entropy is the same number on every machine.
 */

/** ln 2 in two pieces: the first has 32 bits, so that its product with any exponent is exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
/** The high word of sqrt(1/2): mantissas are taken from [sqrt(1/2), sqrt(2)), where the series below is shortest. */
const SQRT_HALF_HIGH_WORD = 0x3fe6a09e;
const ONE_HIGH_WORD = 0x3ff00000;
const TWO_POW_54 = 18014398509481984;

/** Big-endian on every machine, so the high word is always the first. */
const bits = new DataView(new ArrayBuffer(8));

/**
 * Natural logarithm of `x`, within 1 unit in the last place.
 *
 * With x = 2^e (1 + f) and s = f / (2 + f), ln(1 + f) = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R)), where
 * R = 2 (s^2/3 + s^4/5 + ...) is cut after s^20: |s| <= 0.172, so what is left out is below 2^-61 of the result.
 *
 * @param x Positive and finite; anything else is the caller's bug and gives an arbitrary number.
 */
export function naturalLogarithm(x: number): number {
  if (x < 2.2250738585072014e-308) return naturalLogarithm(x * TWO_POW_54) - 54 * LN2_HIGH - 54 * LN2_LOW;
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  const shifted = high + (ONE_HIGH_WORD - SQRT_HALF_HIGH_WORD);
  const exponent = (shifted >>> 20) - 1023;
  bits.setUint32(0, (shifted & 0xfffff) + SQRT_HALF_HIGH_WORD);
  const f = bits.getFloat64(0) - 1;
  const halfSquare = 0.5 * f * f;
  const s = f / (2 + f);
  const z = s * s;
  const rest = z * atanhSeries(z);
  return exponent * LN2_HIGH - (halfSquare - (s * (halfSquare + rest) + exponent * LN2_LOW) - f);
}

/** 2/3 + 2/5 z + 2/7 z^2 + ... : the Taylor series of 2 atanh(s) after its first term, in z = s^2. */
function atanhSeries(z: number): number {
  const square = z * z;
  const even =
    0.6666666666666666 +
    square *
      (0.2857142857142857 +
        square * (0.18181818181818182 + square * (0.13333333333333333 + square * 0.10526315789473684)));
  const odd =
    0.4 +
    square *
      (0.2222222222222222 +
        square * (0.15384615384615385 + square * (0.11764705882352941 + square * 0.09523809523809523)));
  return even + z * odd;
}
