/** A few lines on a terminal that are drawn over again. */
import type { Console } from "../../common/command-line/console.ts";

export interface Screen {
  draw(lines: readonly string[]): void;
  /** Leaves what is drawn; what follows comes below it. */
  end(): void;
}

export function createScreen(console: Console): Screen {
  let drawn = 0;
  return {
    draw: (lines) => {
      const up = drawn === 0 ? "" : `\u001B[${drawn}A`;
      // Lines of before that have no successor go too.
      console.stderr(`${up}\r${lines.map((line) => `${line}\u001B[K\n`).join("")}\u001B[J`);
      drawn = lines.length;
    },
    end: () => {
      drawn = 0;
    },
  };
}
