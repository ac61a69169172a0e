/** A run that is stopped, killed or tampered with goes on, computes what is missing, and gives the same bits. */
import { cp, readFile, readdir, rm, truncate, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { MapJobReport } from "../../index.ts";
import { HOOK_MS, runClient, runWell } from "../support/client.ts";
import { fileFolder, leftovers, testFolder } from "../support/folders.ts";
import { finishedFile, finishedLines, killUntilDone, stopAfterTasks } from "../support/interrupted.ts";
import { compareMaps, mapsContent } from "../support/maps-files.ts";
import { runArgs, simulateShardsInto } from "../support/simulated.ts";

/** Long enough in one thread that a signal after a few of its tasks comes before its end. */
const LONG = ["--measures", "weighted", "--orders", "6-8", "--delays", "1-16", "--threads", "1"];
const TRIES = 5;

let input = "";
let clean = "";
/** A work folder with some tasks finished, as a stop with Ctrl-C left it. */
let stopped = { work: "", stderr: "", finished: 0, tasks: 0 };

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
    const work = `${output}.work`;
    const tasks = Number(/of (\d+) tasks/.exec(stderr)![1]);
    stopped = { work, stderr, finished: (await finishedLines(work)).length, tasks };
    return;
  }
  throw new Error(`of ${TRIES} runs each was over before it could be stopped`);
}, HOOK_MS);

/** The stopped run under a name of its own. */
async function goOn(tamper?: (work: string) => Promise<void>): Promise<{ report: MapJobReport; output: string }> {
  const folder = await testFolder();
  const output = join(folder, "maps.hdf5");
  await cp(stopped.work, `${output}.work`, { recursive: true });
  await tamper?.(`${output}.work`);
  const { stdout } = await runWell(longArgs(output));
  expect(await compareMaps(output, clean)).toEqual([]);
  expect(leftovers(folder)).toEqual([]);
  return { report: JSON.parse(stdout) as MapJobReport, output };
}

/** Paths of the parts in the order in which they were finished. */
async function partsOf(work: string): Promise<string[]> {
  const lines = await finishedLines(work);
  return lines.map((line) => join(work, "parts", /"part":"([^"]+)"/.exec(line)![1]!));
}

describe("a stopped run", () => {
  test("says how far it came, where that is kept, and how to go on", () => {
    const told = stopped.stderr.trim().split("\n").at(-1)!;
    expect(told).toMatch(
      /^pe-client: Stopped after \d+ of \d+ tasks; .*run the same command again.* \[PE_INTERRUPTED\]$/,
    );
    expect(told).toContain(stopped.work);
    expect(Number(/after (\d+)/.exec(told)![1])).toBe(stopped.finished);
  });

  test("computes only the missing tasks when run again", async () => {
    const { report } = await goOn();
    expect(report.tasks.finishedBefore).toBe(stopped.finished);
    expect(report.tasks.total).toBeGreaterThan(stopped.finished);
    expect(report.series.computed).toBe(120);
  });

  test("computes tasks again whose lines in finished.jsonl are altered or torn", async () => {
    const { report } = await goOn(async (work) => {
      const file = (await finishedFile(work))!;
      const [first, ...rest] = await finishedLines(work);
      // Would pass for the last task, whose cells would then be the first one's.
      const altered = first!.replace(/"index":\d+/, `"index":${stopped.tasks - 1}`);
      expect(altered).not.toBe(first);
      const text = [altered, "null", "{}", ...rest].join("\n");
      await writeFile(file, text.slice(0, -20));
    });
    expect(report.tasks.finishedBefore).toBe(stopped.finished - 2);
  });

  test("computes tasks again whose parts are cut short, altered or gone", async () => {
    const { report } = await goOn(async (work) => {
      const [cut, flipped, gone] = await partsOf(work);
      await truncate(cut!, (await stat(cut!)).size - 9);
      const bytes = await readFile(flipped!);
      bytes[bytes.length >> 1]! ^= 4;
      await writeFile(flipped!, bytes);
      await rm(gone!);
    });
    expect(report.tasks.finishedBefore).toBe(stopped.finished - 3);
  });

  test("finds parts that are stored though its list of finished tasks is gone", async () => {
    const { report } = await goOn(async (work) => {
      const job = (await readdir(work)).find((name) => name !== "parts")!;
      await rm(join(work, job), { recursive: true });
    });
    expect(report.tasks.finishedBefore).toBe(0);
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
  expect(report.problems[0]!.code).toBe("PE_TASK_FAILED");
  expect(report.problems[0]!.message).toContain("raw_shard_006_003.hdf5");
  expect((await mapsContent(output)).blocks.get("m003t001 counts")).toEqual(["120 done, 9 failed"]);
  // The same command on a sound machine fills the hole.
  await runWell(runArgs(input, output));
  const reference = join(folder, "reference.hdf5");
  await runWell(runArgs(input, reference));
  expect(await compareMaps(output, reference)).toEqual([]);
});
