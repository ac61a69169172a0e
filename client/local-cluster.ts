/** A scheduler and workers in this process, on connections in memory: the very same cores and threads as in a cluster. */
import { availableParallelism, totalmem } from "node:os";
import { PeError } from "../common/errors.ts";
import type { LogLine } from "../common/log.ts";
import { clientToScheduler, schedulerToClient } from "../protocol/client-link.ts";
import { pair } from "../protocol/memory.ts";
import { schedulerToWorker, workerToScheduler } from "../protocol/worker-link.ts";
import { startScheduler, type Scheduler } from "../scheduler/scheduler.ts";
import { startWorker, type Worker, type WorkerEnd } from "../worker/worker.ts";
import type { ClientConnection } from "./session/link.ts";
import type { DataWays } from "./values/data-ways.ts";
import { localWorkerWays } from "./values/local-holders.ts";
import { localWays, type LocalHolder } from "./values/local-ways.ts";

export interface LocalOptions {
  /** 1 by default: threads cost less than workers. More of them show how tasks spread. */
  readonly workers?: number;
  /** Of each worker; by default one a core, shared by the workers. */
  readonly threads?: number;
  /** Folders of kinds (docs/kinds.md). */
  readonly kinds?: readonly string[];
  /** Folder of the journal, with which jobs survive this process; nothing is kept by default. */
  readonly journal?: string;
  /** Folder for temporary files of tasks. */
  readonly scratch?: string;
  /** Workers keep inputs for jobs that come, as far as there is room; true by default. */
  readonly keepsInputs?: boolean;
  readonly log?: (line: LogLine) => void;
  /** As of `ConnectOptions`. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

export interface LocalCluster {
  connectClient(): ClientConnection;
  readonly ways: DataWays;
  /** Resolves when the disk of the journal failed or a worker is gone: nothing goes on. */
  readonly failed: Promise<PeError>;
  /** Tasks under way finish, nothing new begins. */
  readonly drain: () => Promise<void>;
  /** Ends all threads, gives the journal back. What was finished is in it. */
  readonly close: () => Promise<void>;
}

const WORKERS_MAX = 64;
const THREADS_MAX = 1024;

/** @throws {PeError} `PE_PARAMETER`, `PE_KIND`, or why there is no journal. */
export async function startLocalCluster(options: LocalOptions): Promise<LocalCluster> {
  const { workers = 1, journal, log } = options;
  const { threads = Math.max(1, Math.floor(availableParallelism() / workers)) } = options;
  checkCount("workers", workers, WORKERS_MAX);
  checkCount("threads", threads, THREADS_MAX);
  let onFailed!: (error: PeError) => void;
  const failed = new Promise<PeError>((done) => (onFailed = done));
  const scheduler = await startScheduler({
    onFatal: onFailed,
    // Its workers end with it: nobody comes back.
    graceMs: 0,
    ...(journal !== undefined && { journal }),
    ...(log !== undefined && { log }),
  });
  const holders: LocalHolder[] = [];
  const started = await Promise.allSettled(
    Array.from(
      { length: workers },
      async (_, place) => await startLocalWorker(scheduler, place, threads, options, holders),
    ),
  );
  const running = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const ways = localWays(holders, options.scratch);
  let isClosing = false;
  const close = async (): Promise<void> => {
    isClosing = true;
    await Promise.all(running.map(async (worker) => await worker.close()));
    await scheduler.close();
    await ways.close();
  };
  const refused = started.find((result) => result.status === "rejected");
  if (refused !== undefined) {
    await close();
    throw refused.reason;
  }
  const onWorkerEnded = (end: WorkerEnd): void => {
    if (!isClosing) onFailed(workerError(end));
  };
  for (const worker of running) void worker.ended.then(onWorkerEnded);
  return {
    failed,
    ways,
    connectClient: () => {
      const [client, server] = pair({
        link: { out: clientToScheduler, in: schedulerToClient },
        names: ["client", "the scheduler of this process"],
      });
      scheduler.acceptClient(server);
      return client;
    },
    drain: async () => {
      isClosing = true;
      for (const worker of running) worker.drain();
      await Promise.all(running.map(async (worker) => await worker.ended));
    },
    close,
  };
}

/** Of the memory of this machine, what results that stay at all its workers may take before they go to the disk. */
const VALUES_SHARE = 0.4;

async function startLocalWorker(
  scheduler: Scheduler,
  place: number,
  threads: number,
  { workers = 1, kinds = [], scratch, keepsInputs, log }: LocalOptions,
  holders: LocalHolder[],
): Promise<Worker> {
  const name = `local-${place + 1}`;
  const worker = await startWorker({
    name,
    threads,
    kinds,
    valueBytesMax: Math.floor((totalmem() * VALUES_SHARE) / workers),
    ...(scratch !== undefined && { scratch }),
    ...(keepsInputs !== undefined && { keepsInputs }),
    ...(log !== undefined && { log }),
    openWays: async () => await Promise.resolve(localWorkerWays(holders)),
    connect: async () => {
      const [connection, server] = pair({
        link: { out: workerToScheduler, in: schedulerToWorker },
        names: [name, "the scheduler of this process"],
      });
      scheduler.acceptWorker(server);
      return await Promise.resolve(connection);
    },
  });
  holders.push({ name, heldValue: async (value) => await worker.heldValue(value) });
  return worker;
}

function workerError(end: WorkerEnd): PeError {
  const reason = "message" in end ? end.message : `it ended (${end.type})`;
  return new PeError("PE_UNEXPECTED", `Cannot go on without a worker of this process: ${reason}`);
}

function checkCount(name: string, count: number, max: number): void {
  if (!Number.isInteger(count) || count < 1 || count > max)
    throw new PeError("PE_PARAMETER", `Cannot start a cluster with ${count} ${name}: expected 1 to ${max}`);
}
