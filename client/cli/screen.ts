/** A few lines on a terminal that are drawn over again: they never wrap or scroll, or those of before would stay. */
import type { Console } from "../../common/command-line/console.ts";

export interface Screen {
  draw(lines: readonly string[]): void;
}

export function createScreen(console: Console): Screen {
  let drawn = 0;
  return {
    draw: (lines) => {
      const up = drawn === 0 ? "" : `\u001B[${drawn}A`;
      const shown = fitRows(lines, rowsOf(console)).map((line) => fitColumns(line, console));
      // Lines of before that have no successor go too.
      console.stderr(`${up}\r${shown.map((line) => `${line}\u001B[K\n`).join("")}\u001B[J`);
      drawn = shown.length;
    },
  };
}

/** As much of a line as does not wrap: a terminal may when its last column is written. */
export function fitColumns(line: string, console: Console): string {
  const { columns } = console.size?.() ?? { columns: Infinity };
  return line.length < columns ? line : `${line.slice(0, Math.max(0, columns - 2))}…`;
}

/** The last row is the cursor's. */
function rowsOf(console: Console): number {
  return (console.size?.().rows ?? Infinity) - 1;
}

function fitRows(lines: readonly string[], rows: number): readonly string[] {
  if (lines.length <= rows) return lines;
  const shown = lines.slice(0, Math.max(0, rows - 1));
  return [...shown, `… and ${lines.length - shown.length} more`];
}
