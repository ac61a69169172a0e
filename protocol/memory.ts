/**
 * Two connected sides in one process, for the local cluster, the simulation's shell and tests: the twin of `socket.ts`.
 *
 * Delivery is asynchronous and in order, limits and checks are the same. Without `codec` messages are handed over as
 * they are, so both sides see the memory of their columns and blobs.
 */
import { decodeFrame, encodeChecked, FRAME_BYTES_MAX } from "./codec.ts";
import {
  BUFFERED_BYTES_MAX,
  CLOSE,
  WiredConnection,
  type Connection,
  type End,
  type Link,
  type Receiver,
  type Translation,
  type Wire,
} from "./connection.ts";
import type { AnyMessage, Infer, Messages } from "./schema.ts";

export interface PairOptions<Out extends Messages, In extends Messages> {
  /** Seen from the first side. */
  readonly link: Link<Out, In>;
  /** Messages pass through bytes, as between processes. */
  readonly codec?: boolean;
  readonly bufferedBytesMax?: number;
  /** What each side calls the other. */
  readonly names?: readonly [first: string, second: string];
}

/** Both sides of a new connection. */
export function pair<Out extends Messages, In extends Messages>(
  options: PairOptions<Out, In>,
): [Connection<Infer<Out>, Infer<In>>, Connection<Infer<In>, Infer<Out>>] {
  const { link, codec = false, names = ["memory", "memory"] } = options;
  const { bufferedBytesMax = BUFFERED_BYTES_MAX } = options;
  const sides = codec
    ? connect(translation(link.out, link.in), translation(link.in, link.out), bufferedBytesMax, names)
    : connect(handOver(link.out), handOver(link.in), bufferedBytesMax, names);
  return sides as unknown as [Connection<Infer<Out>, Infer<In>>, Connection<Infer<In>, Infer<Out>>];
}

function connect<Frame>(
  first: Translation<Frame>,
  second: Translation<Frame>,
  bufferedBytesMax: number,
  [firstName, secondName]: readonly [string, string],
): [WiredConnection<Frame>, WiredConnection<Frame>] {
  const toFirst = new Queue<Frame>();
  const toSecond = new Queue<Frame>();
  const sides: [WiredConnection<Frame>, WiredConnection<Frame>] = [
    new WiredConnection(wire(secondName, toSecond, toFirst), first, bufferedBytesMax),
    new WiredConnection(wire(firstName, toFirst, toSecond), second, bufferedBytesMax),
  ];
  [toFirst.receiver, toSecond.receiver] = sides;
  return sides;
}

function wire<Frame>(remote: string, out: Queue<Frame>, own: Queue<Frame>): Wire<Frame> {
  return {
    remote,
    get bufferedBytes() {
      return out.bytes;
    },
    write: (frame, bytesMax) => out.put({ frame, bytesMax }),
    end(end) {
      out.put({ end });
      // What waits for the other side stays there; this side is done.
      own.clear();
      own.resume();
      own.put({ end });
    },
    destroy() {
      out.clear();
      out.put({ end: { code: CLOSE.lost, reason: "the connection was lost" } });
      own.clear();
    },
    pause: () => own.pause(),
    resume: () => own.resume(),
  };
}

type Item<Frame> = { readonly frame: Frame; readonly bytesMax: number } | { readonly end: End };

/** What is on its way to one side. */
class Queue<Frame> {
  receiver: Receiver<Frame> | undefined;
  bytes = 0;
  #items: Item<Frame>[] = [];
  #paused = false;
  #scheduled = false;

  put(item: Item<Frame>): void {
    this.#items.push(item);
    if ("frame" in item) this.bytes += item.bytesMax;
    this.#schedule();
  }

  clear(): void {
    this.#items = [];
    this.bytes = 0;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    if (this.#items.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#paused) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    // What handlers send now comes with the next turn, as it would over a socket.
    for (let left = this.#items.length; left > 0 && !this.#paused; left--) {
      const item = this.#items.shift();
      if (item === undefined) return;
      if ("end" in item) return this.receiver!.ended(item.end);
      this.bytes -= item.bytesMax;
      this.receiver!.received(item.frame);
    }
    if (this.#items.length > 0) this.#schedule();
  }
}

function translation(out: Messages, into: Messages): Translation<Uint8Array> {
  return {
    link: out,
    encode: (messages, version) => encodeChecked(out, messages, FRAME_BYTES_MAX, version),
    decode: (frame) => decodeFrame(into, frame),
  };
}

function handOver(out: Messages): Translation<readonly AnyMessage[]> {
  return { link: out, encode: (messages) => messages, decode: (messages) => messages };
}
