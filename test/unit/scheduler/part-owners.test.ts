import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import type { LogLine } from "../../../common/log.ts";
import { PartOwners } from "../../../scheduler/part-owners.ts";
import { testFolder } from "../../support/folders.ts";
import { until } from "../../support/journal.ts";

let folder: string;
let lines: LogLine[];

beforeEach(async () => {
  folder = await testFolder();
  lines = [];
});

async function open(): Promise<PartOwners> {
  const owners = new PartOwners(folder, (line) => lines.push(line));
  await owners.open();
  return owners;
}

async function store(owners: PartOwners, job: string, ...parts: string[]): Promise<void> {
  for (const part of parts) {
    await owners.own(job, part);
    writeFileSync(join(folder, part), "x");
  }
}

const parts = (): string[] => readdirSync(folder).filter((name) => name !== ".jobs");

/** All that was to be removed is. */
async function removed(owners: PartOwners): Promise<void> {
  await until(() => readdirSync(join(folder, ".jobs")).every((name) => !name.startsWith("released")));
  await owners.close();
}

describe("PartOwners", () => {
  test("frees the parts of a released job that no other job needs", async () => {
    const owners = await open();
    await store(owners, "one", "a", "b");
    await store(owners, "two/with a name", "b", "c");
    writeFileSync(join(folder, "nobodys"), "x");
    owners.release("one");
    await removed(owners);
    expect(parts().toSorted()).toEqual(["b", "c", "nobodys"]);
    expect(lines).toEqual([]);
  });

  test("frees a part with the last of its jobs, also in a later life", async () => {
    await store(await open(), "one", "a");
    await store(await open(), "two", "a");
    const owners = await open();
    owners.release("one");
    owners.release("never there");
    owners.release("two");
    await removed(owners);
    expect(parts()).toEqual([]);
    expect(readdirSync(join(folder, ".jobs"))).toEqual([]);
  });

  test("goes on at the start with what a crash has left", async () => {
    const owners = await open();
    await store(owners, "one", "a", "b");
    await owners.close();
    const [job] = readdirSync(join(folder, ".jobs"));
    renameSync(join(folder, ".jobs", job!), join(folder, ".jobs", "released-0123456789abcdef"));
    await removed(await open());
    expect(parts()).toEqual([]);
  });

  test("keeps what a new job of the same id stores while the old one's parts are freed", async () => {
    const owners = await open();
    await store(owners, "one", "a", "b", "c");
    owners.release("one");
    await store(owners, "one", "b");
    await removed(owners);
    expect(parts()).toEqual(["b"]);
  });

  test("keeps the parts of jobs that it was told nothing about", async () => {
    await store(await open(), "one", "a");
    await (await open()).close();
    expect(existsSync(join(folder, "a"))).toBe(true);
  });

  test("says why parts stay", async () => {
    const owners = await open();
    await store(owners, "one", "a");
    mkdirSync(join(folder, "b"));
    await owners.own("one", "b");
    owners.release("one");
    await until(() => lines.length > 0);
    await owners.close();
    expect(lines[0]?.text).toContain("stay until the next start");
  });
});
