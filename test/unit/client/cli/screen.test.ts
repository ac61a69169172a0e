import { expect, test } from "vitest";
import type { Console } from "../../../../common/command-line/console.ts";
import { createProgress, formatSeconds } from "../../../../client/cli/progress.ts";
import { createScreen } from "../../../../client/cli/screen.ts";

function terminal(columns: number, rows: number): Console & { readonly said: string[] } {
  const said: string[] = [];
  return {
    said,
    isTerminal: true,
    size: () => ({ columns, rows }),
    stdout: () => undefined,
    stderr: (text) => void said.push(text),
  };
}

const CONTROL = new RegExp(String.raw`\u001B\[\d*[AJK]`, "g");

/** Without what moves the cursor and clears. */
function visible(text: string): string[] {
  return text
    .replaceAll(CONTROL, "")
    .split("\n")
    .map((line) => line.replaceAll("\r", ""));
}

test("createScreen() draws no line that wraps and no more lines than the terminal has", () => {
  const console = terminal(16, 4);
  const screen = createScreen(console);
  screen.draw(["short", "a line that is longer", "c", "d", "e"]);
  expect(visible(console.said[0]!)).toEqual(["short", "a line that is…", "… and 3 more", ""]);
  screen.draw(["a"]);
  // It goes up as many lines as it has drawn.
  expect(console.said[1]).toContain("\u001B[3A");
});

test("createProgress() keeps its bar in one line of the terminal", () => {
  const console = terminal(40, 24);
  const progress = createProgress(console, "computing", () => 0);
  progress.update({ done: 1, total: 2, before: 0, unit: "series", current: "raw_shard_000_000.hdf5" });
  expect(visible(console.said[0]!)[0]!.length).toBe(39);
});

test.each([
  [9.96, "10 s"],
  [59.6, "1 min 0 s"],
  [359.7, "6 min 0 s"],
  [7260, "2 h 1 min"],
])("formatSeconds() of %d is %s", (seconds, text) => {
  expect(formatSeconds(seconds)).toBe(text);
});
