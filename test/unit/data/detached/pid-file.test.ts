/** Pid files of processes that go on by themselves. */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { holdPidFile, isHeld, pidIn } from "../../../../data/detached/pid-file.ts";
import { testFolder } from "../../../support/folders.ts";

describe("holdPidFile()", () => {
  test("has the number of the process in the file from when it is up until it leaves, and the lock until its end", async () => {
    const path = join(await testFolder(), "deep", "first.pid");
    const held = await holdPidFile(path);
    expect(existsSync(path)).toBe(false);
    expect(await isHeld(path)).toBe(true);
    expect(await pidIn(path)).toBeUndefined();
    await held.announce();
    expect(await readFile(path, "utf8")).toBe(`${process.pid}\n`);
    expect(await pidIn(path)).toBe(process.pid);
    await held.withdraw();
    expect(existsSync(path)).toBe(false);
    expect(await isHeld(path)).toBe(true);
    expect(await pidIn(path)).toBeUndefined();
  });

  test("refuses a file that a living process has", async () => {
    const path = join(await testFolder(), "second.pid");
    await holdPidFile(path);
    await expect(holdPidFile(path)).rejects.toMatchObject({
      code: "PE_OUTPUT_BUSY",
      message: expect.stringContaining(`it belongs to process ${process.pid}`) as string,
    });
  });
});

describe("pidIn()", () => {
  test("finds nobody in a file that nobody holds, even when a process has that number by now", async () => {
    const path = join(await testFolder(), "left-behind.pid");
    await writeFile(path, `${process.pid}\n`);
    expect(await pidIn(path)).toBeUndefined();
    expect(await pidIn(join(await testFolder(), "missing", "third.pid"))).toBeUndefined();
  });

  test("takes nothing but a number for one", async () => {
    const path = join(await testFolder(), "one.pid");
    await holdPidFile(path);
    for (const text of ["", "12", "0\n", "-1\n", "99999999999\n", "12\n13\n"]) {
      await writeFile(path, text);
      expect(await pidIn(path), text).toBeUndefined();
    }
    await writeFile(path, "12\n");
    expect(await pidIn(path)).toBe(12);
  });
});
