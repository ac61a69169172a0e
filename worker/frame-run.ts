/** A frame while a thread runs it: gathers how its tasks end, stores their parts, and tells each once. */
import { receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import type { PartStore } from "../data/part-store.ts";
import type { Board, BoardEnd } from "./board.ts";
import type { ContentExchange } from "./content-exchange.ts";
import type { TaskDone, TaskFailed } from "./core/events.ts";
import { storeFailureOf } from "./failure.ts";
import type { Failure, Frame, LongEnd, PartToStore, ToPool } from "./frame.ts";

export class FrameRun {
  readonly frame: Frame;
  readonly board: Board;
  readonly #exchange: ContentExchange;
  readonly #openStore: (url: string) => PartStore;
  readonly #onEnded: (ended: { done: readonly TaskDone[]; failed: readonly TaskFailed[] }) => void;
  #port: MessagePort | undefined;
  /** Tasks whose end was read from the board. */
  #read = 0;
  /** Ends that came over the port, by place. */
  readonly #long = new Map<number, LongEnd>();
  readonly #stores = new Set<Promise<void>>();

  constructor(
    frame: Frame,
    board: Board,
    exchange: ContentExchange,
    openStore: (url: string) => PartStore,
    onEnded: (ended: { done: readonly TaskDone[]; failed: readonly TaskFailed[] }) => void,
  ) {
    this.frame = frame;
    this.board = board;
    this.#exchange = exchange;
    this.#openStore = openStore;
    this.#onEnded = onEnded;
  }

  listen(port: MessagePort): void {
    this.#port = port;
    port.on("message", (message: ToPool) => this.#onMessage(message));
  }

  /** Tells what has ended since the last look. */
  look(): void {
    if (this.board.ended === this.#read) return;
    const done: TaskDone[] = [];
    const failed: TaskFailed[] = [];
    const ends = this.board.read(this.#read);
    this.#read += ends.length;
    for (const end of ends) {
      if (end.result !== undefined) done.push(this.#done(end, end.result));
      else this.#settleLong(end, done, failed);
    }
    if (done.length > 0 || failed.length > 0) this.#onEnded({ done, failed });
  }

  /** Resolves when nothing is being stored any more. */
  async stored(): Promise<void> {
    await Promise.all(this.#stores);
  }

  #onMessage(message: ToPool): void {
    const port = this.#port!;
    switch (message.type) {
      case "look":
        return this.look();
      case "ended":
        return void this.#long.set(message.place, message);
      case "want":
        return this.#exchange.onWant(message.file, port);
      case "loaded":
        return this.#exchange.onLoaded(message.file, message.loaded, port);
      case "unloadable":
        return this.#exchange.onUnloadable(message.file, message.error, port);
    }
  }

  #settleLong(end: BoardEnd, done: TaskDone[], failed: TaskFailed[]): void {
    const long = this.#takeLong(end.place);
    if ("failure" in long.end) failed.push(this.#failed(end.place, long.end.failure));
    else if (long.parts.length === 0) done.push(this.#done(end, long.end.result));
    else this.#store(end, long, long.end.result);
  }

  /** It was sent before the board told of it, so it lies in the port unless it was heard already. */
  #takeLong(place: number): LongEnd {
    while (!this.#long.has(place)) {
      const received: { message: ToPool } | undefined = receiveMessageOnPort(this.#port!);
      if (received === undefined) throw new Error(`the end of task ${place} of a frame is told, but did not come`);
      this.#onMessage(received.message);
    }
    const long = this.#long.get(place)!;
    this.#long.delete(place);
    return long;
  }

  #store(end: BoardEnd, { partsUrl, parts }: LongEnd, result: Uint8Array): void {
    const storing = putAll(this.#openStore, partsUrl!, parts).then(
      () => this.#onEnded({ done: [this.#done(end, result)], failed: [] }),
      (error: unknown) => this.#onEnded({ done: [], failed: [this.#failed(end.place, storeFailureOf(error))] }),
    );
    this.#stores.add(storing);
    void storing.then(() => this.#stores.delete(storing));
  }

  #done({ place, tookUs }: BoardEnd, result: Uint8Array): TaskDone {
    const { task, attempt } = this.frame.tasks[place]!;
    return { job: this.frame.job, task, attempt, tookUs, result };
  }

  #failed(place: number, { code, message, stack, blameless, endsJob }: Failure): TaskFailed {
    const { task, attempt } = this.frame.tasks[place]!;
    return { job: this.frame.job, task, attempt, code, message, stack, blameless, endsJob };
  }
}

async function putAll(
  openStore: (url: string) => PartStore,
  url: string,
  parts: readonly PartToStore[],
): Promise<void> {
  const store = openStore(url);
  for (const { name, bytes, sha256 } of parts) await store.put(name, bytes, sha256);
}
