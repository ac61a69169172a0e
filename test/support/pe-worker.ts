/** Runs the built pe-worker as a user does, against a scheduler of the test. */
import { spawn, type ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isAlive } from "../../data/durable.ts";
import { TEST_KINDS } from "./built.ts";
import { ROOT } from "./client.ts";
import { testFolder } from "./folders.ts";
import { atEnd, eventually, WORKER_TOKEN } from "./worker-cluster.ts";

const MAIN = join(ROOT, "dist/worker/main.js");

export interface RunningPeWorker {
  readonly child: ChildProcess;
  /** Where its scratch folder is made. */
  readonly scratch: string;
  readonly stderr: () => string;
  readonly stdout: () => string;
  /** Exit status, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  /** Process ids of what the supervisor has started and lives. */
  processes(): number[];
}

export async function accessFile(url: string, workerToken = WORKER_TOKEN): Promise<string> {
  const path = join(await testFolder(), "access.json");
  await writeFile(path, JSON.stringify({ url, workerToken }), { mode: 0o600 });
  return path;
}

/** `args` after `--access-file`, `--kinds` and `--scratch` where `url` is given. */
export async function runPeWorker(url: string | undefined, ...args: string[]): Promise<RunningPeWorker> {
  const scratch = await testFolder();
  const usual =
    url === undefined ? [] : ["--access-file", await accessFile(url), "--scratch", scratch, "--kinds", TEST_KINDS];
  const child = spawn(process.execPath, [MAIN, ...usual, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [stderr, stdout] = ["", ""];
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once("close", (status, signal) => resolve(status ?? signal)),
  );
  const seen = new Set<number>();
  const processes = (): number[] => {
    for (const pid of childrenOf(child.pid!)) seen.add(pid);
    return [...seen].filter((pid) => isAlive(pid));
  };
  atEnd(async () => {
    processes();
    child.kill("SIGKILL");
    for (const pid of seen) if (isAlive(pid)) process.kill(pid, "SIGKILL");
    await eventually(() => processes().length === 0);
  });
  return { child, scratch, stderr: () => stderr, stdout: () => stdout, ended, processes };
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        const [state, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        return Number(ppid) === parent && state !== "Z";
      } catch {
        return false;
      }
    })
    .map(Number);
}
