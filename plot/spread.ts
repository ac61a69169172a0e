/**
 * Moves labels apart that want the same place: each as near to where it belongs as the others allow.
 *
 * Labels that would overlap form a block, which is centred on the mean of its members' wishes; blocks that then touch
 * become one (pool adjacent violators). So the order is kept, and the sum of squared shifts is the least possible.
 *
 * @param wanted Ascending places.
 * @param gap Least distance between neighbours.
 * @param limits Lowest and highest place; where there are too many labels, the highest gives way.
 */
export function spread(wanted: readonly number[], gap: number, limits: readonly [number, number]): number[] {
  const blocks: { sum: number; count: number }[] = [];
  wanted.forEach((place, index) => {
    // Measured in a frame where neighbours at the least distance stand on the same spot.
    let block = { sum: place - index * gap, count: 1 };
    let before = blocks.at(-1);
    while (before !== undefined && before.sum / before.count > block.sum / block.count) {
      blocks.pop();
      block = { sum: before.sum + block.sum, count: before.count + block.count };
      before = blocks.at(-1);
    }
    blocks.push(block);
  });
  const places = blocks.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
  const highest = Math.max(limits[0], limits[1] - (wanted.length - 1) * gap);
  return places.map((place, index) => Math.max(limits[0], Math.min(highest, place)) + index * gap);
}
