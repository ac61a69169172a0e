/**
 * Frames that one thread runs one after the other. While it runs one, the next lies in its port already, so that it need not wait
 * until the main thread, which has to share the cores with it, has woken up.
 *
 * A piscina run begins with the first frame and goes on while there are more. A frame that came when the thread had just
 * found none is the first of the next run.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import type { PartStore } from "../data/part-store.ts";
import { Board } from "./board.ts";
import type { ContentExchange } from "./content-exchange.ts";
import { FrameRun, type Ended, type FrameSurroundings } from "./frame-run.ts";
import type { DeliveredFrame, FirstFrame, Frame, ToPool, ToThread } from "./frame.ts";

/** A thread that never had the port cannot end it. */
const LAST_WORDS_MS = 1000;
/** A quick task's end that no message told is seen after so long, when the thread is busy with a longer one. */
const LOOK_EVERY_MS = 20;
/** A thread that dies before it begins a task is nobody's fault, once. */
const STARTS_MAX = 2;

export interface LaneListener {
  /** Each task is told once, and never done before its parts are durable. */
  onEnded(ended: Ended): void;
  /** Its thread died, or was ended. What was not told by now is not run; what is given from now on is. */
  onDied(reason: string): void;
}

/** What a lane takes from its pool. */
export interface LaneSurroundings {
  readonly exchange: ContentExchange;
  openStore(url: string): PartStore;
  deliver(run: FrameRun): DeliveredFrame;
  /** Resolves when the thread has run all frames it was given; rejects when it died. */
  run(first: FirstFrame, signal: AbortSignal): Promise<void>;
}

export class Lane {
  readonly #pool: LaneSurroundings;
  readonly #listener: LaneListener;
  readonly #frameSurroundings: FrameSurroundings;
  /** Frames that are not over, in their order. */
  #runs: FrameRun[] = [];
  #count = 0;
  /** Boards that no thread uses. */
  readonly #boards: Board[] = [];
  /** Over, with parts that are not stored yet. */
  readonly #storing = new Set<FrameRun>();
  /** This side of the port while a thread runs. */
  #port: MessagePort | undefined;
  /** Whether the thread takes more frames. */
  #isOpen = false;
  #isRunning = false;
  #kill = new AbortController();

  constructor(pool: LaneSurroundings, listener: LaneListener) {
    this.#pool = pool;
    this.#listener = listener;
    this.#frameSurroundings = {
      openStore: (url) => pool.openStore(url),
      hear: (run, place) => this.#hear(run, place),
      onEnded: (ended) => listener.onEnded(ended),
    };
  }

  get isBusy(): boolean {
    return this.#isRunning;
  }

  /** Runs a frame after those it has. */
  run(frame: Frame): void {
    const run = new FrameRun(this.#count++, frame, this.#boards.pop() ?? new Board(), this.#frameSurroundings);
    this.#runs.push(run);
    if (this.#isOpen) this.#post(run);
    else if (!this.#isRunning) void this.#runAll();
  }

  /** Ends the thread at once; `onDied` follows, also when there is none. */
  kill(reason: string): void {
    this.#kill.abort(reason);
    if (!this.#isRunning) queueMicrotask(() => !this.#isRunning && this.#died(reason));
  }

  async #runAll(): Promise<void> {
    this.#isRunning = true;
    for (let starts = 1; this.#runs.length > 0; starts++) {
      const reason = await this.#runThread();
      const killed = this.#kill.signal;
      if (reason === undefined && !killed.aborted) starts = 0;
      else if (killed.aborted || this.#runs[0]?.board.begun !== 0 || starts === STARTS_MAX) {
        await this.#stored();
        this.#isRunning = false;
        return this.#died(killed.aborted ? String(killed.reason) : reason!);
      }
    }
    this.#isRunning = false;
  }

  #died(reason: string): void {
    this.#kill = new AbortController();
    // On their boards a dying thread may still write.
    this.#runs = [];
    this.#listener.onDied(reason);
  }

  /** @returns Why the thread died, if it did. */
  async #runThread(): Promise<string | undefined> {
    const [first, ...rest] = this.#runs;
    const { port1: near, port2: far } = new MessageChannel();
    const closed = once(near, "close");
    near.on("message", (message: ToPool) => this.#onMessage(message));
    this.#port = near;
    this.#isOpen = true;
    const looking = setInterval(() => this.#look(), LOOK_EVERY_MS);
    let reason: string | undefined;
    try {
      const running = this.#pool.run({ frame: this.#pool.deliver(first!), port: far }, this.#kill.signal);
      for (const run of rest) this.#post(run);
      await running;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      // What the thread said before it died is still in the port, and the port's end comes after it.
      await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    }
    this.#isOpen = false;
    clearInterval(looking);
    this.#look();
    this.#pool.exchange.forget(near);
    near.close();
    this.#port = undefined;
    return reason;
  }

  #post(run: FrameRun): void {
    this.#port!.postMessage({ type: "frame", frame: this.#pool.deliver(run) } satisfies ToThread);
  }

  #onMessage(message: ToPool): void {
    const port = this.#port!;
    switch (message.type) {
      case "look":
        return this.#look();
      case "ended":
        return this.#runs.find(({ number }) => number === message.frame)?.onLongEnd(message);
      case "want":
        return this.#pool.exchange.onWant(message.file, port);
      case "loaded":
        return this.#pool.exchange.onLoaded(message.file, message.loaded, port);
      case "unloadable":
        return this.#pool.exchange.onUnloadable(message.file, message.error, port);
    }
  }

  /** Tells what has ended; a frame after another, because the thread runs them so. */
  #look(): void {
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
      run.look();
      if (!run.isOver) return;
      this.#runs.shift();
      this.#boards.push(run.board);
      this.#storing.add(run);
      void run.stored().then(() => this.#storing.delete(run));
    }
  }

  #hear(run: FrameRun, place: number): void {
    while (!run.hasHeard(place)) {
      const received: { message: ToPool } | undefined = receiveMessageOnPort(this.#port!);
      if (received === undefined) throw new Error(`the end of task ${place} of a frame is told, but did not come`);
      // What is new on the board is seen afterwards.
      if (received.message.type !== "look") this.#onMessage(received.message);
    }
  }

  async #stored(): Promise<void> {
    await Promise.all([...this.#storing, ...this.#runs].map(async (run) => await run.stored()));
  }
}
