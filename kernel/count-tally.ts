/**
 * How many bins hold how many windows: all that measures of a distribution need, and far fewer numbers than bins
 * (at most sqrt(2 W) different counts). Adding bins in another order gives the same tally.
 */
const SMALL_COUNT_MAX = 4096;

export interface CountTally {
  /** Adds bins; empty ones are passed over. */
  add(counts: Uint32Array): void;
  /** Calls back once per different count, ascending, and empties the tally. */
  drain(visit: (count: number, bins: number) => void): void;
}

export function createCountTally(): CountTally {
  const small = new Uint32Array(SMALL_COUNT_MAX);
  const large: number[] = [];
  let largestSmall = 0;

  const add = (counts: Uint32Array): void => {
    for (const count of counts) {
      if (count < SMALL_COUNT_MAX) {
        small[count]!++;
        if (count > largestSmall) largestSmall = count;
      } else large.push(count);
    }
  };

  const drain = (visit: (count: number, bins: number) => void): void => {
    for (let count = 1; count <= largestSmall; count++) if (small[count]! > 0) visit(count, small[count]!);
    large.sort((a, b) => a - b);
    for (const [start, count] of large.entries()) {
      if (start > 0 && large[start - 1] === count) continue;
      let bins = 1;
      while (large[start + bins] === count) bins++;
      visit(count, bins);
    }
    small.fill(0, 0, largestSmall + 1);
    large.length = 0;
    largestSmall = 0;
  };

  return { add, drain };
}
