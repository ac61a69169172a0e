/** The built package as another version of it would be. */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { ROOT } from "./client.ts";
import { testFolder } from "./folders.ts";

/** By file of dist: texts, and what stands there instead. Each text has to be there. */
export type DistChanges = Readonly<Record<string, readonly (readonly [RegExp | string, string])[]>>;

/** @returns Folder of a copy of dist with the changes, gone after the test. */
export async function changedDist(changes: DistChanges): Promise<string> {
  const folder = await testFolder();
  const dist = join(folder, "dist");
  cpSync(join(ROOT, "dist"), dist, { recursive: true });
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  for (const [name, replacements] of Object.entries(changes)) {
    const file = join(dist, name);
    let text = readFileSync(file, "utf8");
    for (const [from, to] of replacements) {
      const changed = text.replace(from, to);
      expect(changed, `${name}: ${String(from)}`).not.toBe(text);
      text = changed;
    }
    writeFileSync(file, text);
  }
  return dist;
}
