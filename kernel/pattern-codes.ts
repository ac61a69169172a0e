/**
 * Two numberings of the same order! patterns.
 *
 * The kernel's own index builds up as a window grows: with r(p) = number of earlier samples of the window that are
 * larger than sample p, index = r(1) 1! + r(2) 2! + ... + r(order - 1) (order - 1)!. The index of the first
 * order - 1 samples is therefore index mod (order - 1)!, which makes every lower order a marginal of the top one.
 * Users see the lexicographic rank of the window's ranks instead (0 = rising, order! - 1 = falling).
 */
/** FACTORIALS[k] = k!, k = 0 .. 9. */
export const FACTORIALS: readonly number[] = [1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880];

const tables: (Uint32Array | undefined)[] = [];

/** Code shown to users of each index of the kernel; shape `[order!]`. Made once an order. */
export function codesByIndex(order: number): Uint32Array {
  return (tables[order] ??= Uint32Array.from({ length: FACTORIALS[order]! }, (_, index) => codeOf(index, order)));
}

function codeOf(index: number, order: number): number {
  // Positions of the window from smallest to largest sample: sample p goes in before the r(p) larger ones.
  const ascending = [0];
  for (let position = 1, rest = index; position < order; position++) {
    const larger = rest % (position + 1);
    rest = (rest - larger) / (position + 1);
    ascending.splice(position - larger, 0, position);
  }
  const ranks = new Uint8Array(order);
  ascending.forEach((position, rank) => (ranks[position] = rank));
  let code = 0;
  for (let position = 0; position < order; position++) {
    let smallerLater = 0;
    for (let later = position + 1; later < order; later++) smallerLater += ranks[later]! < ranks[position]! ? 1 : 0;
    code = code * (order - position) + smallerLater;
  }
  return code;
}
