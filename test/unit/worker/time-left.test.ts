import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { parseSlurmTime, readTimeLeft } from "../../../worker/time-left.ts";

describe("parseSlurmTime()", () => {
  test.each([
    ["0:00", 0],
    ["59", 59_000],
    ["4:59", 299_000],
    ["3:59:59", 14_399_000],
    ["1-00:00:00", 86_400_000],
    ["12-3:00:01", 1_047_601_000],
    ["UNLIMITED", Infinity],
  ])("reads %s", (text, ms) => {
    expect(parseSlurmTime(text)).toBe(ms);
  });

  test.each(["", "INVALID", "NOT_SET", "4:5", "-1:00"])('refuses "%s"', (text) => {
    expect(() => parseSlurmTime(text)).toThrow(`squeue says "${text}" of the time that is left`);
  });
});

describe("readTimeLeft()", () => {
  const ENVIRONMENT = { SLURM_JOB_ID: "4711" };

  test("takes a time, and Unix seconds", async () => {
    const soon = Date.now() + 100_000;
    for (const until of [new Date(soon).toISOString(), String(Math.round(soon / 1000))]) {
      const leftMs = await readTimeLeft(until, ENVIRONMENT)();
      expect(leftMs).toBeGreaterThan(90_000);
      expect(leftMs).toBeLessThan(101_000);
    }
  });

  test("asks squeue for the one of an array that it is, and takes what Slurm told the job where there is no squeue", async () => {
    const folder = await mkdtemp(join(tmpdir(), "pe-squeue-"));
    try {
      await writeFile(join(folder, "squeue"), '#!/bin/sh\necho "$@" > "$0.asked"\necho 1:00\n', { mode: 0o755 });
      const array = { ...ENVIRONMENT, SLURM_ARRAY_JOB_ID: "4711", SLURM_ARRAY_TASK_ID: "3" };
      vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
      for (const [environment, job] of [
        [ENVIRONMENT, "4711"],
        [array, "4711_3"],
      ] as const) {
        expect(await readTimeLeft(undefined, environment)()).toBe(60_000);
        expect(await readFile(join(folder, "squeue.asked"), "utf8")).toContain(`--jobs=${job} `);
      }
      vi.stubEnv("PATH", join(folder, "nothing"));
      await expect(readTimeLeft(undefined, array)()).rejects.toThrow("ENOENT");
      const end = String(Math.round(Date.now() / 1000) + 100);
      const leftMs = await readTimeLeft(undefined, { ...array, SLURM_JOB_END_TIME: end })();
      expect(leftMs).toBeGreaterThan(90_000);
      expect(leftMs).toBeLessThan(101_000);
    } finally {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true });
    }
  });

  test("has no end outside of Slurm, and with never", async () => {
    expect(await readTimeLeft(undefined, {})()).toBe(Infinity);
    expect(await readTimeLeft("never", ENVIRONMENT)()).toBe(Infinity);
  });

  test("refuses what is no time", () => {
    expect(() => readTimeLeft("soon", {})).toThrow("Cannot read --until soon: expected a time");
  });
});
