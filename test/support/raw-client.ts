/** A client that speaks the protocol word for word, on any connection. */
import type { ClientToScheduler, SchedulerToClient } from "../../protocol/client-link.ts";
import type { Connection, End } from "../../protocol/connection.ts";
import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { OPTIONS } from "./scheduler-under-test.ts";
import { until } from "./journal.ts";

type Told<Type> = Extract<SchedulerToClient, { readonly type: Type }>;

export class RawClient {
  readonly connection: Connection<ClientToScheduler, SchedulerToClient>;
  readonly told: SchedulerToClient[] = [];
  end: End | undefined;
  #request = 0;

  constructor(connection: Connection<ClientToScheduler, SchedulerToClient>, protocol = PROTOCOL_VERSION) {
    this.connection = connection;
    connection.onMessages((messages) => this.told.push(...messages));
    connection.onClose((end) => (this.end = end));
    connection.send({ type: "hello", protocol, software: "raw", name: "raw" });
  }

  /** Asks, with a request number of its own, and waits for the answer of one of those types. */
  async ask<Type extends SchedulerToClient["type"]>(message: object, ...types: readonly Type[]): Promise<Told<Type>> {
    const request = ++this.#request;
    this.connection.send({ request, ...message } as ClientToScheduler);
    let answer: SchedulerToClient | undefined;
    await until(() => {
      answer = this.told.find((one) => "request" in one && one.request === request && one.type !== "joined");
      return answer !== undefined || this.end !== undefined;
    });
    if (answer === undefined) throw new Error(`no answer: the connection ended, ${this.end?.reason}`);
    if (!types.includes(answer.type as Type)) throw new Error(`answered ${JSON.stringify(answer)}`);
    return answer as Told<Type>;
  }

  /** A sealed and watched job of `count` tasks. @returns Its number. */
  async submit(
    count: number,
    more: { id?: string; kind?: string; append?: object; common?: Uint8Array } = {},
  ): Promise<number> {
    const { id = "job", kind = "k", append = {}, common = new Uint8Array(0) } = more;
    const open = { type: "open", id, kind, version: "1", common, maxFails: 1000, transient: false };
    const { job, tasks } = await this.ask(open, "opened");
    if (tasks < count)
      await this.ask(
        { type: "append", job, from: tasks, count: count - tasks, options: OPTIONS, ...append },
        "appended",
      );
    await this.ask({ type: "seal", job, tasks: count }, "ok");
    await this.watch(job);
    return job;
  }

  async watch(job: number): Promise<void> {
    await this.ask({ type: "watch", job, results: true }, "ok");
  }

  of<Type extends SchedulerToClient["type"]>(type: Type): Told<Type>[] {
    return this.told.filter((message): message is Told<Type> => message.type === type);
  }

  /** When all tasks of the job have ended: their results by index; each was told once. */
  async results(job: number): Promise<Map<number, Uint8Array>> {
    await until(() => this.end !== undefined || this.of("ended").some((ended) => ended.job === job));
    if (this.end !== undefined) throw new Error(`the connection ended: ${this.end.reason}`);
    const results = new Map<number, Uint8Array>();
    for (const message of this.of("finished").filter((finished) => finished.job === job))
      for (const [place, task] of message.tasks.entries()) {
        if (results.has(task)) throw new Error(`task ${task} was told twice`);
        results.set(task, message.results.subarray(place === 0 ? 0 : message.ends[place - 1], message.ends[place]));
      }
    return results;
  }

  async close(): Promise<void> {
    this.connection.close("done");
    await until(() => this.end !== undefined);
  }
}
