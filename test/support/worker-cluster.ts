/** The real scheduler and the real worker, both as built, with whatever is between them; a client that speaks plainly. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach } from "vitest";
import { clientToScheduler, schedulerToClient } from "../../protocol/client-link.ts";
import type * as MemoryModule from "../../protocol/memory.ts";
import type * as SocketModule from "../../protocol/socket.ts";
import { decodeValue, encodeValue } from "../../protocol/values.ts";
import { schedulerToWorker, workerToScheduler } from "../../protocol/worker-link.ts";
import type * as SchedulerModule from "../../scheduler/scheduler.ts";
import type { Scheduler } from "../../scheduler/scheduler.ts";
import { encodeJobCommon } from "../../tasks/job-common.ts";
import { createKinds } from "../../tasks/registry.ts";
import type { SchedulerConnection } from "../../worker/connecting.ts";
import type * as WorkerModule from "../../worker/worker.ts";
import type { Worker, WorkerOptions } from "../../worker/worker.ts";
import { built, TEST_KINDS } from "./built.ts";
import { RawClient } from "./raw-client.ts";
import { OPTIONS } from "./scheduler-under-test.ts";

const ending: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end();
});

/** Run at the end of the test, last first. */
export function atEnd(end: () => Promise<unknown>): void {
  ending.push(end);
}

export const WORKER_TOKEN = "a-token-for-the-workers";

export class WorkerCluster {
  scheduler!: Scheduler;
  client!: RawClient;
  readonly #journal: string | undefined;
  readonly #connections = new Set<SchedulerConnection>();
  #pair!: typeof MemoryModule.pair;

  private constructor(journal: string | undefined) {
    this.#journal = journal;
  }

  static async start(journal?: string): Promise<WorkerCluster> {
    const cluster = new WorkerCluster(journal);
    cluster.#pair = (await built<typeof MemoryModule>("protocol/memory.ts")).pair;
    await cluster.startScheduler();
    atEnd(async () => await cluster.scheduler.close());
    return cluster;
  }

  async startScheduler(): Promise<void> {
    const { startScheduler } = await built<typeof SchedulerModule>("scheduler/scheduler.ts");
    this.scheduler = await startScheduler({
      onFatal: (error) => expectNothing(error),
      ...(this.#journal !== undefined && { journal: this.#journal }),
    });
    const [client, server] = this.#pair({ link: { out: clientToScheduler, in: schedulerToClient }, codec: true });
    this.scheduler.acceptClient(server);
    this.client = new RawClient(client);
  }

  async worker(options: Partial<WorkerOptions> = {}): Promise<Worker> {
    const { startWorker } = await built<typeof WorkerModule>("worker/worker.ts");
    const worker = await startWorker({
      name: "w",
      threads: 1,
      kinds: [TEST_KINDS],
      connect: async () => {
        const link = { out: workerToScheduler, in: schedulerToWorker };
        const [near, far] = this.#pair({ link, codec: true });
        this.scheduler.acceptWorker(far);
        this.#connections.add(near);
        return await Promise.resolve(near);
      },
      ...options,
    });
    atEnd(async () => await worker.close());
    return worker;
  }

  /** Cuts all connections of workers; the scheduler lives on. */
  cut(): void {
    for (const connection of this.#connections) connection.close("the cable");
    this.#connections.clear();
  }

  /** Doors for workers from outside. @returns The address. */
  async listen(): Promise<string> {
    const { door, listenSockets } = await built<typeof SocketModule>("protocol/socket.ts");
    const server = createServer();
    const sockets = listenSockets({
      server,
      doors: [
        door({
          path: "/worker",
          link: { out: schedulerToWorker, in: workerToScheduler },
          tokens: [WORKER_TOKEN],
          onConnection: (connection) => this.scheduler.acceptWorker(connection),
        }),
      ],
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    atEnd(async () => {
      await sockets.close("the test is over");
      await new Promise((resolve) => server.close(resolve));
    });
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** Submits tasks of a test kind. @returns The job. */
  async submit(kind: string, parameters: readonly unknown[], more: SubmitOptions = {}): Promise<SubmittedJob> {
    const { id = kind, parts = null, version, ...options } = more;
    const known = (await createKinds({ folders: [TEST_KINDS] })).version(kind) ?? "1";
    const open = { type: "open", id, kind, version: version ?? known, maxFails: 1000, transient: false };
    const common = encodeJobCommon({ parts, common: undefined });
    const { job } = await this.client.ask({ ...open, common }, "opened");
    const values = parameters.map((value) => encodeValue(value));
    let end = 0;
    await this.client.ask(
      {
        type: "append",
        job,
        from: 0,
        count: parameters.length,
        options: { ...OPTIONS, ...options },
        parameters: {
          ends: Uint32Array.from(values, ({ byteLength }) => (end += byteLength)),
          values: new Uint8Array(Buffer.concat(values)),
        },
      },
      "appended",
    );
    await this.client.ask({ type: "seal", job, tasks: parameters.length }, "ok");
    await this.client.watch(job);
    return new SubmittedJob(this, job);
  }
}

export interface SubmitOptions {
  readonly id?: string;
  readonly parts?: string | null;
  readonly version?: string;
  readonly retries?: number;
  readonly timeoutMs?: number;
  readonly workers?: readonly string[];
}

export class SubmittedJob {
  readonly #cluster: WorkerCluster;
  readonly number: number;

  constructor(cluster: WorkerCluster, number: number) {
    this.#cluster = cluster;
    this.number = number;
  }

  /** By task, of what has finished so far. */
  get results(): Map<number, unknown> {
    const results = new Map<number, unknown>();
    for (const { job, tasks, ends, results: bytes } of this.#cluster.client.of("finished"))
      if (job === this.number)
        for (const [place, task] of tasks.entries()) {
          if (results.has(task)) throw new Error(`task ${task} is told twice`);
          results.set(task, decodeValue(bytes.slice(place === 0 ? 0 : ends[place - 1], ends[place])));
        }
    return results;
  }

  get errors() {
    return this.#cluster.client.of("erred").filter(({ job }) => job === this.number);
  }

  async ended(): Promise<this> {
    await eventually(() => this.#cluster.client.of("ended").some(({ job }) => job === this.number));
    return this;
  }

  async finished(count: number): Promise<this> {
    await eventually(() => this.results.size >= count);
    return this;
  }
}

/** Waits for what must come; whoever waits for so long waits for ever. */
export async function eventually(condition: () => boolean): Promise<void> {
  for (const stop = performance.now() + 40_000; !condition(); await sleep(2))
    if (performance.now() > stop) throw new Error(`it does not happen: ${String(condition)}`);
}

function expectNothing(error: Error): never {
  throw error;
}
