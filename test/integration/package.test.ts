/** The package as its users import it: by its own name, from dist. */
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../support/client.ts";
import { leftovers, testFolder } from "../support/folders.ts";
import { copyGoldenShards } from "../support/golden.ts";

const execute = promisify(execFile);

/** Runs a module in the package's folder, where its own name resolves to dist. */
async function runModule(text: string): Promise<unknown> {
  const { stdout, stderr } = await execute(process.execPath, ["--input-type=module", "--eval", text], { cwd: ROOT });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

test("pe-cluster computes the entropy of the series in the paper of Bandt and Pompe", async () => {
  const values = await runModule(`
    import { permutationEntropy, ordinalPatternCounts, PeError } from "pe-cluster";
    const series = Float64Array.of(4, 7, 9, 10, 6, 11, 3);
    let code;
    try { permutationEntropy(series, 3, 9); } catch (error) { code = error instanceof PeError && error.code; }
    console.log(JSON.stringify([permutationEntropy(series, 3, 1), [...ordinalPatternCounts(series, 2, 1)], code]));
  `);
  // Patterns of order 3: 2 of 5 windows, 2 of 5, 1 of 5.
  const expected = -(0.8 * Math.log(0.4) + 0.2 * Math.log(0.2)) / Math.log(6);
  expect(values).toMatchObject([expect.closeTo(expected, 12), [4, 2], "PE_PARAMETER"]);
});

test("pe-cluster computes maps and renders them", async () => {
  const folder = await testFolder();
  const input = await copyGoldenShards(join(folder, "shards"));
  const output = join(folder, "maps.hdf5");
  const picture = join(folder, "map.svg");
  const report = await runModule(`
    import { writeFileSync } from "node:fs";
    import { computeMaps, renderMap } from "pe-cluster";
    const report = await computeMaps(${JSON.stringify({ input, output, orders: [3], delays: [1], measures: ["pe"], threads: 2 })});
    writeFileSync(${JSON.stringify(picture)}, renderMap({
      values: Float64Array.from({ length: 6 }, (_, cell) => cell / 5), xSize: 3, ySize: 2,
      xAxis: { label: "x" }, yAxis: { label: "y" }, title: "A map", colourBar: { label: "Entropy" },
    }));
    console.log(JSON.stringify(report));
  `);
  expect(report).toMatchObject({ grid: [5, 4], series: { computed: 20 }, problems: [] });
  expect(await readFile(picture, "utf8")).toContain("A map");
  expect(leftovers(folder)).toEqual([]);
});

test("pe-cluster is typed for its users", async () => {
  const folder = await testFolder();
  const entry = join(ROOT, "dist/index.d.ts");
  await writeFile(
    join(folder, "use.ts"),
    `import { permutationEntropy, type MapJobReport } from ${JSON.stringify(entry.replace(/\.d\.ts$/, ".js"))};
     export const value: number = permutationEntropy(new Float64Array(9), 3, 1);
     export const names = (report: MapJobReport): string[] => report.maps.map(({ name }) => name);`,
  );
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2023", "--skipLibCheck"];
  await execute(process.execPath, [compiler, ...options, "--types", "", join(folder, "use.ts")], { cwd: folder });
});
