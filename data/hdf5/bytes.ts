/**
 * The bytes of a file, in memory or on disk, by position. Nothing is read beyond the end: a position that a damaged
 * file makes up is an error, never a wrong number.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Source } from "./model.ts";

/** Metadata lies scattered: each miss reads this much, and the last few such windows are kept. */
const WINDOW_BYTES = 16_384;
const WINDOWS_MAX = 32;

/** A block of metadata is small; more is a damaged length. */
const BLOCK_BYTES_MAX = 1 << 24;

export interface ByteSource {
  readonly size: number;
  /** A view of `length` bytes for metadata. @throws {Error} beyond the end */
  block(position: number, length: number): DataView;
  /** `length` bytes of stored data, valid until the next call. @throws {Error} beyond the end */
  data(position: number, length: number): Uint8Array;
  close(): void;
}

/** Bytes of a file that is fetched bit by bit have not come yet. */
export class NotFetched extends Error {
  override readonly name = "NotFetched";
}

/**
 * Runs `act` for each of `items`, also for those after one whose bytes have not come: what all of them miss is then fetched
 * together.
 *
 * @throws {NotFetched} at the end, unless all are done; at once what else `act` throws.
 */
export function forAll<Item>(items: Iterable<Item>, act: (item: Item) => void): void {
  let missing: NotFetched | undefined;
  for (const item of items)
    try {
      act(item);
    } catch (error) {
      if (!(error instanceof NotFetched)) throw error;
      missing = error;
    }
  if (missing !== undefined) throw missing;
}

/** @throws errors of the file system. */
export function openBytes(source: Source): ByteSource {
  return "content" in source ? bytesOfContent(source.content) : bytesOfPath(source.path);
}

function bytesOfContent(content: Uint8Array): ByteSource {
  const { buffer, byteOffset, byteLength: size } = content;
  return {
    size,
    block(position, length) {
      checkInside(position, length, Math.min(size, position + BLOCK_BYTES_MAX));
      return new DataView(buffer, byteOffset + position, length);
    },
    data(position, length) {
      checkInside(position, length, size);
      return content.subarray(position, position + length);
    },
    close: () => undefined,
  };
}

function bytesOfPath(path: string): ByteSource {
  const descriptor = openSync(path, "r");
  const { size } = fstatSync(descriptor);
  const windows: { start: number; bytes: Uint8Array }[] = [];
  let scratch = new Uint8Array(0);
  function fill(into: Uint8Array, position: number): void {
    for (let done = 0; done < into.length;) {
      const count = readSync(descriptor, into, done, into.length - done, position + done);
      if (count === 0) throw new Error("it became shorter while it was read");
      done += count;
    }
  }
  function windowAt(position: number, length: number): { start: number; bytes: Uint8Array } {
    const kept = windows.find(({ start, bytes }) => start <= position && position + length <= start + bytes.length);
    if (kept !== undefined) return kept;
    const bytes = new Uint8Array(Math.min(Math.max(length, WINDOW_BYTES), size - position));
    fill(bytes, position);
    if (windows.length >= WINDOWS_MAX) windows.shift();
    const window = { start: position, bytes };
    windows.push(window);
    return window;
  }
  return {
    size,
    block(position, length) {
      checkInside(position, length, Math.min(size, position + BLOCK_BYTES_MAX));
      const { start, bytes } = windowAt(position, length);
      return new DataView(bytes.buffer, position - start, length);
    },
    data(position, length) {
      checkInside(position, length, size);
      if (scratch.length < length) scratch = new Uint8Array(length);
      const bytes = scratch.subarray(0, length);
      fill(bytes, position);
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
}

function checkInside(position: number, length: number, end: number): void {
  if (!(position >= 0 && length >= 0 && position + length <= end))
    throw new Error(`it ends before byte ${position + length}, where it says that something lies`);
}
