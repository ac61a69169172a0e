/** Starts the reader thread of a pool. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { StartReader } from "./read-ahead.ts";
import type { FromReader, ReaderData } from "./reader-messages.ts";

/** One that has not ended by then is stopped. */
const ENDS_WITHIN_MS = 5000;

export function readerStarter(workerData: ReaderData): StartReader {
  return (listener) => {
    const worker = new Worker(new URL("./reader-thread.js", import.meta.url), { workerData });
    // Whoever waits for what it reads keeps the process alive.
    worker.unref();
    worker.on("message", (message: FromReader) => listener.onMessage(message));
    worker.on("error", () => listener.onDied());
    worker.on("exit", () => listener.onDied());
    return {
      postMessage: (message) => worker.postMessage(message),
      async end() {
        worker.ref();
        const ended = once(worker, "exit").catch(() => undefined);
        // It ends itself: one that is interrupted while it loads its modules may take the process with it.
        worker.postMessage({ type: "end" });
        await Promise.race([ended, sleep(ENDS_WITHIN_MS, undefined, { ref: false })]);
        await worker.terminate();
      },
    };
  };
}
