import { spawnSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { asWriteError, replaceDurably, writeDurably } from "../../../data/durable.ts";
import { testFolder } from "../../support/folders.ts";
import { withSmallDisk } from "../../support/small-disk.ts";

const HOST = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

/** The id of a process that is gone. */
function deadPid(): number {
  return spawnSync("true").pid;
}

describe("writeDurably()", () => {
  it("writes and replaces a file, and leaves nothing else", async () => {
    const folder = await testFolder();
    const path = join(folder, "größe  one.txt");
    await writeDurably(path, Buffer.from("old"));
    await writeDurably(path, Buffer.from("new"));
    expect(await readFile(path, "utf8")).toBe("new");
    expect(await readdir(folder)).toEqual(["größe  one.txt"]);
  });

  it("says that the folder is missing, that a folder is in the way, that a part of the path is a file", async () => {
    const folder = await testFolder();
    await mkdir(join(folder, "taken"));
    await writeFile(join(folder, "file"), "");
    const refusals: [string, string][] = [
      ["none/a.txt", "its folder does not exist"],
      ["taken", "a folder has that name"],
      ["file/a.txt", "a part of its path is a file"],
      ["a".repeat(300), "the name is too long"],
    ];
    for (const [name, reason] of refusals)
      await expect(writeDurably(join(folder, name), Buffer.from("x"))).rejects.toMatchObject({
        code: "PE_OUTPUT_UNWRITABLE",
        message: expect.stringContaining(reason),
      });
  });

  it("says that there is no permission", async (context) => {
    if (process.getuid?.() === 0) context.skip("root may write everywhere");
    const folder = await testFolder();
    await chmod(folder, 0o500);
    await expect(writeDurably(join(folder, "a.txt"), Buffer.from("x"))).rejects.toMatchObject({
      code: "PE_OUTPUT_UNWRITABLE",
      message: expect.stringContaining("no permission"),
    });
  });

  it("says that the disk is full, and keeps the old file", async (context) => {
    await withSmallDisk(context, "64k", async (folder) => {
      const path = join(folder, "a.txt");
      await writeDurably(path, Buffer.from("old"));
      await expect(writeDurably(path, Buffer.alloc(1 << 20))).rejects.toMatchObject({ code: "PE_DISK_FULL" });
      expect(await readFile(path, "utf8")).toBe("old");
      expect(await readdir(folder)).toEqual(["a.txt"]);
    });
  });
});

describe("replaceDurably()", () => {
  it("keeps the old file and removes the temporary one when the writer throws", async () => {
    const folder = await testFolder();
    const path = join(folder, "a.txt");
    await writeDurably(path, Buffer.from("old"));
    const failing = replaceDurably(path, async (temporary) => {
      await writeFile(temporary, "half of the n");
      throw new Error("no more");
    });
    await expect(failing).rejects.toThrow("no more");
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(folder)).toEqual(["a.txt"]);
  });

  it("gives temporary files a hidden name that tells the target, the host and the process", async () => {
    const path = join(await testFolder(), "maps.hdf5");
    await replaceDurably(path, async (temporary) => {
      expect(temporary).toMatch(new RegExp(`/\\.maps\\.hdf5\\.${HOST}-${process.pid}-[0-9a-f]{8}\\.tmp$`));
      await writeFile(temporary, "x");
    });
  });

  it("removes what a killed process left, not what a living one writes, nor another host's", async () => {
    const folder = await testFolder();
    const dead = `.maps.hdf5.${HOST}-${deadPid()}-00000000.tmp`;
    const others = [
      `.maps.hdf5.${HOST}-${process.pid}-00000000.tmp`,
      ".maps.hdf5.00000000-1-00000000.tmp",
      ".maps.hdf5.mine.tmp",
    ];
    for (const name of [dead, ...others]) await writeFile(join(folder, name), "");
    await writeDurably(join(folder, "maps.hdf5"), Buffer.from("new"));
    expect((await readdir(folder)).toSorted()).toEqual([...others, "maps.hdf5"].toSorted());
    await rm(folder, { recursive: true });
  });
});

describe("asWriteError()", () => {
  it("leaves errors that are none of the file system as they are", () => {
    const error = new Error("a bug");
    expect(asWriteError(error, "a")).toBe(error);
  });
  it.each(["ENOSPC", "EDQUOT"])("calls %s a full disk", (code) => {
    expect(asWriteError(Object.assign(new Error("x"), { code }), "a")).toMatchObject({ code: "PE_DISK_FULL" });
  });
  it.each(["EROFS", "EACCES", "EPERM", "ENOENT", "EISDIR"])("says what to do about %s", (code) => {
    expect(asWriteError(Object.assign(new Error("x"), { code }), "a")).toMatchObject({
      code: "PE_OUTPUT_UNWRITABLE",
      message: expect.stringMatching(/^Cannot write "a": .*; .*name another output$/),
    });
  });
});
