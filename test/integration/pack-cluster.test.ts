/** The bundle that hosts get, on a host that has Node and no npm. */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { ROOT } from "../support/client.ts";
import { testFolder } from "../support/folders.ts";
import { copyGoldenShards } from "../support/golden.ts";
import { makeBundle } from "../support/hosts/plays.ts";

const execute = promisify(execFile);
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };

test("pack:cluster makes a tarball that computes maps wherever it is unpacked", async () => {
  const folder = await testFolder();
  const bundle = await makeBundle(folder);
  const unpacked = join(folder, "un packed");
  mkdirSync(unpacked);
  execFileSync("tar", ["-xzf", bundle, "-C", unpacked]);
  for (const dependency of ["ws", "h5wasm", "piscina"])
    expect(existsSync(join(unpacked, "node_modules", dependency)), dependency).toBe(true);
  // What only those need who work on this package, and what is not the product's.
  for (const other of ["node_modules/typescript", "node_modules/vitest", "test", "common"])
    expect(existsSync(join(unpacked, other)), other).toBe(false);
  // As a host's package puts Node beside it.
  symlinkSync(process.execPath, join(unpacked, "node"));
  const run = async (name: string, ...args: string[]): Promise<string> =>
    (await execute(join(unpacked, "bin", name), args, { env: { PATH: "/usr/bin:/bin", HOME: folder }, cwd: "/" }))
      .stdout;
  for (const name of ["pe-client", "pe-scheduler", "pe-worker"])
    expect(await run(name, "--version")).toBe(`${version}\n`);
  const input = await copyGoldenShards(join(folder, "shards"));
  const output = join(folder, "maps.hdf5");
  await run(
    "pe-client",
    "run",
    "--input",
    input,
    "--output",
    output,
    "--orders",
    "3",
    "--delays",
    "1",
    "--threads",
    "1",
  );
  expect(await run("pe-client", "inspect", output)).toContain("m003t001");
});
