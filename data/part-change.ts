/** The few parts that change, such as how a job has ended: parts themselves never do. */
import type { PartStore } from "./part-store.ts";

/** What there shall be in place of what there is; undefined leaves it. */
export type Change = (before: Uint8Array | undefined) => Uint8Array | undefined;

/** Looks, then writes: two that write at once may not see each other. */
export async function changeByLook(
  { get, put }: Pick<PartStore, "get" | "put">,
  name: string,
  change: Change,
): Promise<void> {
  const after = change(await get(name));
  if (after !== undefined) await put(name, after);
}
