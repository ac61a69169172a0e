/** The built pe-scheduler as a process, in folders of a test. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect } from "vitest";
import type { Access } from "../../protocol/access-file.ts";
import { clientToScheduler, schedulerToClient } from "../../protocol/client-link.ts";
import { connectSocket } from "../../protocol/socket.ts";
import { schedulerToWorker, workerToScheduler } from "../../protocol/worker-link.ts";
import { RawClient } from "./raw-client.ts";
import { RawWorker, type RawWorkerOptions } from "./raw-worker.ts";

const MAIN = fileURLToPath(new URL("../../dist/scheduler/main.js", import.meta.url));
/** Whoever takes longer hangs. */
const HANG_MS = 60_000;

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What was printed so far. */
  readonly output: { stdout: string; stderr: string };
}

const alive = new Set<Started>();

afterEach(async () => {
  const left = [...alive];
  for (const { child } of left) child.kill("SIGKILL");
  await Promise.all(left.map(async ({ ended }) => await ended));
  expect(
    left.map(({ child }) => child.spawnargs.join(" ")),
    "schedulers that a test left behind",
  ).toEqual([]);
});

/** Starts it with a state folder of its own. */
export function startSchedulerProcess(state: string, args: readonly string[]): Started {
  if (!existsSync(MAIN)) throw new Error(`there is no ${MAIN}: run npm run build first`);
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, XDG_STATE_HOME: state, PE_ACCESS_FILE: "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].on("data", (data: Buffer) => (output[stream] += data.toString()));
  const hang = setTimeout(() => child.kill("SIGABRT"), HANG_MS);
  const started: Started = {
    child,
    output,
    ended: new Promise((done) => {
      child.on("close", (status, signal) => {
        clearTimeout(hang);
        alive.delete(started);
        done({ status, signal, ...output });
      });
    }),
  };
  alive.add(started);
  return started;
}

/** Runs it to its end. */
export async function runScheduler(state: string, ...args: readonly string[]): Promise<Ended> {
  return await startSchedulerProcess(state, args).ended;
}

export class SchedulerProcess {
  readonly url: string;
  readonly port: number;
  readonly epoch: number;
  readonly access: Access;
  readonly accessFile: string;
  readonly started: Started;
  readonly #raw: { close(): Promise<void> }[] = [];

  private constructor(started: Started, told: { url: string; port: number; epoch: number; accessFile: string }) {
    this.started = started;
    this.url = told.url;
    this.port = told.port;
    this.epoch = told.epoch;
    this.accessFile = told.accessFile;
    this.access = JSON.parse(readFileSync(told.accessFile, "utf8")) as Access;
  }

  /** Starts one that listens, by default on a free port with a journal in the state folder. */
  static async start(
    state: string,
    args: readonly string[] = [
      "--port",
      "0",
      "--journal",
      join(state, "journal"),
      "--access-file",
      join(state, "access.json"),
    ],
  ): Promise<SchedulerProcess> {
    const started = startSchedulerProcess(state, ["--json", ...args]);
    await Promise.race([
      started.ended,
      new Promise<void>((done) =>
        started.child.stdout!.on("data", () => started.output.stdout.includes("\n}") && done()),
      ),
    ]);
    if (!started.output.stdout.includes("\n}")) throw new Error(`it did not start: ${started.output.stderr}`);
    return new SchedulerProcess(started, JSON.parse(started.output.stdout) as never);
  }

  async client(): Promise<RawClient> {
    const { clientToken: token, ca } = this.access;
    const link = { out: clientToScheduler, in: schedulerToClient };
    const client = new RawClient(await connectSocket(`${this.url}/client`, { link, token, ca }));
    this.#raw.push(client);
    return client;
  }

  async worker(options?: RawWorkerOptions): Promise<RawWorker> {
    const worker = new RawWorker(options);
    this.#raw.push(worker);
    return await this.connect(worker);
  }

  /** Connects a worker that was connected before. */
  async connect(worker: RawWorker): Promise<RawWorker> {
    const { workerToken: token, ca } = this.access;
    const link = { out: workerToScheduler, in: schedulerToWorker };
    return worker.connect(await connectSocket(`${this.url}/worker`, { link, token, ca }));
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ended> {
    this.started.child.kill(signal);
    return await this.started.ended;
  }

  /** Ends it and all that was connected. */
  async end(): Promise<void> {
    await this.stop("SIGKILL");
    for (const raw of this.#raw) await raw.close();
  }
}
