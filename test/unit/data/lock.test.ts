import { spawnSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { acquireLock, isLocked } from "../../../data/lock.ts";
import { testFolder } from "../../support/folders.ts";

const METHODS = process.platform === "linux" ? (["socket", "file"] as const) : (["file"] as const);

describe.each(METHODS)("acquireLock() by %s", (method) => {
  it("lets one in, says who it is to the next, and lets that in once it is released", async () => {
    const path = join(await testFolder(), "maps  one.hdf5");
    expect(await isLocked(path, { method })).toBe(false);
    const first = await acquireLock(path, { method });
    expect(await isLocked(path, { method })).toBe(true);
    await expect(acquireLock(path, { method })).rejects.toMatchObject({
      code: "PE_OUTPUT_BUSY",
      message: expect.stringContaining(`process ${process.pid}, since `),
    });
    await first.release();
    await first.release();
    expect(await isLocked(path, { method })).toBe(false);
    const second = await acquireLock(path, { method });
    await second.release();
  });

  it("does not lock other files of the folder, nor the same name in another", async () => {
    const folder = await testFolder();
    await mkdir(join(folder, "sub"));
    const paths = ["a", "b", "sub/a"].map((name) => join(folder, name));
    const locks = await Promise.all(paths.map((path) => acquireLock(path, { method })));
    for (const lock of locks) await lock.release();
  });

  it("knows a folder by whatever path", async () => {
    const folder = await testFolder();
    await mkdir(join(folder, "real"));
    await symlink(join(folder, "real"), join(folder, "link"));
    const lock = await acquireLock(join(folder, "real", "a"), { method });
    await expect(acquireLock(join(folder, "link", "a"), { method })).rejects.toMatchObject({ code: "PE_OUTPUT_BUSY" });
    await lock.release();
  });

  it("leaves no file behind", async () => {
    const folder = await testFolder();
    await (await acquireLock(join(folder, "a"), { method })).release();
    expect(await readdir(folder)).toEqual([]);
  });

  it("says that the folder is missing", async () => {
    const path = join(await testFolder(), "none", "a");
    await expect(acquireLock(path, { method })).rejects.toMatchObject({ code: "PE_OUTPUT_UNWRITABLE" });
  });
});

describe("acquireLock()", () => {
  it("takes over the lock file of a process that is gone", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, ".a.lock"), `process ${spawnSync("true").pid}, since yesterday`);
    const lock = await acquireLock(join(folder, "a"), { method: "file" });
    await lock.release();
  });

  it("respects a lock file that it cannot read", async () => {
    const folder = await testFolder();
    await writeFile(join(folder, ".a.lock"), "");
    await expect(acquireLock(join(folder, "a"), { method: "file" })).rejects.toMatchObject({
      code: "PE_OUTPUT_BUSY",
      message: expect.stringContaining("another process, which does not say which"),
    });
  });
});
