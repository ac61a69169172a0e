import { expect, test, vi } from "vitest";
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

test("Reconnecting tries less and less often, and says so once, while the scheduler answers but refuses", async () => {
  const lines: string[] = [];
  const triedMs: number[] = [];
  const connection = new Reconnecting({
    connect: () => {
      triedMs.push(performance.now());
      const [worker, scheduler] = pair({ link: { out: workerToScheduler, in: schedulerToWorker } });
      setImmediate(() => scheduler.close("the name is taken"));
      return Promise.resolve(worker);
    },
    onConnected: () => undefined,
    onMessages: () => undefined,
    onDisconnected: () => undefined,
    onHopeless: () => undefined,
    log: ({ text }) => void lines.push(text),
  });
  try {
    await vi.waitFor(() => expect(triedMs.length).toBe(6), { timeout: 30_000 });
    // At least half of 50, 100, 200, 400 and 800 ms.
    expect(triedMs[5]! - triedMs[0]!).toBeGreaterThan(700);
    expect(lines).toEqual([expect.stringMatching(/^Cannot join .*: the name is taken; trying again$/)]);
  } finally {
    connection.end("the test ends");
  }
});

test("Reconnecting comes back soon, and says why, when a scheduler that took the worker goes away", async () => {
  const lines: string[] = [];
  let connections = 0;
  const connection = new Reconnecting({
    connect: () => {
      connections++;
      const [worker, scheduler] = pair({ link: { out: workerToScheduler, in: schedulerToWorker } });
      if (connections < 3) setImmediate(() => scheduler.close("it restarts"));
      return Promise.resolve(worker);
    },
    onConnected: () => connection.accepted(),
    onMessages: () => undefined,
    onDisconnected: () => undefined,
    onHopeless: () => undefined,
    log: ({ text }) => void lines.push(text),
  });
  try {
    await vi.waitFor(() => expect(connections).toBe(3), { timeout: 30_000 });
    expect(lines).toEqual(["it restarts", "it restarts"].map((reason) => expect.stringContaining(`: ${reason}`)));
    expect(lines[0]).toMatch(/^lost the scheduler/);
  } finally {
    connection.end("the test ends");
  }
});
