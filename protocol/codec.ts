/**
 * Frames: many messages as one run of bytes, in msgpack.
 *
 * A frame is an array of messages, a message an array: the index of its type and the values of its fields in declared
 * order. Neither names nor maps travel. What comes in is scanned before it is decoded and checked after, so bytes from
 * anywhere either become messages of the link or a `PE_PROTOCOL` error, within the memory a frame of their size takes.
 */
import { PeError } from "../common/errors.ts";
import { faultOfFrame } from "./frame-scan.ts";
import { framePacker, frameUnpacker } from "./packing.ts";
import { check, refusal, typeOf, type AnyMessage, type Infer, type Messages } from "./schema.ts";

/** Bytes of a frame. A message with more than that is split by who sends it. */
export const FRAME_BYTES_MAX = 1 << 20;

export const FRAME_MESSAGES_MAX = 4096;

/** Head of a frame's array at most. */
export const FRAME_HEAD_BYTES = 5;

/**
 * Checks a message that will travel; no less than the bytes it will take.
 *
 * @throws {PeError} `PE_PROTOCOL` when it is no message of the link, or too large for a frame of its own.
 */
export function measureMessage(link: Messages, message: AnyMessage): number {
  check(link, message, "encode");
  const bytesMax = typeOf(link, message, "encode").sizeMax(message);
  // Text is measured by what it could take; near the limit only the frame itself tells.
  return bytesMax + FRAME_HEAD_BYTES > FRAME_BYTES_MAX ? encodeChecked(link, [message]).byteLength : bytesMax;
}

/**
 * Messages that were checked, as one frame.
 *
 * @param version Of the protocol that the reader speaks; all of the messages came with it or before.
 * @throws {PeError} `PE_PROTOCOL` when the frame is too large.
 */
export function encodeChecked(
  link: Messages,
  messages: readonly AnyMessage[],
  bytesMax: number = FRAME_BYTES_MAX,
  version?: number,
): Uint8Array {
  if (messages.length > FRAME_MESSAGES_MAX)
    throw refusal("encode", "frame", `${messages.length} messages are more than ${FRAME_MESSAGES_MAX}`);
  const frame = framePacker.pack(messages.map((message) => typeOf(link, message, "encode").pack(message, version)));
  if (frame.byteLength > bytesMax)
    throw refusal("encode", "frame", `${frame.byteLength} bytes are more than ${bytesMax}; send less at once`);
  return frame;
}

/**
 * All messages as one frame.
 *
 * @throws {PeError} `PE_PROTOCOL` when one is no message of the link, or the frame too large.
 */
export function encodeFrame<Link extends Messages>(
  link: Link,
  messages: readonly Infer<Link>[],
  bytesMax?: number,
): Uint8Array {
  for (const message of messages) check(link, message, "encode");
  return encodeChecked(link, messages, bytesMax);
}

/**
 * The messages of a frame, in order; they share no memory with it.
 *
 * @throws {PeError} `PE_PROTOCOL` for anything but messages of the link.
 */
export function decodeFrame<Link extends Messages>(
  link: Link,
  frame: Uint8Array,
  bytesMax: number = FRAME_BYTES_MAX,
): Infer<Link>[] {
  const fault = frame.byteLength > bytesMax ? `${frame.byteLength} bytes are too many` : faultOfFrame(frame);
  if (fault !== undefined) throw refusal("decode", "frame", fault);
  const wires = unpack(frame);
  if (!Array.isArray(wires)) throw refusal("decode", "frame", "it is no list of messages");
  if (wires.length > FRAME_MESSAGES_MAX)
    throw refusal("decode", "frame", `${wires.length} messages are more than ${FRAME_MESSAGES_MAX}`);
  return wires.map((wire) => unpackMessage(link, wire));
}

function unpack(frame: Uint8Array): unknown {
  try {
    // The decoder writes a property on what it is given: it gets a view of its own.
    return frameUnpacker.unpack(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
  } catch (error) {
    throw refusal("decode", "frame", error instanceof Error ? error.message : String(error), error);
  }
}

function unpackMessage<Link extends Messages>(link: Link, wire: unknown): Infer<Link> {
  if (!Array.isArray(wire)) throw refusal("decode", "message", "expected a list of values");
  const index: unknown = wire[0];
  const type = typeof index === "number" ? link.byIndex[index] : undefined;
  if (type === undefined) {
    const last = link.byIndex.length - 1;
    throw refusal("decode", "message", `expected a type from 0 to ${last}; is the other side of another version?`);
  }
  const fault = type.lengthFault(wire.length);
  if (fault !== undefined) throw refusal("decode", `message ${type.name}`, fault);
  const message = type.unpack(wire);
  check(link, message);
  return message;
}

export function isProtocolError(error: unknown): error is PeError {
  return error instanceof PeError && error.code === "PE_PROTOCOL";
}
