import { existsSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolders } from "../../../data/folders.ts";

describe("makeFolders()", () => {
  let root = "";
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "pe-folders-"));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  it("makes what is missing and leaves what is there", async () => {
    const deep = join(root, "a", "b", "c");
    await makeFolders(deep);
    await makeFolders(deep);
    expect((await stat(deep)).isDirectory()).toBe(true);
    await makeFolders("/");
  });

  it("may be called by many at once", async () => {
    const deep = join(root, "x", "y", "z");
    await Promise.all(Array.from({ length: 20 }, () => makeFolders(deep)));
    expect((await stat(deep)).isDirectory()).toBe(true);
  });

  it("makes folders with the mode that is asked for", async () => {
    await makeFolders(join(root, "private"), 0o700);
    expect((await stat(join(root, "private"))).mode & 0o777).toBe(0o700);
  });

  it("says so where a file stands in the way", async () => {
    await writeFile(join(root, "file"), "");
    await expect(makeFolders(join(root, "file", "below"))).rejects.toThrow("ENOTDIR");
  });

  it.runIf(existsSync("/proc/self"))("ends where the system lets nobody make a folder", async () => {
    await expect(makeFolders("/proc/pe-cluster/below")).rejects.toThrow("ENOENT");
  });
});
