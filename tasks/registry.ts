/** The only list of kinds. A kind is loaded by the thread that first needs it. */
import { PeError } from "../common/errors.ts";
import type { Kind } from "./kind.ts";

const KINDS: ReadonlyMap<string, () => Promise<Kind<never>>> = new Map([
  ["pe", async () => (await import("./pe/run.ts")).pe as Kind<never>],
  ["simulate", async () => (await import("./simulate/index.ts")).simulate as Kind<never>],
]);

/** @throws {PeError} `PE_PARAMETER` for a name that is not registered. */
export async function loadKind(name: string): Promise<Kind<unknown>> {
  const load = KINDS.get(name);
  if (load === undefined)
    throw new PeError(
      "PE_PARAMETER",
      `Cannot run a task of kind "${name}": known kinds are ${[...KINDS.keys()].join(", ")}`,
    );
  // Parameters are checked by the kind's own schema before `run` sees them, so the type may be forgotten here.
  return await load();
}
