/** Patterns over file names: `*`, `?` and `[a-z]` within a name, `**` for any folders. */
import { readdir } from "node:fs/promises";
import { join, resolve, sep } from "node:path";

export function isPattern(path: string): boolean {
  return /[*?[]/.test(path);
}

export interface Match {
  /** The longest folder of the pattern without a wildcard. */
  readonly root: string;
  /** Absolute paths of what matched, in no order. */
  readonly paths: readonly string[];
}

/** Files and folders that fit `pattern`. Hidden names match only where the pattern names them. */
export async function findMatches(pattern: string): Promise<Match> {
  const segments = resolve(pattern).split(sep);
  const first = segments.findIndex(isPattern);
  const root = segments.slice(0, first).join(sep) || sep;
  const paths = new Set<string>();
  await descend(root, segments.slice(first), paths);
  return { root, paths: [...paths] };
}

async function descend(folder: string, segments: readonly string[], found: Set<string>): Promise<void> {
  const [segment, ...rest] = segments;
  if (segment === undefined) return;
  if (segment === "**") await descend(folder, rest, found);
  const expression = segment === "**" ? /^/ : expressionOf(segment);
  // A folder that cannot be read holds nothing that could be an input.
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const hidden = entry.name.startsWith(".") && !segment.startsWith(".");
    if (hidden || !expression.test(entry.name)) continue;
    const path = join(folder, entry.name);
    if (segment === "**") {
      if (entry.isDirectory()) await descend(path, segments, found);
    } else if (rest.length === 0) found.add(path);
    else if (entry.isDirectory() || entry.isSymbolicLink()) await descend(path, rest, found);
  }
}

function expressionOf(segment: string): RegExp {
  let source = "";
  for (let index = 0; index < segment.length; index++) {
    const character = segment[index]!;
    const end = character === "[" ? segment.indexOf("]", index + 2) : -1;
    if (end > index) {
      const set = segment
        .slice(index + 1, end)
        .replace(/^!/, "^")
        .replaceAll("\\", "\\\\")
        .replaceAll("[", "\\[");
      source += `[${set}]`;
      index = end;
    } else if (character === "*") source += ".*";
    else if (character === "?") source += ".";
    else source += character.replace(/[\\^$.*+?()[\]{}|/-]/, "\\$&");
  }
  return new RegExp(`^${source}$`, "su");
}
