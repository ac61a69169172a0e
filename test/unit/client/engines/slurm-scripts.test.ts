import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { ManagedCluster } from "../../../../client/engines/engine.ts";
import {
  sbatchArguments,
  schedulerJobOptions,
  schedulerScript,
  workerJobOptions,
  workerScript,
  type SlurmOptions,
} from "../../../../client/engines/slurm-scripts.ts";

const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** A folder whose name a shell would cut and expand. */
async function strangeFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "pe it's $HOME %j-"));
  folders.push(folder);
  return folder;
}

function clusterIn(folder: string, options: Partial<SlurmOptions> = {}, workerArguments: string[] = []) {
  return {
    name: "lab",
    folder,
    workers: 2,
    port: undefined,
    workerArguments,
    options: { schedulerInJob: false, node: "node", sbatch: [], ...options },
    kept: () => ({ id: "0123abcd" }),
    keep: async () => await Promise.resolve(),
    tell: () => undefined,
  } satisfies ManagedCluster<SlurmOptions>;
}

/** Runs a script with a Node that tells its arguments. */
async function argumentsOf(
  script: (node: string) => string,
  folder: string,
  env: Record<string, string>,
): Promise<string[]> {
  const node = join(folder, "the node");
  await writeFile(node, '#!/bin/sh\nfor one in "$@"; do echo "$one"; done\n');
  await chmod(node, 0o755);
  const { PATH } = process.env;
  const { stdout, stderr } = spawnSync("sh", [], { input: script(node), encoding: "utf8", env: { PATH, ...env } });
  expect(stderr).toBe("");
  return stdout.trimEnd().split("\n").slice(1);
}

const JOB = { SLURM_ARRAY_JOB_ID: "17", SLURM_ARRAY_TASK_ID: "3" };

describe("workerScript()", () => {
  test("gives a worker its name, its access, and what Slurm gives the job", async () => {
    const folder = await strangeFolder();
    const of = async (env: object, ...more: string[]): Promise<string[]> =>
      await argumentsOf((node) => workerScript(clusterIn(folder, { node }, more)), folder, { ...JOB, ...env });
    const own = ["--access-file", join(folder, "worker-access.json"), "--name", "lab-17_3"];
    expect(await of({})).toEqual([...own, "--threads", "1"]);
    expect(await of({ SLURM_CPUS_ON_NODE: "8" })).toEqual([...own, "--threads", "8"]);
    expect(await of({ SLURM_CPUS_ON_NODE: "8", SLURM_CPUS_PER_TASK: "4", SLURM_MEM_PER_NODE: "1000" })).toEqual([
      ...own,
      "--threads",
      "4",
      "--memory-limit",
      "900MiB",
    ]);
    expect(await of({ SLURM_CPUS_ON_NODE: "2", SLURM_MEM_PER_CPU: "2000" })).toEqual([
      ...own,
      "--threads",
      "2",
      "--memory-limit",
      "3600MiB",
    ]);
    // All of the node's.
    expect(await of({ SLURM_MEM_PER_NODE: "0" })).toEqual([...own, "--threads", "1"]);
  });

  test("leaves what was asked for as it is", async () => {
    const folder = await strangeFolder();
    const asked = ["--threads", "16", "--memory-limit", "4GB", "--kinds", "/my kinds/it's"];
    const script = (node: string): string => workerScript(clusterIn(folder, { node, leaveWithin: "90" }, asked));
    const found = await argumentsOf(script, folder, { ...JOB, SLURM_CPUS_PER_TASK: "4", SLURM_MEM_PER_NODE: "1000" });
    expect(found.slice(4)).toEqual([...asked, "--leave-within", "90"]);
  });
});

describe("schedulerScript()", () => {
  test("writes where it runs into both access files, which stay private", async () => {
    const folder = await strangeFolder();
    for (const name of ["access.json", "worker-access.json"])
      await writeFile(join(folder, name), '{\n  "url": "wss://not-started-yet.invalid:20001"\n}\n', { mode: 0o600 });
    const script = (node: string): string => schedulerScript(clusterIn(folder, { node }), 20_001);
    const found = await argumentsOf(script, folder, {});
    expect(found.slice(0, 4)).toEqual(["--host", "0.0.0.0", "--port", "20001"]);
    const files = spawnSync("sh", ["-c", "stat -c %a *access.json; cat *access.json"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(files.stdout.match(/^600$/gm)).toHaveLength(2);
    expect(files.stdout.match(new RegExp(`"url": "wss://${hostname()}:20001"`, "g"))).toHaveLength(2);
  });
});

describe("workerJobOptions()", () => {
  test("asks for what a worker needs, what the user says last", () => {
    const options = { time: "4:00:00", memory: "32G", partition: "short", sbatch: ["--account=lab", "--mem=1G"] };
    expect(workerJobOptions(clusterIn("/f/100%", options, ["--threads", "16"]), 8)).toEqual([
      "--array=0-7",
      "--nodes=1",
      "--ntasks=1",
      "--requeue",
      "--open-mode=append",
      "--output=/f/100%%/logs/worker-%A_%a.log",
      "--time=4:00:00",
      "--partition=short",
      "--cpus-per-task=16",
      "--mem=32G",
      "--account=lab",
      "--mem=1G",
    ]);
  });
});

describe("schedulerJobOptions()", () => {
  test("are those of the workers where it has none of its own, but for their sizes", () => {
    const options = { time: "60", memory: "32G", partition: "short", sbatch: ["--account=lab", "--gres=gpu:1"] };
    const shared = ["--time=60", "--partition=short", "--mem=2G"];
    expect(schedulerJobOptions(clusterIn("/f", options)).slice(5)).toEqual([...shared, ...options.sbatch]);
    const own = ["--time=90", "--account=lab"];
    expect(schedulerJobOptions(clusterIn("/f", { ...options, schedulerSbatch: own })).slice(5)).toEqual([
      ...shared,
      ...own,
    ]);
  });
});

describe("sbatchArguments()", () => {
  test("cuts words as a shell does", () => {
    expect(sbatchArguments("--sbatch-args", "--account=lab  --qos long")).toEqual(["--account=lab", "--qos", "long"]);
    expect(sbatchArguments("--sbatch-args", `--comment="two words" '--mail-user=it"s'`)).toEqual([
      "--comment=two words",
      '--mail-user=it"s',
    ]);
    expect(sbatchArguments("--sbatch-args", "")).toEqual([]);
  });

  test.each(['--comment="open', "it's"])("refuses %s", (text) => {
    expect(() => sbatchArguments("--sbatch-args", text)).toThrow("a quote is not closed");
  });

  test.each(["--array=1-3", "-J other", "--job-name other", "-o/tmp/x", "--wrap=true", "--exclusive --wait"])(
    "refuses %s, which the cluster sets",
    (text) => {
      expect(() => sbatchArguments("--sbatch-args", text)).toThrow("the cluster sets it by itself");
    },
  );
});
