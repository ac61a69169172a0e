import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createKinds } from "../../../tasks/registry.ts";
import { decodeJobCommon, encodeJobCommon } from "../../../tasks/job-common.ts";
import { encodeValue } from "../../../protocol/values.ts";
import { TEST_KINDS } from "../../support/built.ts";
import { testFolder } from "../../support/folders.ts";

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await testFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

describe("createKinds()", () => {
  test("lists the kinds of this program and of folders by name, each with a version", async () => {
    const kinds = await createKinds({ folders: [TEST_KINDS] });
    const names = kinds.list().map(({ name }) => name);
    expect(names).toEqual(names.toSorted());
    expect(names).toEqual(expect.arrayContaining(["add", "noop", "pe", "simulate"]));
    expect(kinds.version("add")).toMatch(/^1\+[0-9a-f]{16}$/);
    expect(kinds.version("nothing")).toBeUndefined();
    await expect(kinds.load("nothing")).rejects.toMatchObject({ code: "PE_KIND" });
    expect((await kinds.load("pe")).name).toBe("pe");
  });

  test("gives a file the kernel, PeError and valibot", async () => {
    const folder = await folderWith({
      "api.js": `export default (api) => ({
        name: "api", version: "1",
        run: () => [typeof api.permutationEntropy, typeof api.createSweep, typeof api.PeError, typeof api.valibot.object],
      });`,
    });
    const kind = await (await createKinds({ folders: [folder] })).load("api");
    expect(kind.run(undefined, undefined as never)).toEqual(["function", "function", "function", "function"]);
  });

  test("takes another content of a file for another version, and the same for the same wherever it lies", async () => {
    const [one, two] = [await testFolder(), await testFolder()];
    for (const folder of [one, two]) await copyFile(join(TEST_KINDS, "noop.js"), join(folder, "noop.js"));
    const version = async (folder: string) => (await createKinds({ folders: [folder] })).version("noop");
    expect(await version(one)).toBe(await version(two));
    await writeFile(join(two, "noop.js"), 'export default () => ({ name: "noop", version: "1", run: () => 1 });');
    expect(await version(one)).not.toBe(await version(two));
  });

  test("leaves other files, hidden ones and folders alone", async () => {
    const folder = await folderWith({ "notes.txt": "x", ".hidden.js": "syntax error", "kind.mjs": GOOD });
    await mkdir(join(folder, "more"));
    expect((await createKinds({ folders: [folder] })).version("good")).toBeDefined();
  });

  test.each([
    ["export default 5;", "its default export is no function"],
    ["this is no code", ""],
    ['export default () => { throw new Error("no gpu"); };', "no gpu"],
    ['export default () => ({ name: "two words", version: "1", run() {} });', 'name is "two words"'],
    ['export default () => ({ name: "a", version: 1, run() {} });', "version is a number"],
    ['export default () => ({ name: "a", version: "1" });', "run is no function"],
    ['export default () => ({ name: "pe", version: "1", run() {} });', "taken by this program"],
  ])("names the file of %s", async (text, reason) => {
    const folder = await folderWith({ "kind.js": text });
    await expect(createKinds({ folders: [folder] })).rejects.toMatchObject({
      code: "PE_KIND",
      message: expect.stringMatching(new RegExp(`kind\\.js.*${reason}`, "s")),
    });
  });

  test("names both files that have one name, and a folder that is not there", async () => {
    const folder = await folderWith({ "a.js": GOOD, "b.js": GOOD });
    await expect(createKinds({ folders: [folder] })).rejects.toThrow(/b\.js.*a\.js/);
    await expect(createKinds({ folders: [join(folder, "none")] })).rejects.toMatchObject({ code: "PE_KIND" });
  });
});

const GOOD = 'export default () => ({ name: "good", version: "1", run: () => 1 });';

describe("decodeJobCommon()", () => {
  test("gives what encodeJobCommon() was given, and nothing for no bytes", () => {
    const common = { parts: "file:///parts", common: { orders: [3], window: undefined } };
    expect(decodeJobCommon(encodeJobCommon(common))).toEqual(common);
    expect(decodeJobCommon(new Uint8Array(0))).toEqual({ parts: null, common: undefined });
  });

  test("refuses other values", () => {
    expect(() => decodeJobCommon(encodeValue({ parts: 5 }))).toThrow("common part of a job");
    expect(() => decodeJobCommon(Uint8Array.of(0xdb, 1))).toThrow("Cannot decode a value");
  });
});
