/** Names that someone who typed another may have meant. */

/**
 * Those of `known` that are most like `wanted`, the likeliest first: fewest letters to change, insert, take out or swap.
 *
 * @example
 * nearest("m05t001", ["m005t001", "m005t090", "x"], 1); // ["m005t001"]
 */
export function nearest(wanted: string, known: Iterable<string>, count: number): string[] {
  const ranked = Array.from(known, (name) => ({ name, distance: distance(wanted, name) }));
  return ranked
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

/** `a, b and 7 more`: all names where they are few, else the nearest to `wanted` and how many there are besides. */
export function knownNames(wanted: string, known: readonly string[], count = 5): string {
  if (known.length === 0) return "none";
  if (known.length <= count) return known.join(", ");
  return `${nearest(wanted, known, count).join(", ")} and ${known.length - count} more`;
}

/** Edits from one text to the other, a swap of neighbours being one; the part they begin with costs nothing. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? before[j - 2]! + 1 : Infinity;
      row.push(Math.min(changed, swapped, last[j]! + 1, row[j - 1]! + 1));
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}
