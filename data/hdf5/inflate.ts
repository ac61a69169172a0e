/**
 * Inflates zlib streams into memory that is used again.
 *
 * `inflateSync` takes new memory for every call: a fifth of the time of inflating a series, and more when several threads
 * do it. Node has no public call that writes into memory of the caller's; the object behind its streams has one, which
 * packages of wide use (minizlib) rely on as well. It is taken only after it has proved itself on a known stream and a
 * damaged one; else `inflateSync` does the work, with the same results.
 */
import { constants, createInflate, deflateSync, inflateSync } from "node:zlib";

/** Room after the end, so that zlib sees the end of the stream without asking for a second buffer. */
const SPARE_BYTES = 64;

/** The parts of Node's own object that are used. */
interface Handle {
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputBytes: number,
    output: Uint8Array,
    outputStart: number,
    outputBytes: number,
  ): void;
  onerror: (message: string, errno: number, code: string) => void;
}

interface Inflater {
  readonly handle: Handle;
  /** After a write: bytes of output left, bytes of input left. */
  readonly left: Uint32Array;
}

type Inflate = (bytes: Uint8Array, bytesMax: number) => Uint8Array;

/**
 * The content of a zlib stream, in memory that the next call of this thread overwrites.
 *
 * @param bytesMax At least 1; more than this is an error, and no more memory is taken.
 * @throws {Error} when the stream is damaged, cut, or longer
 */
export function inflate(bytes: Uint8Array, bytesMax: number): Uint8Array {
  chosen ??= proved(createReusing()) ?? inflateAnew;
  // Input in the memory that the output goes to cannot be read while it is overwritten.
  return bytes.buffer === memory.buffer ? inflateAnew(bytes, bytesMax) : chosen(bytes, bytesMax);
}

let chosen: Inflate | undefined;
let memory = new Uint8Array(0);

/** With public calls alone. */
export function inflateAnew(bytes: Uint8Array, bytesMax: number): Uint8Array {
  return inflateSync(bytes, { chunkSize: bytesMax + SPARE_BYTES, maxOutputLength: bytesMax });
}

/** With Node's own object; undefined where it is not as expected. */
function createReusing(): Inflate | undefined {
  if (createInflater() === undefined) return undefined;
  let inflater: Inflater | undefined;
  return (bytes, bytesMax) => {
    inflater ??= createInflater()!;
    const room = bytesMax + SPARE_BYTES;
    if (memory.byteLength < room) memory = new Uint8Array(room);
    let failure: string | undefined;
    inflater.handle.onerror = (message) => {
      failure = message;
    };
    inflater.handle.reset();
    inflater.handle.writeSync(constants.Z_FINISH, bytes, 0, bytes.byteLength, memory, 0, room);
    const length = room - inflater.left[0]!;
    if (failure === undefined && length > bytesMax) failure = `it holds more than ${bytesMax} bytes`;
    if (failure === undefined) return memory.subarray(0, length);
    // What a damaged stream leaves behind is not worth finding out.
    inflater = undefined;
    throw new Error(failure);
  };
}

function createInflater(): Inflater | undefined {
  const stream = createInflate() as unknown as { _handle?: Partial<Handle>; _writeState?: unknown };
  const { _handle: handle, _writeState: left } = stream;
  if (typeof handle?.reset !== "function" || typeof handle.writeSync !== "function") return undefined;
  if (!("onerror" in handle) || !(left instanceof Uint32Array) || left.length !== 2) return undefined;
  return { handle: handle as Handle, left };
}

/** `candidate` if it inflates what is whole and refuses what is not. */
function proved(candidate: Inflate | undefined): Inflate | undefined {
  if (candidate === undefined) return undefined;
  const plain = Uint8Array.from({ length: 1000 }, (_, place) => (place * place) >> 3);
  const whole = deflateSync(plain);
  const damaged = Uint8Array.from(whole, (byte, place) => (place === whole.length - 1 ? byte ^ 1 : byte));
  try {
    for (let round = 0; round < 2; round++) {
      if (Buffer.compare(candidate(whole, plain.length), plain) !== 0) return undefined;
      for (const bad of [damaged, whole.subarray(0, -5)]) if (accepts(candidate, bad, plain.length)) return undefined;
      if (accepts(candidate, whole, plain.length - 1)) return undefined;
    }
    return candidate;
  } catch {
    return undefined;
  }
}

function accepts(candidate: Inflate, bytes: Uint8Array, bytesMax: number): boolean {
  try {
    candidate(bytes, bytesMax);
    return true;
  } catch {
    return false;
  }
}

/** Whether memory is used again; for tests. */
export function isReusing(): boolean {
  inflate(deflateSync(new Uint8Array(1)), 1);
  return chosen !== inflateAnew;
}
