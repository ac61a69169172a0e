/**
 * What is said to one side, no faster than it reads.
 *
 * A connection is cut when too much waits in it. Much may be said at once although the other side reads well: a million
 * results to a client that has just come. So what would be too much waits here, and goes on as the connection empties. A
 * side that takes nothing for a while does not read.
 */
import type { Connection } from "./connection.ts";

/** What a connection holds before the rest waits here; enough that the other side never waits for it. */
export const SENDING_BYTES_GOOD = 4 << 20;
/** What is sent later goes by itself after so long. */
const LATER_MS = 20;
/** Between looks at a connection that was full. */
const LOOK_AGAIN_MS = 2;
/** A side that took nothing for so long is cut off. */
export const STALLED_AFTER_MS = 20_000;

export interface Outbox<Out> {
  /** Bytes of messages in the connection, and messages that wait here. */
  readonly waiting: { readonly bytes: number; readonly messages: number };
  /** @throws {PeError} `PE_PROTOCOL` when it is no message of the link. */
  send(message: Out): void;
  /**
   * Sends it ahead of the next message, or by itself after a while: for what nobody waits for, because a frame of its own
   * costs both sides a wake-up.
   */
  sendLater(message: Out): void;
  /** Sends what was put off, then nothing any more; what waits for a slow reader is dropped. */
  close(): void;
}

export interface OutboxOptions {
  readonly nowMs: () => number;
  readonly stalledAfterMs?: number;
  /** The other side does not read; called once. */
  readonly onStalled: (reason: string) => void;
  /** A message that had to wait could not be sent. */
  readonly onError: (error: unknown) => void;
}

export function createOutbox<Out, In>(connection: Connection<Out, In>, options: OutboxOptions): Outbox<Out> {
  const { nowMs, stalledAfterMs = STALLED_AFTER_MS, onStalled, onError } = options;
  let waiting: Out[] = [];
  let first = 0;
  let timer: NodeJS.Timeout | undefined;
  /** When something was taken last, and how much was left in the connection then. */
  let taken = { atMs: 0, leftBytes: 0 };
  let later: Out[] = [];
  let laterTimer: NodeJS.Timeout | undefined;

  const drop = (): void => {
    clearTimeout(timer);
    timer = undefined;
    [waiting, first] = [[], 0];
  };
  const goOn = (): void => {
    timer = undefined;
    const before = connection.bufferedBytes;
    try {
      while (first < waiting.length && connection.bufferedBytes < SENDING_BYTES_GOOD)
        connection.send(waiting[first++]!);
    } catch (error) {
      drop();
      return onError(error);
    }
    if (first === waiting.length) return drop();
    if (first > 1024 && first * 2 > waiting.length) [waiting, first] = [waiting.slice(first), 0];
    if (before < taken.leftBytes) taken = { atMs: nowMs(), leftBytes: connection.bufferedBytes };
    else if (nowMs() - taken.atMs > stalledAfterMs) {
      drop();
      return onStalled(`the other side does not read: nothing was taken for ${Math.round(stalledAfterMs / 1000)} s`);
    }
    timer = setTimeout(goOn, LOOK_AGAIN_MS);
  };
  const sendNow = (message: Out): void => {
    if (timer === undefined && connection.bufferedBytes < SENDING_BYTES_GOOD) return connection.send(message);
    waiting.push(message);
    if (timer !== undefined) return;
    taken = { atMs: nowMs(), leftBytes: connection.bufferedBytes };
    timer = setTimeout(goOn, LOOK_AGAIN_MS);
  };
  const sendPutOff = (): void => {
    const messages = later;
    later = [];
    for (const message of messages) sendNow(message);
  };
  const onLater = (): void => {
    laterTimer = undefined;
    try {
      sendPutOff();
    } catch (error) {
      onError(error);
    }
  };
  return {
    get waiting() {
      return { bytes: connection.bufferedBytes, messages: waiting.length - first };
    },
    send(message) {
      if (later.length > 0) sendPutOff();
      sendNow(message);
    },
    sendLater(message) {
      later.push(message);
      // It runs on when a message took all along: to set it anew for each would cost more than it saves.
      laterTimer ??= setTimeout(onLater, LATER_MS);
    },
    close() {
      clearTimeout(laterTimer);
      onLater();
      drop();
    },
  };
}
