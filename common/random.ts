/**
 * Chance that is the same on every machine: xoshiro128** by Blackman and Vigna (https://prng.di.unimi.it), integers
 * only, and normal numbers from it by + - * / and the square root alone, which IEEE 754 rounds in one way only
 * (`Math.log` and `Math.cos` may differ in the last bit from one engine to the next).
 */
import { settleRim, ZIGGURAT } from "./ziggurat.ts";

/** 2^32 over the golden ratio: the step of the splitmix family. */
const GOLDEN = 0x9e3779b9;

export class Random {
  // Signed words: V8 keeps them as machine integers.
  readonly #state: Int32Array;

  /**
   * `seed` and each number of `stream` are 32-bit integers. Every (seed, stream) has its own sequence, so that a
   * series of a grid can be `new Random(seed, x, y)`, whoever computes it and when.
   */
  constructor(seed: number, ...stream: readonly number[]) {
    const state = new Int32Array(4);
    for (let index = 0; index < 4; index++) {
      let word = mix(seed + Math.imul(index + 1, GOLDEN));
      for (const number of stream) word = mix(word + number);
      state[index] = word;
    }
    state[3]! |= 1; // The state must never be all zeros.
    this.#state = state;
  }

  /** A generator in a known state, as the published reference program has it; not all four words 0. */
  static fromState(state: readonly [number, number, number, number]): Random {
    const random = new Random(0);
    random.#state.set(state);
    return random;
  }

  /** Uniform over -2^31 .. 2^31 - 1: the 32 bits of one step. */
  int32(): number {
    const s = this.#state;
    const s1 = s[1]!;
    const scrambled = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9);
    const t2 = s[2]! ^ s[0]!;
    const t3 = s[3]! ^ s1;
    s[1] = s1 ^ t2;
    s[0] = s[0]! ^ t3;
    s[2] = t2 ^ (s1 << 9);
    s[3] = rotateLeft(t3, 11);
    return scrambled;
  }

  /** Uniform over 0 .. 2^32 - 1. */
  uint32(): number {
    return this.int32() >>> 0;
  }

  /** Uniform over [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.uint32() / 4294967296;
  }

  /** Uniform over the whole numbers 0 .. `below` - 1. */
  integer(below: number): number {
    return Math.floor(this.uniform() * below);
  }

  /** Normal, mean 0, standard deviation 1, tails and all (see `ziggurat.ts`); never exactly 0. */
  gaussian(): number {
    // The lower 7 bits choose the strip, the other 25 the place in it: bits used for both would tie the two.
    const bits = this.int32();
    const strip = bits & 127;
    const place = bits >> 7;
    // Of -1 and 0 both are half a place from the middle: the complement of a negative place is its mirror.
    if ((place ^ (place >> 31)) < ZIGGURAT.inside[strip]!) return (place + 0.5) * ZIGGURAT.scale[strip]!;
    return this.#gaussianOfRim(strip, (place + 0.5) * ZIGGURAT.scale[strip]!);
  }

  /** Apart from `gaussian`, so that its common path stays small enough to be compiled into the caller. */
  #gaussianOfRim(strip: number, value: number): number {
    return settleRim(strip, value, () => this.uniform()) ?? this.gaussian();
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** A bijection of 32-bit words after which neighbours have nothing in common (the finaliser of splitmix32). */
function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x21f0aaad);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  return mixed ^ (mixed >>> 15);
}
