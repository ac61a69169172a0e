/** Every example runs as it stands, on the built package, prints what it promises, and ends by itself. */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/client.ts";

const execute = promisify(execFile);
const FOLDER = join(ROOT, "examples");
const HANG_MS = 60_000;

/** The last line of each, or what stands in it. */
const PROMISED: Readonly<Record<string, RegExp>> = {
  "array-graph.mjs":
    /^6 images and their sum: \d+ MB on workers, none of it here\nimage 3 is unlike the others: 0\.9\d+\n[^]*\nnothing is left on the workers\n$/,
  "graph.mjs":
    /noise {4}0: mean entropy 0\.4\d\d\n[^]*noise {3}10: mean entropy 0\.999\nthe known series has 4000 samples\n$/,
  "parameter-sweep.mjs": /r = 3\.50 {2}#+ +0\.290\n[^]*\n51 points, most disordered at r = 3\.99\n$/,
  "tree-reduction.mjs": /^2047 tasks, the sum of 1 to 1024 is 524800\n$/,
  "user-kind.mjs": /^1: 16\.\d %\n[^]*PE_PARAMETER: [^]*seed[^]*\nPE_LIMIT: Cannot throw 1000000000 dice[^\n]*\n$/,
};

/** Smaller than what people see. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = { "array-graph.mjs": ["6", "64"] };

test("examples are those that are tested", () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".mjs"));
  expect(files.toSorted()).toEqual(Object.keys(PROMISED).toSorted());
});

test.each(Object.entries(PROMISED))("%s runs and prints its result", async (name, promised) => {
  const { stdout, stderr } = await execute(process.execPath, [join(FOLDER, name), ...(ARGUMENTS[name] ?? [])], {
    timeout: HANG_MS,
  });
  expect(stderr).toBe("");
  expect(stdout).toMatch(promised);
});

describe("docs/client.md", () => {
  const text = readFileSync(join(ROOT, "docs/client.md"), "utf8");
  const snippets = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code!);

  test("has snippets", () => expect(snippets.length).toBeGreaterThan(3));

  test.each(snippets.map((code, place) => [place + 1, code] as const))(
    "snippet %i prints what it says",
    async (_, code) => {
      const options = { cwd: ROOT, timeout: HANG_MS };
      const { stdout, stderr } = await execute(process.execPath, ["--input-type=module", "--eval", code], options);
      expect(stderr).toBe("");
      // What stands behind `// ` on a line that prints, up to a comma with a remark or dots.
      for (const [, promised] of code.matchAll(/console\.log\(.*\); \/\/ (.*)/g))
        if (!/\.\.\.|\d s /.test(promised!)) expect(stdout).toContain(promised!.replace(/, computed once$/, ""));
    },
  );
});
