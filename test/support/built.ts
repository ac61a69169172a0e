/** Modules of the built package: threads cannot be started from the sources. */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./client.ts";

/** `path` within the tree, `worker/threads/pool.ts`. */
export async function built<Module>(path: string): Promise<Module> {
  return (await import(pathToFileURL(join(ROOT, "dist", path.replace(/\.ts$/, ".js"))).href)) as Module;
}

/** Kinds that do what kinds should not, and some that do what they should. */
export const TEST_KINDS = join(ROOT, "test/fixtures/kinds");
