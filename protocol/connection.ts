/**
 * A connection: two sides that send each other messages, in order, until one of them ends it.
 *
 * The same words whatever is below: a WebSocket (`socket.ts`) or memory (`memory.ts`). What a side sends within one
 * turn of the event loop travels as one frame, or as few as fit: a frame costs tens of microseconds, a message in it less
 * than one.
 */
import { assert } from "../common/assert.ts";
import { FRAME_HEAD_BYTES, FRAME_MESSAGES_MAX, isProtocolError, measureMessage } from "./codec.ts";
import { typeOf, type AnyMessage, type Messages } from "./schema.ts";

/** The two directions of a link, seen from one side. */
export interface Link<Out extends Messages = Messages, In extends Messages = Messages> {
  readonly out: Out;
  readonly in: In;
}

/** Why a connection ended, in WebSocket's numbers. */
export const CLOSE = {
  /** One side said so. */
  normal: 1000,
  /** A message was refused: a bug, another version, or an attack. */
  protocol: 1002,
  /** Nobody said anything: the process or the network is gone. */
  lost: 1006,
  /** The other side does not read as fast as this one sends. */
  slowReader: 4008,
} as const;

/** How a connection ended. The text is for people. */
export interface End {
  readonly code: number;
  readonly reason: string;
}

/** Bytes of the reason that reach the other side; the rest is cut. */
export const REASON_BYTES_MAX = 123;

/** Bytes that may wait for a slow reader. */
export const BUFFERED_BYTES_MAX = 32 << 20;

/** A frame is closed at this size although more could follow: its reader begins while the next is made. */
export const FRAME_BYTES_GOOD = 256 << 10;

export interface Connection<Out, In> {
  /** Who is on the other side, for people: `127.0.0.1:40312`. */
  readonly remote: string;
  /** Bytes sent that wait here. Who sends much in one turn looks at this first. */
  readonly bufferedBytes: number;
  /**
   * Sends at the end of this turn of the event loop; after the end it does nothing. The message, its columns and blobs
   * must not change any more.
   *
   * @throws {PeError} `PE_PROTOCOL` when it is no message of the link, or too large for a frame: split it.
   */
  send(message: Out): void;
  /** The other side is of this version of the protocol: what that does not know is not sent to it any more. */
  speak(version: number): void;
  /** One handler, called with each frame, in order. What comes before there is one waits for it. */
  onMessages(handler: (messages: readonly In[]) => void): void;
  /** One handler, called once, after the last messages; also when this side ended the connection. */
  onClose(handler: (end: End) => void): void;
  /** Ends the connection after what was sent so far; no messages are delivered any more. */
  close(reason: string): void;
  /** Stops reading: what the other side sends waits there, and so does its end. */
  pause(): void;
  resume(): void;
}

/** What carries the frames of one side of a connection. */
export interface Wire<Frame> {
  readonly remote: string;
  readonly bufferedBytes: number;
  write(frame: Frame, bytesMax: number): void;
  /** Tells the other side and ends, after what was written; `Receiver.ended` follows, soon whatever happens. */
  end(end: End): void;
  /** Ends at once; what was written may be lost. */
  destroy(): void;
  pause(): void;
  resume(): void;
}

/** What a wire calls. */
export interface Receiver<Frame> {
  received(frame: Frame): void;
  ended(end: End): void;
}

/** How messages become frames of a wire. */
export interface Translation<Frame> {
  /** What this side sends. */
  readonly link: Messages;
  /** Of checked messages that the reader knows; `version` is its own. */
  encode(messages: readonly AnyMessage[], version?: number): Frame;
  /** @throws {PeError} `PE_PROTOCOL` */
  decode(frame: Frame): readonly AnyMessage[];
}

/** One side of a connection, on an open wire. */
export class WiredConnection<Frame> implements Connection<AnyMessage, AnyMessage>, Receiver<Frame> {
  readonly #wire: Wire<Frame>;
  readonly #translation: Translation<Frame>;
  readonly #bufferedBytesMax: number;
  #state: "open" | "closing" | "ended" = "open";
  #end: End | undefined;
  /** What this side said at the end. */
  #farewell: End | undefined;
  /** How the wire ended while messages still waited for a handler. */
  #lateEnd: End | undefined;
  #onMessages: ((messages: readonly AnyMessage[]) => void) | undefined;
  #onClose: ((end: End) => void) | undefined;
  /** Frames that came before there was a handler, or were under way when reading stopped. */
  #early: Frame[] = [];
  #paused = false;
  #gathered: AnyMessage[] = [];
  #sizes: number[] = [];
  #gatheredBytes = 0;
  /** Of the protocol that the other side speaks; undefined: as this one. */
  #version: number | undefined;

  constructor(wire: Wire<Frame>, translation: Translation<Frame>, bufferedBytesMax: number) {
    this.#wire = wire;
    this.#translation = translation;
    this.#bufferedBytesMax = bufferedBytesMax;
  }

  get remote(): string {
    return this.#wire.remote;
  }

  get bufferedBytes(): number {
    return this.#gatheredBytes + this.#wire.bufferedBytes;
  }

  speak(version: number): void {
    this.#version = version;
  }

  send(message: AnyMessage): void {
    const { link } = this.#translation;
    const bytesMax = measureMessage(link, message);
    if (this.#state !== "open") return;
    if (this.#version !== undefined && typeOf(link, message, "encode").since > this.#version) return;
    // Of what gathers in a turn, each message waits for the same one flush.
    if (this.#gathered.length === 0) setImmediate(() => this.#flush());
    this.#gathered.push(message);
    this.#sizes.push(bytesMax);
    this.#gatheredBytes += bytesMax;
    if (this.#gatheredBytes <= FRAME_BYTES_GOOD) return;
    if (this.bufferedBytes > this.#bufferedBytesMax) this.#giveUp();
    // A whole frame need not wait: the other side reads it while this turn goes on.
    else this.#flush();
  }

  onMessages(handler: (messages: readonly AnyMessage[]) => void): void {
    assert(this.#onMessages === undefined, "a connection has one handler of messages");
    this.#onMessages = handler;
    setImmediate(() => this.#deliverEarly());
  }

  onClose(handler: (end: End) => void): void {
    assert(this.#onClose === undefined, "a connection has one handler of its end");
    this.#onClose = handler;
    if (this.#end !== undefined) setImmediate(handler, this.#end);
  }

  close(reason: string): void {
    if (this.#state !== "open") return;
    this.#flush();
    if (this.#state !== "open") return;
    this.#beginEnd({ code: CLOSE.normal, reason: cutReason(reason) });
    this.#wire.end(this.#farewell!);
  }

  pause(): void {
    this.#paused = true;
    this.#wire.pause();
  }

  resume(): void {
    this.#paused = false;
    setImmediate(() => this.#deliverEarly());
  }

  received(frame: Frame): void {
    if (this.#state !== "open") return;
    if (this.#onMessages !== undefined && !this.#paused && this.#early.length === 0) return this.#deliver(frame);
    this.#early.push(frame);
    this.#wire.pause();
  }

  ended(end: End): void {
    if (this.#state === "open" && this.#early.length > 0) this.#lateEnd = end;
    // Who ended it here hears its own reason, not an echo of it.
    else this.#report(this.#farewell ?? end);
  }

  #deliverEarly(): void {
    if (this.#onMessages === undefined) return;
    while (!this.#paused && this.#early.length > 0) this.#deliver(this.#early.shift()!);
    if (this.#paused) return;
    if (this.#lateEnd === undefined) this.#wire.resume();
    else this.#report(this.#lateEnd);
  }

  #deliver(frame: Frame): void {
    let messages: readonly AnyMessage[];
    try {
      messages = this.#translation.decode(frame);
    } catch (error) {
      if (!isProtocolError(error)) throw error;
      return this.#fail({ code: CLOSE.protocol, reason: cutReason(error.message) });
    }
    if (messages.length > 0) this.#onMessages!(messages);
  }

  #flush(): void {
    if (this.#state !== "open" || this.#gathered.length === 0) return;
    const gathered = this.#gathered;
    const sizes = this.#sizes;
    this.#gathered = [];
    this.#sizes = [];
    this.#gatheredBytes = 0;
    let start = 0;
    let bytesMax = FRAME_HEAD_BYTES;
    for (let index = 0; index < gathered.length; index++) {
      if (index > start && (bytesMax + sizes[index]! > FRAME_BYTES_GOOD || index - start === FRAME_MESSAGES_MAX)) {
        this.#wire.write(this.#translation.encode(gathered.slice(start, index), this.#version), bytesMax);
        start = index;
        bytesMax = FRAME_HEAD_BYTES;
      }
      bytesMax += sizes[index]!;
    }
    this.#wire.write(this.#translation.encode(start === 0 ? gathered : gathered.slice(start), this.#version), bytesMax);
    if (this.#wire.bufferedBytes > this.#bufferedBytesMax) this.#giveUp();
  }

  /** The other side does not read: a farewell would wait behind all the rest, so the connection is cut. */
  #giveUp(): void {
    const reason = `the other side does not read: ${this.bufferedBytes} bytes wait, more than ${this.#bufferedBytesMax}`;
    this.#beginEnd({ code: CLOSE.slowReader, reason });
    this.#wire.destroy();
    setImmediate(() => this.#report(this.#farewell!));
  }

  /** Tells the other side why, and this side at once. */
  #fail(end: End): void {
    this.#beginEnd(end);
    this.#wire.end(end);
    setImmediate(() => this.#report(end));
  }

  #beginEnd(farewell: End): void {
    this.#state = "closing";
    this.#farewell = farewell;
    this.#early = [];
  }

  #report(end: End): void {
    if (this.#end !== undefined) return;
    this.#state = "ended";
    this.#end = end;
    this.#gathered = [];
    this.#sizes = [];
    this.#gatheredBytes = 0;
    this.#onClose?.(end);
  }
}

/** As much of the text as travels in the frame that closes a connection. */
function cutReason(reason: string): string {
  if (Buffer.byteLength(reason) <= REASON_BYTES_MAX) return reason;
  const cut = Buffer.from(reason)
    .subarray(0, REASON_BYTES_MAX - 3)
    .toString("utf8");
  return `${cut.replace(/\ufffd+$/, "")}...`;
}
