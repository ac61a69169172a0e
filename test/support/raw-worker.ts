/** The real core of a worker on any connection, with a function in place of threads. */
import type { Connection, End } from "../../protocol/connection.ts";
import { createOutbox, type Outbox } from "../../protocol/outbox.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import type { SchedulerToWorker, WorkerToScheduler } from "../../protocol/worker-link.ts";
import { createWorkerCore, type WorkerCore } from "../../worker/core/core.ts";
import type { HandOutId, WorkerEffect, WorkerEvent } from "../../worker/core/events.ts";
import { until } from "./journal.ts";

export interface RawWorkerOptions {
  readonly name?: string;
  readonly slots?: number;
  readonly kinds?: readonly string[];
  readonly protocol?: number;
  /** Bytes that a task gives; undefined: it goes on until `finish`. By default its index, as text. */
  readonly run?: (task: number, parameters: Uint8Array) => Uint8Array | undefined;
}

type Link = Connection<WorkerToScheduler, SchedulerToWorker>;

export class RawWorker {
  readonly core: WorkerCore;
  /** Tasks that were begun, in order. */
  readonly begun: number[] = [];
  refused: string | undefined;
  end: End | undefined;
  #connection: Link | undefined;
  #outbox: Outbox<WorkerToScheduler> | undefined;
  readonly #run: NonNullable<RawWorkerOptions["run"]>;
  readonly #ticking: NodeJS.Timeout;
  /** Begun and not finished. */
  readonly #running: (HandOutId & { readonly slot: number })[] = [];

  constructor(options: RawWorkerOptions = {}) {
    const { name = "w", slots = 2, kinds = ["k"], protocol = PROTOCOL_VERSION } = options;
    this.#run = options.run ?? ((task) => Buffer.from(String(task)));
    this.core = createWorkerCore({
      protocol,
      software: "raw",
      name,
      instance: `${name}-${Math.random()}`,
      slots,
      kinds: kinds.map((kind) => ({ name: kind, version: "1" })),
      resources: [],
      valueBytesMax: 1e9,
    });
    this.#ticking = setInterval(() => this.#step({ type: "tick" }), 500);
  }

  connect(connection: Link): this {
    this.#connection = connection;
    this.#outbox = createOutbox(connection, {
      nowMs: () => performance.now(),
      onStalled: (reason) => connection.close(reason),
      onError: (error) => {
        throw error;
      },
    });
    this.end = undefined;
    connection.onMessages((messages) => {
      for (const message of messages) this.#step({ type: "said", message });
    });
    const outbox = this.#outbox;
    connection.onClose((end) => {
      outbox.close();
      this.end = end;
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      this.#step({ type: "disconnected" });
    });
    this.#step({ type: "connected" });
    return this;
  }

  /** What was begun and left open finishes now. */
  finish(): void {
    for (const { slot, ...id } of this.#running.splice(0)) this.#ended(slot, id, Buffer.from(String(id.task)));
  }

  /** The process dies, as far as anybody sees. */
  async close(): Promise<void> {
    clearInterval(this.#ticking);
    if (this.#connection === undefined) return;
    this.#connection.close("done");
    await until(() => this.end !== undefined);
  }

  #step(event: WorkerEvent): void {
    for (const effect of this.core.step(event, performance.now())) this.#carryOut(effect);
  }

  #carryOut(effect: WorkerEffect): void {
    if (effect.type === "send") this.#outbox?.send(effect.message);
    else if (effect.type === "refused") this.refused = effect.message;
    else if (effect.type === "disconnect") this.#connection?.close(effect.reason);
    else if (effect.type === "run")
      for (const { task, epoch, attempt, parameters } of effect.tasks) {
        this.begun.push(task);
        const result = this.#run(task, parameters);
        const { slot, job } = effect;
        const id = { job, task, epoch, attempt };
        if (result === undefined) this.#running.push({ slot, ...id });
        else setImmediate(() => this.#ended(slot, id, result));
      }
  }

  #ended(slot: number, id: HandOutId, result: Uint8Array): void {
    this.#step({ type: "ended", slot, done: [{ ...id, tookUs: 100, result }], failed: [], storing: [] });
  }
}
