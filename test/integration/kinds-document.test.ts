/** The kind that docs/kinds.md shows, run as it stands there. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { permutationEntropy } from "../../kernel/index.ts";
import { ROOT } from "../support/client.ts";
import { testFolder } from "../support/folders.ts";
import { openPool, runFrame } from "../support/pool.ts";

test("the kind in docs/kinds.md runs as it stands there", async () => {
  const page = await readFile(join(ROOT, "docs/kinds.md"), "utf8");
  const [, code] = /```js\n([\s\S]*?)```/.exec(page)!;
  const folder = await testFolder();
  await writeFile(join(folder, "surrogates.js"), code!);
  const pool = await openPool({ kinds: [folder] });
  const series = Float64Array.from({ length: 200 }, (_, index) => Math.sin(index / 5));
  const { results, failures } = await runFrame(pool, {
    kind: "surrogates",
    common: { order: 3, delay: 1, copies: 4 },
    parameters: [
      { series, seed: 1 },
      { series, seed: 1 },
      { series: Float64Array.of(1, NaN, 2), seed: 1 },
      { series: [1, 2], seed: 1 },
    ],
  });
  const first = results.get(0) as { entropy: number; shuffled: number[] };
  expect(first.entropy).toBe(permutationEntropy(series, 3, 1));
  expect(first.shuffled).toHaveLength(4);
  for (const entropy of first.shuffled) expect(entropy).toBeGreaterThan(first.entropy);
  expect(results.get(1)).toEqual(first);
  expect(failures.get(2)).toMatchObject({ code: "PE_SERIES_NOT_FINITE" });
  expect(failures.get(3)).toMatchObject({ code: "PE_PARAMETER", message: expect.stringContaining("series") });
});
