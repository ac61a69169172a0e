/** The plays of ansible/ as text: what ansible and ansible-lint say of them. */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/client.ts";
import { fileFolder } from "../support/folders.ts";
import { hasProgram } from "../support/s3/server.ts";

const FOLDER = join(ROOT, "ansible");
const plays = readdirSync(FOLDER).filter((name) => name.endsWith(".yml"));

/** Runs a program of Ansible there, with temporary files in a folder of the test. */
async function run(program: string, ...args: readonly string[]): Promise<{ status: number | null; said: string }> {
  const own = await fileFolder();
  const env = { ...process.env, ANSIBLE_LOCAL_TEMP: own, XDG_CACHE_HOME: own, LANG: "C.UTF-8" };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: FOLDER, env, encoding: "utf8" });
  return { status, said: stdout + stderr };
}

describe.skipIf(!hasProgram("ansible-playbook"))("ansible-playbook --syntax-check", () => {
  test.each(plays)("finds nothing wrong with %s", async (play) => {
    const { status, said } = await run("ansible-playbook", "--syntax-check", "-i", "hosts.example", play);
    expect(status, said).toBe(0);
  });
});

describe.skipIf(!hasProgram("ansible-lint"))("ansible-lint", () => {
  test("finds nothing wrong with plays and roles", async () => {
    const { status, said } = await run("ansible-lint", "--nocolor", "-p");
    expect(status, said).toBe(0);
  });
});
