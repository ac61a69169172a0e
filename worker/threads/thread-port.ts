/** A thread's end of the port of its lane: frames that follow, and answers to what its tasks ask for. */
import { receiveMessageOnPort, type MessagePort, type Transferable } from "node:worker_threads";
import { collectGarbage } from "../../common/garbage.ts";
import type { ContentAnswer, DeliveredFrame, ToPool, ToThread } from "./frame.ts";

/** What the pool answers. */
type Question = Extract<ToPool, { type: "want" | "derive" }>;

export class ThreadPort {
  readonly #port: MessagePort;
  readonly #frames: DeliveredFrame[] = [];
  #isClosing = false;
  #isToCollect = false;
  #wake: (() => void) | undefined;
  #answered: ((answer: ContentAnswer) => void) | undefined;
  /** Answers carry no name: one question at a time. */
  #lastAsked: Promise<unknown> = Promise.resolve();

  constructor(port: MessagePort) {
    this.#port = port;
    port.on("message", (message: ToThread) => this.#onMessage(message));
  }

  say(message: ToPool, transfer: readonly Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  /** Asks for an input, or for memory for what is made of it. */
  async ask(question: Question): Promise<ContentAnswer> {
    const asked = this.#lastAsked.then(
      async () =>
        await new Promise<ContentAnswer>((resolve) => {
          this.#answered = resolve;
          this.say(question);
        }),
    );
    this.#lastAsked = asked;
    return await asked;
  }

  /** Frames that have come and wait. */
  countFrames(): number {
    for (;;) {
      const received: { message: ToThread } | undefined = receiveMessageOnPort(this.#port);
      if (received === undefined) return this.#frames.length;
      this.#onMessage(received.message);
    }
  }

  /** The next frame, waited for if need be; undefined: there will be none. Whoever calls this keeps nothing of the last one. */
  async nextFrame(): Promise<DeliveredFrame | undefined> {
    this.#collect();
    while (this.#frames.length === 0 && !this.#isClosing) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#collect();
    }
    return this.#frames.shift();
  }

  close(): void {
    this.#port.close();
  }

  #collect(): void {
    if (this.#isToCollect && collectGarbage()) this.#isToCollect = false;
  }

  #onMessage(message: ToThread): void {
    if (message.type === "frame") this.#frames.push(message.frame);
    else if (message.type === "close") this.#isClosing = true;
    else if (message.type === "collect") this.#isToCollect = true;
    else return this.#answered?.(message);
    this.#wake?.();
  }
}
