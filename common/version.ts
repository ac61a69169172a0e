/** Name and version of this package, as maps and `--version` tell it. */
import { readFileSync } from "node:fs";

/** package.json lies one folder up in the source tree, two up in dist/. */
const PLACES = ["../package.json", "../../package.json"];

export function packageVersion(): string {
  for (const place of PLACES) {
    try {
      const text = readFileSync(new URL(place, import.meta.url), "utf8");
      const { name, version } = JSON.parse(text) as Record<string, string>;
      if (name === "pe-cluster" && version !== undefined) return version;
    } catch {
      continue;
    }
  }
  return "unknown";
}
