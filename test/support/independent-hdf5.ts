/** Readers of HDF5 that are not ours: h5py (Debian: python3-h5py) and h5dump (hdf5-tools). */
import { spawnSync } from "node:child_process";
import type { TestContext } from "vitest";

const PYTHONS = ["/usr/bin/python3", "python3"];

const python = PYTHONS.find((path) => spawnSync(path, ["-c", "import h5py, numpy"]).status === 0);
const H5DUMP = "h5dump";
const hasH5dump = spawnSync(H5DUMP, ["--version"]).status === 0;

/** Output of a Python script with h5py, parsed as JSON; skips the test where there is none. */
export function withH5py(context: TestContext, script: string, ...args: string[]): unknown {
  if (python === undefined) context.skip("python3-h5py is not installed");
  const run = spawnSync(python, ["-c", script, ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

/** Output of h5dump; skips the test where there is none. */
export function withH5dump(context: TestContext, ...args: string[]): string {
  if (!hasH5dump) context.skip("hdf5-tools are not installed");
  const run = spawnSync(H5DUMP, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(run.stderr);
  return run.stdout;
}
