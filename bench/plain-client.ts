/**
 * A client that speaks the client's link with as little as it takes: opens a job, appends tasks, waits for its end. It
 * holds nothing a task, so that what is measured is the scheduler.
 */
import type { ClientToScheduler, SchedulerToClient } from "../protocol/client-link.ts";
import { BATCH_TASKS_MAX } from "../protocol/client-link.ts";
import type { Connection } from "../protocol/connection.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";

export type ClientConnection = Connection<ClientToScheduler, SchedulerToClient>;

export interface PlainJob {
  readonly id: string;
  readonly kind: string;
  readonly version: string;
  readonly tasks: number;
  /** Bytes of each task's parameters; 0: the job is one range, a task is its index. */
  readonly parameterBytes: number;
  /** The user's own keys instead of derived ones. */
  readonly keyed: boolean;
  /** Asks for the results too. */
  readonly results: boolean;
}

export interface PlainRun {
  /** From the opening of the job until its last task was acknowledged, which is durable. */
  readonly appendedMs: number;
}

/** Batches that may wait for their acknowledgement. */
const BATCHES_AHEAD = 4;
const OPTIONS = { priority: 0, retries: 0, timeoutMs: 0, volatile: false, resources: [], workers: [] };
/** Distributes over the request and its answer, so that each alternative stays whole. */
type Asked<Message> = Message extends { request: number } ? Omit<Message, "request"> : never;
type Request = Asked<ClientToScheduler>;

export class PlainClient {
  readonly #connection: ClientConnection;
  readonly #answers = new Map<number, { resolve(message: SchedulerToClient): void; reject(error: Error): void }>();
  #requests = 0;
  #onEnded: (finished: number) => void = () => undefined;

  constructor(connection: ClientConnection) {
    this.#connection = connection;
    connection.onMessages((messages) => {
      for (const message of messages) this.#onMessage(message);
    });
    connection.onClose(({ reason }) => {
      for (const { reject } of this.#answers.values()) reject(new Error(`the connection ended: ${reason}`));
    });
    connection.send({ type: "hello", protocol: PROTOCOL_VERSION, software: "bench", name: "bench" });
  }

  /** Resolves when all tasks have finished. @throws {Error} when one did not, or a request is refused. */
  async run(job: PlainJob, onAppended: () => Promise<void> | void = () => undefined): Promise<PlainRun> {
    const { id, kind, version, tasks, results } = job;
    const startMs = performance.now();
    const common = new Uint8Array(0);
    const opened = await this.#ask({ type: "open", id, kind, version, common, maxFails: 0, transient: false });
    if (opened.type !== "opened") throw new Error(`Cannot open job: ${opened.type}`);
    const ended = new Promise<number>((resolve) => (this.#onEnded = resolve));
    await this.#append(opened.job, job);
    const appendedMs = performance.now() - startMs;
    await onAppended();
    await this.#ask({ type: "seal", job: opened.job, tasks });
    await this.#ask({ type: "watch", job: opened.job, results });
    const whole = await ended;
    if (whole !== tasks) throw new Error(`${whole} of ${tasks} tasks finished`);
    return { appendedMs };
  }

  /** Forgets a job by id. */
  async release(id: string): Promise<void> {
    const found = await this.#ask({ type: "find", id });
    if (found.type === "found" && found.job !== undefined) await this.#ask({ type: "release", job: found.job.job });
  }

  close(): void {
    this.#connection.close("the benchmark is over");
  }

  async #append(job: number, { tasks, parameterBytes, keyed, id }: PlainJob): Promise<void> {
    const batch = parameterBytes === 0 && !keyed ? tasks : BATCH_TASKS_MAX;
    const ahead: Promise<unknown>[] = [];
    for (let from = 0; from < tasks; from += batch) {
      const count = Math.min(batch, tasks - from);
      if (ahead.length >= BATCHES_AHEAD) await ahead.shift();
      ahead.push(
        this.#ask({
          type: "append",
          job,
          from,
          count,
          options: OPTIONS,
          ...(parameterBytes > 0 && { parameters: parametersOf(count, parameterBytes) }),
          ...(keyed && { keys: Array.from({ length: count }, (_, place) => `${id}-sweep-${from + place}`) }),
        }),
      );
    }
    await Promise.all(ahead);
  }

  #ask(message: Request): Promise<SchedulerToClient> {
    const request = ++this.#requests;
    this.#connection.send({ ...message, request });
    return new Promise((resolve, reject) => this.#answers.set(request, { resolve, reject }));
  }

  #onMessage(message: SchedulerToClient): void {
    if (message.type === "ended") return this.#onEnded(message.counts.finished);
    if (!("request" in message)) return;
    const waiting = this.#answers.get(message.request);
    if (waiting === undefined || message.type === "joined") return;
    this.#answers.delete(message.request);
    if (message.type === "refused") waiting.reject(new Error(message.message));
    else waiting.resolve(message);
  }
}

function parametersOf(count: number, bytes: number): { ends: Uint32Array; values: Uint8Array } {
  return {
    ends: Uint32Array.from({ length: count }, (_, place) => (place + 1) * bytes),
    values: new Uint8Array(count * bytes).fill(7),
  };
}
