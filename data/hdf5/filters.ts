/** Undoes the filters of a chunk: deflate through `node:zlib`, byte shuffle, Fletcher-32. */
import { inflate } from "./inflate.ts";
import { FILTER } from "./messages.ts";
import type { Chunk } from "./chunks.ts";

/** Deflate cannot make more of a byte: a chunk that claims to is damaged, and no memory is taken for it. */
const INFLATED_PER_BYTE_MAX = 1032;

const CHECKSUM_BYTES = 4;

/**
 * The elements of a chunk, in memory that the next chunk may overwrite.
 *
 * @param stored Bytes as they lie in the file; unchanged, and not returned where a filter made new ones.
 * @param filters In the order in which the writer applied them.
 * @throws {Error} when a checksum does not fit or the length is not `expected`
 */
export function unfilter(
  stored: Uint8Array,
  filters: readonly number[],
  { skipped }: Chunk,
  { expected, width }: { expected: number; width: number },
): Uint8Array {
  let bytes = stored;
  for (let index = filters.length - 1; index >= 0; index--) {
    if ((skipped & (1 << index)) !== 0) continue;
    const filter = filters[index];
    if (filter === FILTER.deflate) bytes = inflateChunk(bytes, expected + CHECKSUM_BYTES);
    else if (filter === FILTER.shuffle) bytes = unshuffle(bytes, width);
    else bytes = checkFletcher32(bytes);
  }
  if (bytes.length !== expected) throw new Error(`a chunk holds ${bytes.length} bytes instead of ${expected}`);
  return bytes;
}

/** `bytesMax` leaves room for a checksum inside the stream. */
function inflateChunk(bytes: Uint8Array, bytesMax: number): Uint8Array {
  if (bytesMax > (bytes.length + 1) * INFLATED_PER_BYTE_MAX) throw new Error("a chunk is shorter than it can be");
  try {
    return inflate(bytes, bytesMax);
  } catch (error) {
    throw new Error(`a chunk cannot be inflated (${error instanceof Error ? error.message : String(error)})`, {
      cause: error,
    });
  }
}

/** From all first bytes, all second bytes ... to elements; what does not fill an element stays at the end. */
function unshuffle(bytes: Uint8Array, width: number): Uint8Array {
  if (width === 1) return bytes;
  const elements = Math.floor(bytes.length / width);
  const plain = new Uint8Array(bytes.length);
  for (let byte = 0, from = 0; byte < width; byte++)
    for (let to = byte, end = elements * width; to < end; to += width) plain[to] = bytes[from++]!;
  plain.set(bytes.subarray(elements * width), elements * width);
  return plain;
}

function checkFletcher32(bytes: Uint8Array): Uint8Array {
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < 0) throw new Error("a chunk has no room for its checksum");
  const data = bytes.subarray(0, end);
  const stored = new DataView(bytes.buffer, bytes.byteOffset + end, CHECKSUM_BYTES).getUint32(0, true);
  const sum = fletcher32(data);
  // Some old writers stored the bytes of each half in the other order.
  const swapped = ((sum & 0x00ff00ff) << 8) | ((sum >>> 8) & 0x00ff00ff);
  if (stored !== sum && stored !== swapped >>> 0) throw new Error("a chunk does not fit its Fletcher-32 checksum");
  return data;
}

/** Over 16-bit words, high byte first; an odd byte at the end counts as a high byte. */
function fletcher32(bytes: Uint8Array): number {
  let low = 0;
  let high = 0;
  const words = bytes.length >> 1;
  for (let word = 0; word < words;) {
    // So many words fit 32 bits before the sums must be folded.
    for (const end = Math.min(words, word + 360); word < end; word++) {
      low += (bytes[2 * word]! << 8) | bytes[2 * word + 1]!;
      high += low;
    }
    low = (low & 0xffff) + (low >>> 16);
    high = (high & 0xffff) + (high >>> 16);
  }
  if (bytes.length % 2 === 1) {
    low += bytes[bytes.length - 1]! << 8;
    high += low;
    low = (low & 0xffff) + (low >>> 16);
    high = (high & 0xffff) + (high >>> 16);
  }
  low = (low & 0xffff) + (low >>> 16);
  high = (high & 0xffff) + (high >>> 16);
  return ((high << 16) | low) >>> 0;
}
