import { expect, test } from "vitest";
import { BUFFERED_BYTES_MAX } from "../../../protocol/connection.ts";
import { pair } from "../../../protocol/memory.ts";
import { schedulerToWorker, workerToScheduler, type WorkerToScheduler } from "../../../protocol/worker-link.ts";
import { Reconnecting } from "../../../worker/connecting.ts";

const RESULT_BYTES = 512 << 10;

function report(task: number): WorkerToScheduler {
  const column = Uint32Array.of(0);
  const ends = Uint32Array.of(RESULT_BYTES);
  const results = new Uint8Array(RESULT_BYTES);
  const tasks = Uint32Array.of(task);
  return { type: "done", job: 1, tasks, epochs: column, attempts: column, took: column, ends, results };
}

test("Reconnecting tells more reports at once than a connection holds, in order, on one connection", async () => {
  const [worker, scheduler] = pair({ link: { out: workerToScheduler, in: schedulerToWorker } });
  const reports = Math.ceil((2 * BUFFERED_BYTES_MAX) / RESULT_BYTES);
  const told: number[] = [];
  let connections = 0;
  const connection = new Reconnecting({
    connect: () => {
      connections++;
      return Promise.resolve(worker);
    },
    onConnected: () => {
      for (let task = 0; task < reports; task++) connection.send(report(task));
    },
    onMessages: () => undefined,
    onDisconnected: () => undefined,
    onHopeless: () => undefined,
    log: () => undefined,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      scheduler.onClose(({ reason }) => reject(new Error(reason)));
      scheduler.onMessages((messages) => {
        for (const message of messages) if (message.type === "done") told.push(message.tasks[0]!);
        if (told.length === reports) resolve();
      });
    });
    expect(told).toEqual(Array.from({ length: reports }, (_, task) => task));
    expect(connections).toBe(1);
  } finally {
    connection.end("the test ends");
  }
});
