/** A full disk: told as such at whatever point it fills, nothing old is lost, and with more room the run completes. */
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { HOOK_MS, runClient, runWell } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { compareMaps } from "../support/maps-files.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

const execute = promisify(execFile);
/** From too small for a manifest to too small for the report. */
const SIZES_KB = [4, 16, 48, 96, 160];

let input = "";
let clean = "";

beforeAll(async () => {
  const folder = await fileFolder();
  input = await simulateShardsInto(folder, 400);
  clean = join(folder, "clean.hdf5");
  await runWell(runArgs(input, clean, "--orders", "3-6", "--delays", "1-6"));
}, HOOK_MS);

/** Calls `use` with a small disk; undefined where none can be mounted. */
async function withDisk<Result>(use: (disk: string) => Promise<Result>): Promise<Result | undefined> {
  const disk = join(await testFolder(), "disk");
  await mkdir(disk);
  try {
    await execute("mount", ["-t", "tmpfs", "-o", `size=${SIZES_KB[0]}k`, "pe-test", disk]);
  } catch {
    return undefined;
  }
  try {
    return await use(disk);
  } finally {
    await execute("umount", [disk]);
  }
}

test("a run on a disk that fills says so, and completes after room is made", async ({ skip }) => {
  const failures = await withDisk(async (disk) => {
    const output = join(disk, "maps.hdf5");
    const args = runArgs(input, output, "--orders", "3-6", "--delays", "1-6");
    let failed = 0;
    for (const size of SIZES_KB) {
      await execute("mount", ["-o", `remount,size=${size}k`, disk]);
      const { status, stderr, stdout } = await runClient(args);
      const last = stderr.trimEnd().split("\n").at(-1);
      if (status === 0) continue;
      failed++;
      expect(last, `${size} kB`).toMatch(/^pe-client: .*\[PE_DISK_FULL\]$/);
      expect(status, `${size} kB`).toBe(74);
      expect(stdout).toBe("");
    }
    await execute("mount", ["-o", "remount,size=32m", disk]);
    await runWell(args);
    expect(await compareMaps(output, clean)).toEqual([]);
    expect(leftovers(disk)).toEqual([]);
    return failed;
  });
  if (failures === undefined) return skip("no small disk can be mounted here (needs root)");
  expect(failures).toBeGreaterThan(1);
});

test("an existing maps file survives a full disk", async ({ skip }) => {
  const done = await withDisk(async (disk) => {
    const output = join(disk, "maps.hdf5");
    await execute("mount", ["-o", "remount,size=32m", disk]);
    await runWell(runArgs(input, output));
    const before = join(await testFolder(), "before.hdf5");
    await execute("cp", [output, before]);
    const { stdout } = await execute("du", ["-sk", disk]);
    await execute("mount", ["-o", `remount,size=${Number.parseInt(stdout, 10) + 40}k`, disk]);
    const { status, stderr } = await runClient(runArgs(input, output, "--orders", "2-8", "--delays", "20-40"));
    expect(status, stderr).toBe(74);
    expect(await compareMaps(output, before)).toEqual([]);
    return true;
  });
  if (done === undefined) return skip("no small disk can be mounted here (needs root)");
});
