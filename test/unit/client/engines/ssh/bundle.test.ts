import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { installed } from "../../../../../client/engines/ssh/bundle.ts";
import { testFolder } from "../../../../support/folders.ts";

function write(folder: string, files: Readonly<Record<string, unknown>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), typeof content === "string" ? content : JSON.stringify(content));
  }
}

const TOP = {
  name: "top",
  version: "1.0.0",
  dependencies: { one: "1", "@a/two": "1" },
  devDependencies: { tool: "1" },
};

describe("installed()", () => {
  test("has the built package and what it needs, in the folder of a repository", async () => {
    const folder = await testFolder();
    write(folder, {
      "package.json": TOP,
      "dist/main.js": "main",
      "README.md": "",
      "node_modules/one/package.json": { name: "one", dependencies: { three: "1", absent: "1" } },
      "node_modules/one/node_modules/three/package.json": { name: "three" },
      "node_modules/@a/two/package.json": {
        name: "@a/two",
        peerDependencies: { tool: "1" },
        peerDependenciesMeta: { tool: { optional: true } },
      },
      "node_modules/tool/package.json": { name: "tool" },
    });
    const { base, paths, id } = await installed(folder);
    expect([base, paths]).toEqual([folder, ["dist", "node_modules/@a/two", "node_modules/one", "package.json"]]);
    write(folder, { "README.md": "changed" });
    expect((await installed(folder)).id).toBe(id);
    write(folder, { "dist/main.js": "changed" });
    expect((await installed(folder)).id).not.toBe(id);
  });

  test("finds packages beside it, where npm put them for somebody else's project", async () => {
    const folder = await testFolder();
    write(folder, {
      "package.json": { name: "project" },
      "node_modules/top/package.json": TOP,
      "node_modules/top/dist/main.js": "main",
      "node_modules/one/package.json": { name: "one" },
      "node_modules/@a/two/package.json": { name: "@a/two" },
    });
    const { base, paths } = await installed(join(folder, "node_modules", "top"));
    const names = ["@a/two", "one", "top/dist", "top/package.json"].map((name) => `node_modules/${name}`);
    expect([base, paths]).toEqual([folder, names]);
  });

  test("refuses links, which would lead nowhere on a host", async () => {
    const folder = await testFolder();
    write(folder, { "package.json": TOP, "dist/main.js": "", "elsewhere/package.json": { name: "one" } });
    mkdirSync(join(folder, "node_modules"));
    symlinkSync("../elsewhere", join(folder, "node_modules", "one"));
    await expect(installed(folder)).rejects.toThrow(
      /one" is a link; give a tarball made by npm run pack:cluster with --package/,
    );
  });
});
