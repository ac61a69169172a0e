/** How the client of a cluster in its own process reaches data: values by reference, parts of scattered data in a folder. */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openPartStore } from "../../data/part-store.ts";
import type { ValueName } from "../../protocol/held-values.ts";
import type { DataWays } from "./data-ways.ts";
import { fetchFromHolders } from "./local-holders.ts";

/** A worker of this process. */
export interface LocalHolder {
  readonly name: string;
  /** The very memory of a value; undefined when it does not have it. */
  heldValue(name: ValueName): Promise<SharedArrayBuffer | undefined>;
}

export interface LocalWays extends DataWays {
  /** Removes what was stored. */
  close(): Promise<void>;
}

/** @param scratch Folder for the parts; that of the system for temporary files by default. */
export function localWays(holders: readonly LocalHolder[], scratch = tmpdir()): LocalWays {
  let folder: Promise<string> | undefined;
  const partsUrl = async (): Promise<string> => pathToFileURL(await (folder ??= makeFolder(scratch))).href;
  return {
    fetchValue: async ({ name, sources }) => await fetchFromHolders(holders, name, sources),
    partsUrl,
    partsOf: async () => openPartStore(await partsUrl()),
    close: async () => {
      if (folder !== undefined) await rm(await folder, { recursive: true, force: true });
    },
  };
}

async function makeFolder(scratch: string): Promise<string> {
  await mkdir(scratch, { recursive: true });
  return await mkdtemp(join(scratch, "pe-cluster-scattered-"));
}
