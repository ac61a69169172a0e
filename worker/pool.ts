/** The pool of threads that compute; the one file with piscina. The main thread only hands over and listens. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Piscina } from "piscina";
import { PeError, type ErrorRecord } from "../common/errors.ts";
import type { TaskResult } from "../tasks/kind.ts";
import { ContentExchange } from "./content-exchange.ts";
import type { DeliveredFrame, Frame, ToPool } from "./frame.ts";

/** Inputs kept for threads that share them; the least recently used go first. */
const CONTENT_CACHE_BYTES_MAX = 256 * 2 ** 20;

/** A thread that never had the port cannot end it. */
const LAST_WORDS_MS = 1000;

/** How one task of a frame ended. */
export type TaskOutcome =
  | { readonly type: "done"; readonly index: number; readonly result: TaskResult; readonly tookMs: number }
  | { readonly type: "failed"; readonly index: number; readonly error: ErrorRecord };

export interface WorkerPool {
  readonly threads: number;
  /**
   * Runs the tasks of a frame in one thread, in order; `onOutcome` is called once for each that ended. Returns the
   * tasks that never began because the thread died under an earlier one: they are nobody's fault and may run again.
   */
  run(frame: Frame, onOutcome: (outcome: TaskOutcome) => void): Promise<readonly number[]>;
  /** Lets running frames finish, then ends the threads. */
  close(): Promise<void>;
}

export function createWorkerPool(options: { threads: number }): WorkerPool {
  const { threads } = options;
  const piscina = new Piscina({
    filename: new URL("./thread.js", import.meta.url).href,
    name: "runFrame",
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
  });
  const exchange = new ContentExchange(CONTENT_CACHE_BYTES_MAX);
  return {
    threads,
    run: async (frame, onOutcome) => await runFrame(piscina, exchange, frame, onOutcome),
    close: async () => await piscina.close(),
  };
}

async function runFrame(
  piscina: Piscina,
  exchange: ContentExchange,
  frame: Frame,
  onOutcome: (outcome: TaskOutcome) => void,
): Promise<readonly number[]> {
  const { port1: near, port2: far } = new MessageChannel();
  const cursor = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const told = new Set<number>();
  const ended = once(near, "close");
  const allSaid = listen(near, exchange, (outcome) => {
    told.add(outcome.index);
    onOutcome(outcome);
  });
  try {
    await piscina.run({ ...frame, port: far, cursor } satisfies DeliveredFrame, { transferList: [far] });
    await allSaid;
    return [];
  } catch (error) {
    // What the thread said before it died is still in the port, and the port's end comes after it.
    await Promise.race([ended, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    const begun = frame.tasks.slice(0, Atomics.load(cursor, 0));
    for (const { index } of begun)
      if (!told.has(index)) onOutcome({ type: "failed", index, error: blame(error, index) });
    return frame.tasks.slice(begun.length).map(({ index }) => index);
  } finally {
    exchange.forget(near);
    near.close();
  }
}

/** Resolves when the thread has said its last. */
async function listen(
  port: MessagePort,
  exchange: ContentExchange,
  onOutcome: (outcome: TaskOutcome) => void,
): Promise<void> {
  await new Promise<void>((resolve) => {
    port.on("message", (message: ToPool) => {
      switch (message.type) {
        case "done":
        case "failed":
          return onOutcome(message);
        case "want":
          return exchange.onWant(message.file, port);
        case "loaded":
          return exchange.onLoaded(message.file, message.loaded, port);
        case "unloadable":
          return exchange.onUnloadable(message.file, message.error, port);
        case "end":
          return resolve();
      }
    });
  });
}

function blame(error: unknown, index: number): ErrorRecord {
  const reason = error instanceof Error ? error.message : String(error);
  return new PeError("PE_TASK_FAILED", `Task ${index} ended its thread: ${reason}`, { details: { index } }).toRecord();
}
