/** A scheduler and workers of the built package as processes, for tests that kill them. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect } from "vitest";
import { ROOT, runClient, runWell, startClient, type Outcome, type RunningClient } from "./client.ts";
import { testFolder } from "./folders.ts";

const START_MS_MAX = 60_000;
const LOOK_MS = 25;

const alive = new Set<Process>();

afterEach(async () => {
  for (const process of alive) await process.kill("SIGKILL");
});

export interface Process {
  readonly child: ChildProcess;
  said(): string;
  /** Sends the signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<void>;
}

function start(program: "scheduler" | "worker", args: readonly string[]): Process {
  const child = spawn(process.execPath, [join(ROOT, "dist", program, "main.js"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (said += text.toString()));
  const started: Process = {
    child,
    said: () => said,
    kill: async (signal) => {
      alive.delete(started);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
    },
  };
  alive.add(started);
  return started;
}

/** Resolves when `isSo`. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const lastMs = performance.now() + START_MS_MAX;
  while (!(await isSo())) {
    if (performance.now() > lastMs) throw new Error(`it does not happen: ${what}`);
    await wait(LOOK_MS);
  }
}

/** A scheduler of a test, with a way for commands to reach it. */
export interface TestCluster {
  readonly folder: string;
  readonly url: string;
  /** Options of a command. */
  readonly access: readonly string[];
  scheduler: Process;
  startWorker(name: string, ...options: readonly string[]): Promise<Process>;
  /** The same scheduler on the same journal and port. */
  startScheduler(): Promise<Process>;
  run(...args: readonly string[]): Promise<Outcome>;
  runWell(...args: readonly string[]): Promise<Outcome>;
  start(...args: readonly string[]): RunningClient;
}

export async function startCluster(): Promise<TestCluster> {
  const folder = await testFolder();
  const accessFile = join(folder, "access.json");
  const access = ["--access-file", accessFile];
  const startOn = async (port: string): Promise<Process> => {
    const scheduler = start("scheduler", ["--port", port, "--journal", join(folder, "journal"), ...access]);
    await until(
      () => scheduler.said().includes("listens on") || scheduler.child.exitCode !== null,
      "scheduler listens",
    );
    expect(scheduler.child.exitCode, scheduler.said()).toBeNull();
    return scheduler;
  };
  const scheduler = await startOn("0");
  const url = /listens on (\S+)/.exec(scheduler.said())![1]!;
  const cluster: TestCluster = {
    folder,
    url,
    access,
    scheduler,
    startScheduler: async () => (cluster.scheduler = await startOn(new URL(url).port)),
    startWorker: async (name, ...options) => {
      const worker = start("worker", [url, ...access, "--threads", "1", "--name", name, ...options]);
      await until(() => worker.said().includes("connected to the scheduler"), `${name} joins`);
      return worker;
    },
    run: async (...args) => await runClient([...args, ...access]),
    runWell: async (...args) => await runWell([...args, ...access]),
    start: (...args) => startClient([...args, ...access]),
  };
  return cluster;
}
