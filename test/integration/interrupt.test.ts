/** A run that is stopped, killed or tampered with goes on, computes what is missing, and gives the same bits. */
import { cp, readFile, rename, rm, truncate, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { MapJobReport } from "../../index.ts";
import { HOOK_MS, runClient, runWell } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { journalFiles, killUntilDone, stopAfterTasks, storedParts } from "../support/interrupted.ts";
import { compareMaps, mapsContent } from "../support/maps-files.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

/** Long enough in one thread that a signal after a few of its tasks comes before its end. */
const LONG = ["--measures", "weighted", "--orders", "6-8", "--delays", "1-16", "--threads", "1"];
const TRIES = 5;

let input = "";
let clean = "";
/** A work folder with some tasks finished, as a stop with Ctrl-C left it. */
let stopped = { output: "", work: "", stderr: "", finished: 0 };

function longArgs(output: string): string[] {
  return ["run", "--input", input, "--output", output, "--json", ...LONG];
}

beforeAll(async () => {
  const folder = await fileFolder();
  input = await simulateShardsInto(folder, 4000);
  clean = join(folder, "clean.hdf5");
  await runWell(longArgs(clean));
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const output = join(folder, `stopped-${attempt}.hdf5`);
    const { status, stderr, stdout } = await stopAfterTasks(longArgs(output), output, 4, "SIGINT");
    if (status === 0) continue;
    expect(status, stderr).toBe(130);
    expect(stdout).toBe("");
    const work = join(folder, "kept");
    await rename(`${output}.work`, work);
    stopped = { output, work, stderr, finished: (await storedParts(work)).length };
    return;
  }
  throw new Error(`of ${TRIES} runs each was over before it could be stopped`);
}, HOOK_MS);

/** Calls the stopped run again, with what it left as it was or tampered with; elsewhere if `moved`. */
async function goOn(
  tamper?: (work: string) => Promise<void>,
  moved = false,
): Promise<{ report: MapJobReport; output: string }> {
  const folder = await testFolder();
  const output = moved ? join(folder, "maps.hdf5") : stopped.output;
  await cp(stopped.work, `${output}.work`, { recursive: true });
  await tamper?.(`${output}.work`);
  const { stdout } = await runWell(longArgs(output));
  expect(await compareMaps(output, clean)).toEqual([]);
  expect(leftovers(join(output, "..")).filter((name) => !name.startsWith("kept"))).toEqual([]);
  await rm(output);
  return { report: JSON.parse(stdout) as MapJobReport, output };
}

describe("a stopped run", () => {
  test("says how far it came, where that is kept, and how to go on", () => {
    const told = stopped.stderr.trim().split("\n").at(-1)!;
    expect(told).toMatch(
      /^pe-client: Stopped after \d+ of \d+ tasks; .*run the same command again.* \[PE_INTERRUPTED\]$/,
    );
    expect(told).toContain(`${stopped.output}.work`);
    expect(Number(/after (\d+)/.exec(told)![1])).toBe(stopped.finished);
  });

  test("computes only the missing tasks when run again", async () => {
    const { report } = await goOn();
    expect(report.tasks.finishedBefore).toBe(stopped.finished);
    expect(report.tasks.total).toBeGreaterThan(stopped.finished);
    expect(report.series.computed).toBe(120);
  });

  test("goes on where its folder was moved to", async () => {
    const { report } = await goOn(undefined, true);
    expect(report.tasks.finishedBefore).toBe(stopped.finished);
  });

  test("goes on from its parts when the journal is altered", async () => {
    const { report } = await goOn(async (work) => {
      for (const file of await journalFiles(work)) {
        const bytes = await readFile(file);
        if (bytes.length > 0) bytes[bytes.length >> 1]! ^= 4;
        await writeFile(file, bytes);
      }
    });
    expect(report.tasks.finishedBefore).toBe(stopped.finished);
  });

  test("goes on from its parts when the journal is torn", async () => {
    const { report } = await goOn(async (work) => {
      for (const file of await journalFiles(work))
        await truncate(file, Math.max(0, (await stat(file)).size - 20)).catch(() => undefined);
    });
    expect(report.tasks.finishedBefore).toBe(stopped.finished);
  });

  test("computes tasks again whose parts are cut short, altered or gone", async () => {
    const { report } = await goOn(async (work) => {
      const [cut, flipped, gone] = (await storedParts(work)).map((name) => join(work, "parts", name));
      await truncate(cut!, (await stat(cut!)).size - 9);
      const bytes = await readFile(flipped!);
      bytes[bytes.length >> 1]! ^= 4;
      await writeFile(flipped!, bytes);
      await rm(gone!);
    });
    expect(report.tasks.finishedBefore).toBe(stopped.finished - 3);
  });

  test("finds parts that are stored though its journal is gone", async () => {
    const { report } = await goOn(async (work) => await rm(join(work, "journal"), { recursive: true }));
    expect(report.tasks.finishedBefore).toBe(stopped.finished);
    expect(report.series.now).toBeLessThan(report.series.computed);
  });

  test("leaves what another interrupted job has in the folder", async () => {
    const folder = await testFolder();
    const output = join(folder, "maps.hdf5");
    await cp(stopped.work, `${output}.work`, { recursive: true });
    await runWell(runArgs(input, output));
    expect(await storedParts(`${output}.work`)).toHaveLength(stopped.finished);
    const { stdout } = await runWell(longArgs(output));
    expect((JSON.parse(stdout) as MapJobReport).tasks.finishedBefore).toBe(stopped.finished);
    expect(leftovers(folder)).toEqual([]);
  });
});

test("a run that is killed at random moments gives every bit of a clean run", async () => {
  const folder = await testFolder();
  const output = join(folder, "maps.hdf5");
  const reference = join(folder, "reference.hdf5");
  await runWell(runArgs(input, reference));
  const { kills } = await killUntilDone(runArgs(input, output), 11, 700);
  expect(kills).toBeGreaterThan(0);
  expect(await compareMaps(output, reference)).toEqual([]);
  expect(leftovers(folder)).toEqual([]);
});

test("a thread that dies costs its task alone, which is named", async () => {
  const folder = await testFolder();
  const output = join(folder, "maps.hdf5");
  // Ends the pool thread that opens one shard, as a crash in native code would.
  const killer = join(folder, "killer.cjs");
  await writeFile(
    killer,
    `const fs = require("node:fs"), { isMainThread } = require("node:worker_threads");
     const open = fs.openSync;
     if (!isMainThread) fs.openSync = (path, ...rest) =>
       String(path).endsWith("raw_shard_006_003.hdf5") ? process.exit(7) : open(path, ...rest);
     require("node:module").syncBuiltinESMExports();`,
  );
  const env = { NODE_OPTIONS: `--require ${killer}` };
  const { status, stdout } = await runClient(runArgs(input, output, "--json"), { env });
  const report = JSON.parse(stdout) as MapJobReport;
  expect(status).toBe(65);
  expect(report.problems).toHaveLength(1);
  expect(report.problems[0]!.code).toBe("PE_TASK_POISON");
  expect(report.problems[0]!.message).toContain("raw_shard_006_003.hdf5");
  expect((await mapsContent(output)).blocks.get("m003t001 counts")).toEqual(["120 done, 9 failed"]);
  // The same command on a sound machine fills the hole.
  await runWell(runArgs(input, output));
  const reference = join(folder, "reference.hdf5");
  await runWell(runArgs(input, reference));
  expect(await compareMaps(output, reference)).toEqual([]);
});
