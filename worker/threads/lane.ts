/**
 * Frames that one thread runs one after the other. One piscina run takes a thread for as long as it lives, and frames come over
 * its port: a run for each would cost some 200 us more, and a thread that has its next frame already need not wait until the
 * main thread, which has to share the cores with it, has woken up.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { MessageChannel, receiveMessageOnPort, type MessagePort } from "node:worker_threads";
import type { PartStore } from "../../data/part-store.ts";
import { Board } from "./board.ts";
import type { ContentExchange } from "../inputs/content-exchange.ts";
import { FrameRun, type Ended, type FrameSurroundings } from "./frame-run.ts";
import type { DeliveredFrame, Frame, ToPool, ToThread } from "./frame.ts";

/** A thread that never had the port cannot end it. */
const LAST_WORDS_MS = 1000;
/** All lanes of the process look together: the reports of their tasks then share what comes of them. */
const LOOK_EVERY_MS = 20;
/** A thread that dies before it begins a task is nobody's fault, once. */
const STARTS_MAX = 2;

export interface LaneListener {
  /** Each task is told once, and never done before its parts are durable. */
  onEnded(ended: Ended): void;
  /** Its thread has started, and begins the first of the frames that wait for it. */
  onUp?(): void;
  /** Its thread died, or was ended. What was not told by now is not run; what is given from now on is. */
  onDied(reason: string): void;
}

/** What a lane takes from its pool. */
export interface LaneSurroundings {
  readonly exchange: ContentExchange;
  openStore(url: string): PartStore;
  deliver(run: FrameRun): DeliveredFrame;
  /** Takes a thread, which listens to the port until that is closed; rejects when it died. */
  takeThread(port: MessagePort, signal: AbortSignal): Promise<void>;
}

const busy = new Set<Lane>();
let looking: NodeJS.Timeout | undefined;

function lookAt(lane: Lane): void {
  busy.add(lane);
  looking ??= setInterval(() => {
    for (const each of busy) each.look();
  }, LOOK_EVERY_MS);
}

function forget(lane: Lane): void {
  busy.delete(lane);
  if (busy.size > 0) return;
  clearInterval(looking);
  looking = undefined;
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
  /** This side of the port while there is a thread. */
  #port: MessagePort | undefined;
  /** How often a thread died before it had begun the first frame. */
  #vainStarts = 0;
  #kill = new AbortController();
  /** Whether its thread listens. */
  #isUp = false;
  /** Why a thread is to be ended as soon as it has started: before, it might take the process with it. */
  #killedEarly: string | undefined;
  /** Dead, and the listener does not know yet. */
  #isDying = false;

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
    return this.#runs.length > 0;
  }

  /** Runs a frame after those it has. */
  run(frame: Frame): void {
    const run = new FrameRun(this.#count++, frame, this.#boards.pop() ?? new Board(), this.#frameSurroundings);
    this.#runs.push(run);
    // Those that come now are never begun.
    if (this.#isDying) return;
    if (this.#port === undefined) void this.#useThread();
    else this.#post(run);
    lookAt(this);
  }

  /** Has its thread, if it has one, collect its garbage when it has ended the frame that it runs. */
  collect(): void {
    this.#port?.postMessage({ type: "collect" } satisfies ToThread);
  }

  /** Ends the thread at once, or as soon as it has started; `onDied` follows, also when it had nothing to do. */
  kill(reason: string): void {
    if (this.#isDying) return;
    if (this.#port === undefined) queueMicrotask(() => this.#listener.onDied(reason));
    else if (this.#isUp) this.#kill.abort(reason);
    else this.#killedEarly ??= reason;
  }

  /** Lets the thread end what it has, and gives it back. */
  close(): void {
    this.#port?.postMessage({ type: "close" } satisfies ToThread);
  }

  /** Takes a thread, and gives it the frames there are. */
  async #useThread(): Promise<void> {
    const { port1: near, port2: far } = new MessageChannel();
    const closed = once(near, "close");
    near.on("message", (message: ToPool) => this.#onMessage(message));
    this.#port = near;
    let reason: string | undefined;
    try {
      const taken = this.#pool.takeThread(far, this.#kill.signal);
      for (const run of this.#runs) this.#post(run);
      await taken;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
      // What the thread said before it died is still in the port, and the port's end comes after it.
      await Promise.race([closed, sleep(LAST_WORDS_MS, undefined, { ref: false })]);
    }
    this.#isDying = reason !== undefined;
    this.#isUp = false;
    this.look();
    this.#port = undefined;
    this.#pool.exchange.forget(near);
    near.close();
    if (reason !== undefined) await this.#onDeath(reason);
  }

  async #onDeath(reason: string): Promise<void> {
    const { signal } = this.#kill;
    const [first] = this.#runs;
    if (!signal.aborted && first?.board.begun === 0 && ++this.#vainStarts < STARTS_MAX) {
      this.#isDying = false;
      return void this.#useThread();
    }
    this.#vainStarts = 0;
    // What is being stored will be told; of the rest the listener has to know where it begins.
    await this.#stored();
    this.#kill = new AbortController();
    this.#killedEarly = undefined;
    // On their boards a dying thread may still write.
    this.#runs = [];
    forget(this);
    this.#isDying = false;
    this.#listener.onDied(signal.aborted ? String(signal.reason) : reason);
  }

  #post(run: FrameRun): void {
    this.#port!.postMessage({ type: "frame", frame: this.#pool.deliver(run) } satisfies ToThread);
  }

  #onMessage(message: ToPool): void {
    const port = this.#port!;
    switch (message.type) {
      case "up":
        this.#isUp = true;
        if (this.#killedEarly !== undefined) return this.#kill.abort(this.#killedEarly);
        return this.#listener.onUp?.();
      case "look":
        return this.look();
      case "ended":
        return this.#runs.find(({ number }) => number === message.frame)?.onLongEnd(message);
      case "want":
        return this.#pool.exchange.onWant(message.file, port);
      case "derive":
        return this.#pool.exchange.onDerive(message, port);
      case "loaded":
        return this.#pool.exchange.onLoaded(message.file, message.loaded, port);
      case "unloadable":
        return this.#pool.exchange.onUnloadable(message.file, message.error, port);
    }
  }

  /** Tells what has ended; a frame after another, because the thread runs them so. */
  look(): void {
    for (let run = this.#runs[0]; run !== undefined; run = this.#runs[0]) {
      run.look();
      if (!run.isOver) return;
      this.#runs.shift();
      this.#vainStarts = 0;
      this.#boards.push(run.board);
      this.#storing.add(run);
      void run.stored().then(() => this.#storing.delete(run));
    }
    forget(this);
  }

  #hear(run: FrameRun, place: number): void {
    while (!run.hasHeard(place)) {
      const received: { message: ToPool } | undefined = receiveMessageOnPort(this.#port!);
      if (received === undefined) throw new Error(`the end of task ${place} of a frame is told, but did not come`);
      // What is new on the board is seen afterwards: to run after a thread that is quicker would be a report for each task.
      if (received.message.type === "look") setImmediate(() => this.look());
      else this.#onMessage(received.message);
    }
  }

  async #stored(): Promise<void> {
    await Promise.all([...this.#storing, ...this.#runs].map(async (run) => await run.stored()));
  }
}
