/** Many things of one sort, a few at a time. */

/**
 * What `act` gives for each item, in their order. After the first error nothing more is begun.
 *
 * @throws {unknown} The first error, once all that was begun has ended.
 * @example
 * const heads = await inLanes(names, 16, async (name) => await readHead(name));
 */
export async function inLanes<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  act: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = Array.from({ length: items.length });
  let next = 0;
  let failed: { error: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < items.length && failed === undefined) {
      const place = next++;
      try {
        results[place] = await act(items[place]!);
      } catch (error) {
        failed ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  if (failed !== undefined) throw failed.error;
  return results;
}
