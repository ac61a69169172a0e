/**
 * What a frame may be made of, looked at before it is decoded.
 *
 * A decoder of all of msgpack does too much for bytes from outside: it makes maps, dates, errors and records, recurses as
 * deep as it is told, and reserves what a length says. A frame needs arrays, nil, booleans, numbers, text and binaries,
 * a few levels deep, and no length beyond its end. This scan walks the heads of the values and admits only that.
 */

/** Levels of arrays: the frame, its messages, and what their fields nest. */
export const FRAME_DEPTH_MAX = 16;

/** Bytes of the value after its first byte. */
const FIXED: Readonly<Record<number, number>> = {
  0xc0: 0, // nil
  0xc2: 0, // false
  0xc3: 0, // true
  0xca: 4, // float 32
  0xcb: 8, // float 64
  0xcc: 1, // uint 8
  0xcd: 2, // uint 16
  0xce: 4, // uint 32
  0xd0: 1, // int 8
  0xd1: 2, // int 16
  0xd2: 4, // int 32
};

/** Bytes of the length after the first byte, of text and binaries. */
const SIZED: Readonly<Record<number, number>> = { 0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4 };

/** Bytes of the count after the first byte, of arrays. */
const COUNTED: Readonly<Record<number, number>> = { 0xdc: 2, 0xdd: 4 };

const REFUSED = -1;
const FIXED_AT = 0;
const SIZED_AT = 16;
const COUNTED_AT = 32;

/** The three tables as one: kind of value plus its number of bytes, by first byte. */
const HEADS = Int8Array.from({ length: 256 }, (_, token) => {
  if (token in FIXED) return FIXED_AT + FIXED[token]!;
  if (token in SIZED) return SIZED_AT + SIZED[token]!;
  if (token in COUNTED) return COUNTED_AT + COUNTED[token]!;
  return REFUSED;
});

/** Why these bytes are no frame; undefined when they may be decoded: one array, and nothing behind it. */
export function faultOfFrame(frame: Uint8Array): string | undefined {
  const end = frame.length;
  /** Values still to come, of each array that is open around the current one. */
  const open: number[] = [];
  let at = 0;
  let toCome = 1;
  for (;;) {
    while (toCome === 0) {
      if (open.length === 0) return at === end ? undefined : `${end - at} bytes follow its end`;
      toCome = open.pop()!;
    }
    toCome--;
    if (at >= end) return "it ends in the middle of a message";
    const token = frame[at++]!;
    if (token < 0x80 || token >= 0xe0) continue; // small integers
    let count = -1;
    if (token >= 0xa0 && token < 0xc0) at += token & 31;
    else if (token >= 0x90 && token < 0xa0) count = token & 15;
    else {
      const head = HEADS[token]!;
      if (head === REFUSED) return `byte ${at - 1} begins a value of a type that no message has`;
      const width = head & 15;
      if (at + width > end) return "it ends in the middle of a message";
      if (head >= COUNTED_AT) count = unsigned(frame, at, width);
      else if (head >= SIZED_AT) at += unsigned(frame, at, width);
      at += width;
    }
    if (at > end) return "it ends in the middle of a message";
    if (count < 0) continue;
    if (open.length === FRAME_DEPTH_MAX) return `it is more than ${FRAME_DEPTH_MAX} levels deep`;
    open.push(toCome);
    toCome = count;
  }
}

/** Big-endian, `width` 1, 2 or 4. */
function unsigned(frame: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + frame[at + index]!;
  return value;
}
