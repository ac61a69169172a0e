import { expect, test } from "vitest";
import { partName, partOfTask } from "../../../../tasks/pe/part-name.ts";
import type { PeManifest } from "../../../../tasks/pe/schema.ts";

const common = { orders: [3, 4], delays: [1, 90], measures: ["pe" as const], length: 600 };
const key = { version: "pe 1", common, format: "hdf5", file: "a.hdf5", rows: { start: 0 }, sha256: "ab" } as const;

test("partName() depends on everything that decides the bytes, and not on the sequence of its fields", () => {
  const name = partName(key);
  expect(name).toMatch(/^pe-[0-9a-f]{40}$/);
  const { length, ...rest } = common;
  expect(partName({ ...key, common: { length, ...rest } })).toBe(name);
  const others = [
    { ...key, version: "pe 2" },
    { ...key, common: { ...common, delays: [1] } },
    { ...key, common: { ...common, window: { x: { start: 0, stop: 1 }, y: { start: 0, stop: 1 } } } },
    { ...key, format: "text" as const },
    { ...key, file: "b.hdf5" },
    { ...key, rows: { start: 0, stop: 5 } },
    { ...key, sha256: "cd" },
  ];
  expect(new Set([name, ...others.map(partName)]).size).toBe(others.length + 1);
});

test("partName() gives the names that version 0.1 gave", () => {
  expect(partName(key)).toBe("pe-b8ba49400cc6581fe53dd6ceb4aeab876977ed42");
});

test("partOfTask() names the part of a task of a manifest", () => {
  const manifest: PeManifest = {
    version: "pe 1",
    source: {
      root: "/data",
      format: "hdf5",
      digest: "0",
      files: [{ name: "a.hdf5", path: "/data/a.hdf5", bytes: 1, modifiedMs: 1 }],
    },
    grid: { xSize: 3, ySize: 3 },
    common,
    shards: [{ start: 0, stop: 1 }],
    tasks: [
      [0, 0, 5],
      [0, 5, -1],
    ],
  };
  expect(partOfTask(manifest, 0, "ab")).toBe(partName({ ...key, rows: { start: 0, stop: 5 } }));
  expect(partOfTask(manifest, 1, "ab")).toBe(partName({ ...key, rows: { start: 5 } }));
});
