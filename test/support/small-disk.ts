/** A disk that is soon full. */
import { spawnSync } from "node:child_process";
import type { TestContext } from "vitest";
import { testFolder } from "./folders.ts";

const [MOUNT, UNMOUNT] = ["mount", "umount"];

/** Mounts a file system of `size` (such as `64k`) in memory; skips the test where that takes rights it does not have. */
export async function withSmallDisk(
  context: TestContext,
  size: string,
  act: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await testFolder();
  const mounted = spawnSync(MOUNT, ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]);
  if (mounted.status !== 0) context.skip("a small file system cannot be mounted here: that takes root on Linux");
  try {
    await act(folder);
  } finally {
    spawnSync(UNMOUNT, [folder]);
  }
}
