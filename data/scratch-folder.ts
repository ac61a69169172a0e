/**
 * Folders for files that are of use to one process only, named after it. Those of processes that were killed go when the next
 * one is made beside them.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { asPeError } from "../common/errors.ts";
import { isAbandoned, ownName } from "./durable.ts";

const TENANT = "tenant-";

/**
 * Makes a folder that only this user can look into, `<prefix><host>-<process>-<random>`.
 *
 * @throws {PeError} `PE_OUTPUT_UNWRITABLE`, `PE_DISK_FULL`
 */
export function makeScratchFolder(parent: string, prefix: string): string {
  try {
    removeAbandonedFolders(parent, prefix);
    const folder = join(parent, prefix + ownName());
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  } catch (error) {
    throw asPeError(error, "PE_OUTPUT_UNWRITABLE", `Cannot make a scratch folder in "${parent}"`);
  }
}

/** Keeps a folder that another process made while this one lives. */
export function dwellIn(folder: string): void {
  writeFileSync(join(folder, TENANT + ownName()), "");
}

function removeAbandonedFolders(parent: string, prefix: string): void {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix) || !isAbandoned(name)) continue;
    try {
      const folder = join(parent, name);
      const hasTenant = readdirSync(folder).some((each) => each.startsWith(TENANT) && !isAbandoned(each));
      if (!hasTenant) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Of another user, or just removed by another process.
      continue;
    }
  }
}
