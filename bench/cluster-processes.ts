/**
 * This product as a user runs it: a scheduler process with its journal on this disk, and two worker processes with one
 * thread each, over sockets on this machine.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { readAccessFile } from "../protocol/access-file.ts";

// This file runs as dist-bench/bench/cluster-processes.js.
const ROOT = new URL("../../", import.meta.url);
/** Tasks of the benchmark: the tests' own, and those of the graphs. */
export const KINDS = ["test/fixtures/kinds", "bench/kinds"].map((folder) => fileURLToPath(new URL(folder, ROOT)));

export const WORKERS = 2;
const START_MS_MAX = 20_000;
const END_MS_MAX = 15_000;

export interface ClusterProcesses {
  readonly url: string;
  readonly accessFile: string;
  /** By name. */
  readonly pids: Readonly<Record<string, number>>;
  /** Ends all, politely, and removes the journal. */
  stop(): Promise<void>;
}

export interface ProcessesOptions {
  readonly workers?: number;
  /** Folder for CPU profiles of all processes, written when they end. */
  readonly profiles?: string | undefined;
}

/** Resolves when the scheduler listens; workers may still be joining. @throws {Error} with what a process printed */
export async function startProcesses({
  workers = WORKERS,
  profiles,
}: ProcessesOptions = {}): Promise<ClusterProcesses> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-bench-cluster-"));
  const accessFile = join(folder, "access.json");
  const children = new Map<string, Running>();
  const stop = async (): Promise<void> => {
    for (const child of [...children.values()].toReversed()) await end(child);
    await rm(folder, { recursive: true });
  };
  try {
    const journal = join(folder, "journal");
    const scheduler = start("scheduler", ["--port", "0", "--journal", journal, "--access-file", accessFile], profiles);
    children.set("scheduler", scheduler);
    const url = await whenListening(scheduler, accessFile);
    for (let place = 1; place <= workers; place++) {
      const options = [
        "--threads",
        "1",
        "--name",
        `bench-${place}`,
        "--access-file",
        accessFile,
        "--kinds",
        KINDS.join(","),
      ];
      children.set(`worker-${place}`, start("worker", [url, ...options], profiles));
    }
    const pids = Object.fromEntries(
      [...children].map(
        ([
          name,
          {
            process: { pid },
          },
        ]) => [name, pid!],
      ),
    );
    return { url, accessFile, pids, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Running {
  readonly process: ChildProcess;
  readonly printed: string[];
}

function start(program: "scheduler" | "worker", args: readonly string[], profiles: string | undefined): Running {
  const main = fileURLToPath(new URL(`dist/${program}/main.js`, ROOT));
  // A worker's supervisor hands options of Node on to the process that works.
  const options = profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`];
  const child = spawn(process.execPath, [...options, main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const printed: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => printed.push(String(text)));
  return { process: child, printed };
}

/** The scheduler writes the access file once its port is open. */
async function whenListening({ process: child, printed }: Running, accessFile: string): Promise<string> {
  for (const startMs = performance.now(); performance.now() - startMs < START_MS_MAX; await sleep(20)) {
    if (child.exitCode !== null) break;
    const access = await readAccessFile(accessFile);
    if (access !== undefined) return access.url;
  }
  throw new Error(`the scheduler did not start: ${printed.join("")}`);
}

async function end({ process: child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  const impatience = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
  child.kill("SIGTERM");
  await exited;
  clearTimeout(impatience);
}
