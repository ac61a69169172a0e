/** Workers of this process give their values to each other by reference. */
import type { ValueName, ValueSource } from "../../protocol/held-values.ts";
import type { LocalHolder } from "./local-ways.ts";
import type { ValueWays } from "../../worker/values/worker-values.ts";
import { FetchFailed } from "../../protocol/transfer/fetch-failed.ts";

/** @throws {FetchFailed} naming the workers that do not have it. */
export async function fetchFromHolders(
  holders: readonly LocalHolder[],
  name: ValueName,
  sources: readonly ValueSource[],
): Promise<SharedArrayBuffer> {
  const gone: string[] = [];
  for (const { worker } of sources) {
    const blob = await holders.find((holder) => holder.name === worker)?.heldValue(name);
    if (blob !== undefined) return blob;
    gone.push(worker);
  }
  throw new FetchFailed(
    name,
    gone,
    gone.map((worker) => `${worker} does not have it`),
  );
}

/** Of a worker among others of its process. */
export function localWorkerWays(holders: readonly LocalHolder[]): ValueWays {
  return {
    fetch: async (name, _, sources) => await fetchFromHolders(holders, name, sources),
    // Nobody here needs the scheduler for it.
    upload: async () => await Promise.resolve(),
    close: async () => await Promise.resolve(),
  };
}
