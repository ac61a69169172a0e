import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { dwellIn, makeScratchFolder } from "../../../data/scratch-folder.ts";
import { testFolder } from "../../support/folders.ts";

/** The same name, of a process that has ended. */
function ofTheDead(name: string): string {
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  return name.replace(`-${process.pid}-`, `-${pid}-`);
}

describe("makeScratchFolder()", () => {
  test("makes a folder that only its user can look into", async () => {
    const parent = await testFolder();
    const folder = makeScratchFolder(parent, "pe-test-");
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(makeScratchFolder(parent, "pe-test-")).not.toBe(folder);
    expect(readdirSync(parent)).toHaveLength(2);
  });

  test("removes those of processes that are gone, and no other folder", async () => {
    const parent = await testFolder();
    const alive = basename(makeScratchFolder(parent, "pe-test-"));
    const dead = ofTheDead(alive);
    const ofOthers = [ofTheDead(alive).replace("pe-test-", "pe-other-"), "pe-test-notes"];
    for (const name of [dead, ...ofOthers]) mkdirSync(join(parent, name));
    writeFileSync(join(parent, dead, "large.hdf5"), "x");
    const made = basename(makeScratchFolder(parent, "pe-test-"));
    expect(readdirSync(parent).toSorted()).toEqual([alive, made, ...ofOthers].toSorted());
  });

  test("leaves a folder whose maker is gone while another process dwells in it", async () => {
    const parent = await testFolder();
    const name = ofTheDead(basename(makeScratchFolder(parent, "pe-test-")));
    mkdirSync(join(parent, name));
    dwellIn(join(parent, name));
    makeScratchFolder(parent, "pe-test-");
    expect(readdirSync(parent)).toContain(name);
  });

  test("says where it cannot make one", async () => {
    const parent = join(await testFolder(), "nowhere");
    expect(() => makeScratchFolder(parent, "pe-test-")).toThrow(
      expect.objectContaining({ code: "PE_OUTPUT_UNWRITABLE", message: expect.stringContaining(parent) as string }),
    );
  });
});
