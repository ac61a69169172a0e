/** With programs of the names of Slurm's that answer as those do. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { controllerIn } from "../../../../client/engines/slurm-address.ts";
import { endJobs, jobsNamed, parseJob, submitJob } from "../../../../client/engines/slurm-queue.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pe-slurm-"));
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"]}`);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** Keeps what it is called with. */
async function fake(program: string, answer: string): Promise<void> {
  const script = `#!/bin/sh\nprintf '%s\\n' "$*" >> '${folder}/calls'\n${answer}\n`;
  await writeFile(join(folder, program), script, { mode: 0o755 });
}

function calls(): string[] {
  return readFileSync(join(folder, "calls"), "utf8").trimEnd().split("\n");
}

const OWN = `--user=${userInfo().username} --name=pe-lab-1`;

describe("parseJob()", () => {
  test.each([
    ["17|3|PENDING|Resources|", { id: "17_3", state: "PENDING", phase: "waiting", reason: "Resources", nodes: "" }],
    ["17|0|RUNNING|None|node1", { id: "17_0", state: "RUNNING", phase: "running", reason: "", nodes: "node1" }],
    ["18|N/A|COMPLETING|None|node2", { id: "18", state: "COMPLETING", phase: "ending", reason: "", nodes: "node2" }],
    ["18|4|TIMEOUT|TimeLimit|n", { id: "18_4", state: "TIMEOUT", phase: "over", reason: "TimeLimit", nodes: "n" }],
  ])("reads %s", (line, job) => {
    expect(parseJob(line)).toEqual(job);
  });
});

describe("jobsNamed()", () => {
  test("asks for jobs of this user and name alone, and has them by their numbers", async () => {
    await fake("squeue", String.raw`printf '17|10|RUNNING|None|b\n17|9|RUNNING|None|a\n9|0|PENDING|Priority|\n'`);
    vi.stubEnv("SQUEUE_FORMAT", "%i");
    expect((await jobsNamed("pe-lab-1")).map(({ id }) => id)).toEqual(["9_0", "17_9", "17_10"]);
    expect(calls()).toEqual([`--noheader --array --states=all --format=%F|%K|%T|%r|%N ${OWN}`]);
  });

  test("says what squeue says against it", async () => {
    await fake("squeue", 'echo "squeue: error: Unable to contact slurm controller" >&2; exit 1');
    await expect(jobsNamed("x")).rejects.toMatchObject({
      code: "PE_ENGINE",
      message: "Cannot run squeue: Unable to contact slurm controller",
    });
  });
});

describe("submitJob()", () => {
  test("gives sbatch the script, and has the job's number, also of a federation", async () => {
    await fake("sbatch", `cat > '${folder}/script'; echo "17;main"`);
    expect(await submitJob("pe-lab-1", ["--array=0-1"], "#!/bin/sh\n")).toBe("17");
    expect(calls()).toEqual(["--parsable --job-name=pe-lab-1 --array=0-1"]);
    expect(readFileSync(join(folder, "script"), "utf8")).toBe("#!/bin/sh\n");
  });

  test("says why sbatch refuses", async () => {
    const said = "sbatch: error: invalid partition specified: zzz\nsbatch: error: Batch job submission failed";
    await fake("sbatch", `printf '${said.replaceAll("\n", String.raw`\n`)}' >&2; exit 1`);
    await expect(submitJob("x", [], "")).rejects.toThrow(
      "Cannot run sbatch: invalid partition specified: zzz; Batch job submission failed",
    );
  });
});

describe("endJobs()", () => {
  const job = (id: string, phase: "waiting" | "running") => ({ id, phase, state: "", reason: "", nodes: "" });

  test("ends what waits and asks what runs to leave, by number, user and name, and nothing else", async () => {
    await fake(
      "squeue",
      `if grep -q signal '${folder}/calls'; then exit 0; fi; printf '7|0|RUNNING|None|a\\n7|1|RUNNING|None|b\\n8|0|RUNNING|None|c\\n'`,
    );
    await fake("scancel", "");
    await endJobs("pe-lab-1", [job("7_1", "running"), job("8_0", "waiting")], 10);
    expect(calls().filter((line) => !line.startsWith("--noheader"))).toEqual([
      `--state=PENDING ${OWN} 7_1 8_0`,
      // It began to run just then.
      `--signal=TERM --batch ${OWN} 7_1 8_0`,
    ]);
  });

  test("ends at once what does not leave in time", async () => {
    await fake("squeue", `grep -qx -- '${OWN} 7_0' '${folder}/calls' || echo '7|0|RUNNING|None|a'`);
    await fake("scancel", "");
    await endJobs("pe-lab-1", [job("7_0", "running")], 0);
    expect(calls().at(-2)).toBe(`${OWN} 7_0`);
  });
});

describe("controllerIn()", () => {
  test("finds the controller's address, or its name", () => {
    expect(controllerIn("A = 1\nSlurmctldHost[0]        = head(10.0.0.1)\nSlurmctldHost[1] = second\n")).toBe(
      "10.0.0.1",
    );
    expect(controllerIn("SlurmctldHost = head\n")).toBe("head");
    expect(controllerIn("nothing")).toBeUndefined();
  });
});
