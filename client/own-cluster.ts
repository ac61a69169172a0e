/** A scheduler and workers as processes of their own on this machine, for as long as somebody needs them. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PeError } from "../common/errors.ts";
import { readAccess } from "../protocol/access-file.ts";
import { Client } from "./client.ts";
import type { Cluster } from "./maps/maps-on-cluster.ts";

const START_MS_MAX = 30_000;
const END_MS_MAX = 10_000;
const LOOK_MS = 20;

export interface OwnCluster extends Cluster {
  /** Ends the processes and removes what they kept. */
  stop(): Promise<void>;
}

/**
 * Starts a scheduler on a free port of the loopback and `workers` workers of one thread; resolves when all have joined.
 *
 * @throws {PeError} `PE_CONNECTION` with what a process said before it ended
 */
export async function startOwnCluster(workers: number): Promise<OwnCluster> {
  const folder = await mkdtemp(join(tmpdir(), "pe-cluster-"));
  const accessFile = join(folder, "access.json");
  const running: Running[] = [];
  let client: Client | undefined;
  const stop = async (): Promise<void> => {
    await client?.close();
    await Promise.all(running.toReversed().map(end));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const options = ["--port", "0", "--journal", join(folder, "journal"), "--access-file", accessFile];
    const scheduler = start("scheduler", options);
    running.push(scheduler);
    await until(async () => scheduler.said().includes("listens on"), running);
    const { url, token, ca } = await readAccess({ role: "client", file: accessFile });
    for (let place = 1; place <= workers; place++)
      running.push(start("worker", [url, "--access-file", accessFile, "--threads", "1", "--name", `worker-${place}`]));
    const connected = await Client.connect(url, { accessFile });
    client = connected;
    await until(async () => (await connected.status()).workers.length === workers, running);
    const access = { schedulerUrl: url, ...(token !== undefined && { token }), ...(ca !== undefined && { ca }) };
    return { client: connected, access, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Running {
  readonly process: ChildProcess;
  /** What it wrote so far. */
  said(): string;
}

function start(program: "scheduler" | "worker", args: readonly string[]): Running {
  const main = fileURLToPath(new URL(`../${program}/main.js`, import.meta.url));
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (said += text.toString()));
  return { process: child, said: () => said };
}

/** Resolves when `isSo`. @throws {PeError} `PE_CONNECTION` when a process ends first, or it takes too long. */
async function until(isSo: () => Promise<boolean>, running: readonly Running[]): Promise<void> {
  const lastMs = performance.now() + START_MS_MAX;
  while (!(await isSo())) {
    const ended = running.find(({ process: child }) => child.exitCode !== null || child.signalCode !== null);
    if (ended !== undefined || performance.now() > lastMs)
      throw new PeError(
        "PE_CONNECTION",
        `Cannot start a cluster on this machine: ${(ended ?? running.at(-1)!).said().trim() || "its processes say nothing"}`,
      );
    await wait(LOOK_MS);
  }
}

async function end({ process: child }: Running): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
  await gone;
  clearTimeout(late);
}
