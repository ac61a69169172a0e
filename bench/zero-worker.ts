/**
 * A worker that answers every hand-out at once without doing anything: what is left is the cost of the scheduler itself.
 * It speaks the worker's link and keeps no state but a count.
 */
import { performance } from "node:perf_hooks";
import type { Connection } from "../protocol/connection.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../protocol/worker-link.ts";

export type WorkerConnection = Connection<WorkerToScheduler, SchedulerToWorker>;

export interface ZeroWorkerOptions {
  readonly name: string;
  readonly kind: string;
  readonly version: string;
  readonly slots?: number;
  readonly resultBytes?: number;
  /** What it says that a task took, by which the scheduler sizes what a worker holds; 10 by default. */
  readonly tookUs?: number;
  /** Told how many it has just answered. */
  onAnswered?(count: number): void;
}

export interface ZeroWorker {
  /** Hand-outs answered so far. */
  readonly answered: number;
  /** Says that it is alive; twice a second. */
  beat(): void;
  close(): void;
}

const HEARTBEAT_MS = 500;
const NOTHING = new Uint32Array(0);

type Assign = Extract<SchedulerToWorker, { type: "assign" }>;

/** Resolves when the scheduler has welcomed it. @throws {Error} with the reason when it is refused. */
export function startZeroWorker(connection: WorkerConnection, options: ZeroWorkerOptions): Promise<ZeroWorker> {
  const { name, kind, version, slots = 1, resultBytes = 60, tookUs = 10 } = options;
  let answered = 0;
  const worker: ZeroWorker = {
    get answered() {
      return answered;
    },
    beat: () =>
      connection.send({
        type: "heartbeat",
        jobs: NOTHING,
        tasks: NOTHING,
        attempts: NOTHING,
        paused: false,
        rssBytes: 0,
      }),
    close: () => connection.close("the benchmark is over"),
  };
  connection.send({
    type: "register",
    protocol: PROTOCOL_VERSION,
    software: "bench",
    name,
    instance: `${name}-${performance.now()}`,
    slots,
    kinds: [{ name: kind, version }],
    resources: [],
    holds: false,
  });
  return new Promise((resolve, reject) => {
    let epoch = 0;
    const onMessage = (message: SchedulerToWorker): void => {
      if (message.type === "assign") {
        answered += message.tasks.length;
        options.onAnswered?.(message.tasks.length);
        connection.send(doneAll(message, { epoch, resultBytes, tookUs }));
      } else if (message.type === "retract") {
        connection.send({ type: "returned", job: 0, tasks: NOTHING, attempts: NOTHING });
      } else if (message.type === "welcome") {
        epoch = message.epoch;
        resolve(worker);
      } else if (message.type === "refuse") reject(new Error(message.message));
    };
    connection.onMessages((messages) => {
      for (const message of messages) onMessage(message);
    });
    connection.onClose(({ reason }) => reject(new Error(`the scheduler ended the connection of ${name}: ${reason}`)));
  });
}

/** Keeps workers alive with one timer for all. */
export function keepBeating(workers: readonly ZeroWorker[]): () => void {
  const timer = setInterval(() => {
    for (const worker of workers) worker.beat();
  }, HEARTBEAT_MS);
  return () => clearInterval(timer);
}

function doneAll(
  { job, tasks, attempts }: Assign,
  { epoch, resultBytes, tookUs }: { epoch: number; resultBytes: number; tookUs: number },
): WorkerToScheduler {
  const count = tasks.length;
  return {
    type: "done",
    job,
    tasks,
    epochs: new Uint32Array(count).fill(epoch),
    attempts,
    took: new Uint32Array(count).fill(tookUs),
    ends: Uint32Array.from({ length: count }, (_, place) => (place + 1) * resultBytes),
    results: new Uint8Array(count * resultBytes),
  };
}
