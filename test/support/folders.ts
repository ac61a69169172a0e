/** Folders of a test, gone after it, and what a run must not leave in them. */
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach } from "vitest";
import { endClients, expectNoClients } from "./client.ts";

const ofTest: string[] = [];
const ofFile: string[] = [];

// Whoever still writes into a folder would keep it from going.
afterEach(async () => {
  try {
    await expectNoClients();
  } finally {
    await removeAll(ofTest);
  }
});
afterAll(async () => {
  await endClients();
  await removeAll(ofFile);
});

/** An empty folder that is removed after the test. */
export async function testFolder(): Promise<string> {
  return await makeFolder(ofTest);
}

/** An empty folder that is removed after the last test of the file. */
export async function fileFolder(): Promise<string> {
  return await makeFolder(ofFile);
}

async function makeFolder(list: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pe-test-"));
  list.push(folder);
  return folder;
}

async function removeAll(list: string[]): Promise<void> {
  for (const folder of list.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** Work folders, locks and temporary files under `folder`: none once a run has succeeded. */
export function leftovers(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.(work|tmp|lock)$/.test(name));
}
