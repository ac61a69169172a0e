/**
 * xoshiro128** by Blackman and Vigna (public domain, https://prng.di.unimi.it): integers only, so that the same seed
 * gives the same numbers on every machine.
 */
export class Random {
  readonly #state: Uint32Array;

  /** `seed` is any 32-bit integer; `stream` gives independent sequences of one seed (a series of a grid, say). */
  constructor(seed: number, stream = 0) {
    // splitmix32 spreads neighbouring seeds over the whole state.
    let word = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0;
    const next = (): number => {
      word = (word + 0x9e3779b9) >>> 0;
      let mixed = word ^ (word >>> 16);
      mixed = Math.imul(mixed, 0x21f0aaad);
      mixed ^= mixed >>> 15;
      mixed = Math.imul(mixed, 0x735a2d97);
      return (mixed ^ (mixed >>> 15)) >>> 0;
    };
    this.#state = Uint32Array.of(next() ^ stream, next(), next(), next() | 1);
  }

  /** Uniform over 0 .. 2^32 - 1. */
  uint32(): number {
    const s = this.#state;
    const [s0, s1, s2, s3] = [s[0]!, s[1]!, s[2]!, s[3]!];
    const scrambled = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const shifted = s1 << 9;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    s[1] = s1 ^ t2;
    s[0] = s0 ^ t3;
    s[2] = t2 ^ shifted;
    s[3] = rotateLeft(t3, 11);
    return scrambled;
  }

  /** Uniform over [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** Uniform over the whole numbers 0 .. `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.uniform() * below);
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
