/** Folders that are made where they are missing. */
import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { errnoOf } from "./errno.ts";

/**
 * Makes a folder and those above it that are missing; a folder that is there stays as it is.
 *
 * Node's own recursive call never returns where the system denies that a folder exists which it does not let anyone make
 * (`/proc/x`), so this goes down one level at a time.
 *
 * @throws {Error} of the system, for the first level that cannot be made
 */
export async function makeFolders(path: string, mode?: number): Promise<void> {
  const missing: string[] = [];
  let next = resolve(path);
  while (!(await makeOne(next, mode))) {
    missing.push(next);
    next = dirname(next);
  }
  for (const folder of missing.toReversed())
    await mkdir(folder, mode).catch((error: unknown) => {
      // Somebody else has made it meanwhile.
      if (errnoOf(error) !== "EEXIST") throw error;
    });
}

/** False when the folder above is missing, unless there is none above. */
async function makeOne(path: string, mode: number | undefined): Promise<boolean> {
  try {
    await mkdir(path, mode);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code === "EEXIST") return true;
    if (code === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
}
