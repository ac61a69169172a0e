/** Starts the reader thread of a pool. */
import { Worker } from "node:worker_threads";
import type { StartReader } from "./read-ahead.ts";
import type { FromReader, ReaderData } from "./reader-messages.ts";

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
      end: async () => void (await worker.terminate()),
    };
  };
}
