import { Packr } from "msgpackr";
import { describe, expect, test } from "vitest";
import { PeError } from "../../../common/errors.ts";
import {
  decodeFrame,
  encodeChecked,
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_MESSAGES_MAX,
  isProtocolError,
} from "../../../protocol/codec.ts";
import { FRAME_DEPTH_MAX } from "../../../protocol/frame-scan.ts";
import {
  bytes,
  float,
  integer,
  list,
  messages,
  object,
  oneOf,
  optional,
  since,
  text,
  uint32s,
} from "../../../protocol/schema.ts";

const link = messages({
  note: { key: text(1000), count: integer(0, Number.MAX_SAFE_INTEGER) },
  data: { column: uint32s(1000), blob: bytes(2 * FRAME_BYTES_MAX) },
  rows: { rows: list(object({ x: float() }), 10), more: optional(integer(0, 9)) },
  empty: {},
});

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isProtocolError(error)) return error.message;
    throw error;
  }
  return "accepted";
}

const plain = new Packr({ useRecords: false });
const refusalOfWire = (wire: unknown): string => refusalOf(() => decodeFrame(link, plain.pack(wire)));
const refusalOfBytes = (...values: number[]): string => refusalOf(() => decodeFrame(link, Uint8Array.from(values)));

describe("encodeFrame()", () => {
  test("writes types by index and fields in order, without names", () => {
    const frame = encodeFrame(link, [{ type: "note", key: "ab", count: 3 }, { type: "empty" }]);
    expect([...frame]).toEqual([0x92, 0x93, 0, 0xa2, 0x61, 0x62, 3, 0x91, 3]);
  });

  test("writes columns as little-endian words", () => {
    const frame = encodeFrame(link, [{ type: "data", column: Uint32Array.of(1, 0x01020304), blob: new Uint8Array(0) }]);
    expect([...frame]).toEqual([0x91, 0x93, 1, 0xc4, 8, 1, 0, 0, 0, 4, 3, 2, 1, 0xc4, 0]);
  });

  test("refuses what is no message, naming the place", () => {
    expect(refusalOf(() => encodeFrame(link, [{ type: "note", key: "a", count: -1 }]))).toBe(
      "Cannot encode message note.count: expected an integer from 0 to 9007199254740991",
    );
  });

  test("refuses a frame that is too large or has too many messages", () => {
    const blob = new Uint8Array(FRAME_BYTES_MAX);
    expect(refusalOf(() => encodeFrame(link, [{ type: "data", column: new Uint32Array(0), blob }]))).toMatch(
      /Cannot encode frame: 10485\d\d bytes are more than 1048576; send less at once/,
    );
    const many = Array.from({ length: FRAME_MESSAGES_MAX + 1 }, () => ({ type: "empty" }) as const);
    expect(refusalOf(() => encodeFrame(link, many))).toMatch(/4097 messages are more than 4096/);
    expect(decodeFrame(link, encodeFrame(link, many.slice(1)))).toHaveLength(FRAME_MESSAGES_MAX);
  });
});

describe("decodeFrame()", () => {
  test("gives columns and blobs memory of their own, aligned, from any offset", () => {
    const sent = { type: "data", column: Uint32Array.of(7, 8), blob: Uint8Array.of(1, 2, 3) } as const;
    const frame = encodeFrame(link, [sent]);
    for (let offset = 0; offset < 4; offset++) {
      const memory = new Uint8Array(frame.length + offset);
      memory.set(frame, offset);
      const [message] = decodeFrame(link, memory.subarray(offset));
      memory.fill(0);
      expect(message).toStrictEqual(sent);
      if (message?.type === "data") expect(message.blob.buffer.byteLength).toBe(3);
    }
  });

  test("leaves the memory it is given as it was", () => {
    const frame = Uint8Array.from(encodeFrame(link, [{ type: "empty" }]));
    decodeFrame(link, frame);
    expect(Object.keys(frame)).toEqual(["0", "1", "2"]);
  });

  test.each<[string, unknown]>([
    ["Cannot decode frame: it is no list of messages", 7],
    ["Cannot decode message: expected a list of values", [7]],
    ["Cannot decode message: expected a type from 0 to 3; is the other side of another version?", [[4]]],
    ["Cannot decode message: expected a type from 0 to 3; is the other side of another version?", [["note"]]],
    ["Cannot decode message: expected a type from 0 to 3; is the other side of another version?", [[]]],
    ["Cannot decode message note: expected 2 fields, found 1", [[0, "a"]]],
    ["Cannot decode message note: expected 2 fields, found 3", [[0, "a", 1, 1]]],
    ["Cannot decode message note.key: expected well-formed text of at most 1000 characters", [[0, null, 1]]],
    ["Cannot decode message note.count: expected an integer from 0 to 9007199254740991", [[0, "a", 0.5]]],
    ["Cannot decode message note.count: expected an integer from 0 to 9007199254740991", [[0, "a", 2 ** 53]]],
    ["Cannot decode message data.column: expected a column of at most 1000 numbers", [[1, Buffer.alloc(3), ""]]],
    ["Cannot decode message data.column: expected a column of at most 1000 numbers", [[1, Buffer.alloc(4004), ""]]],
    ["Cannot decode message rows.rows[0]: expected an object", [[2, [7], null]]],
    ["Cannot decode message rows.rows[0]: expected an object", [[2, [[1, 2]], null]]],
    ["Cannot decode message rows.rows[1].x: expected a finite number", [[2, [[1], [NaN]], null]]],
    ["Cannot decode message rows.more: expected an integer from 0 to 9", [[2, [], 10]]],
  ])("refuses with %s", (reason, wire) => expect(refusalOfWire(wire)).toBe(reason));

  const typeless = /begins a value of a type that no message has/;
  const short = /ends in the middle of a message/;
  test.each<[string, RegExp, number[]]>([
    ["nothing", short, []],
    ["bytes behind the frame", /2 bytes follow its end/, [0x90, 0, 0]],
    ["a map", typeless, [0x91, 0x81, 0, 0]],
    ["a large map", typeless, [0x91, 0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a record definition", typeless, [0x91, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]],
    ["an extension of one byte, as undefined travels", typeless, [0x91, 0xd4, 0, 0]],
    ["a date", typeless, [0x91, 0xd6, 0xff, 0, 0, 0, 0]],
    ["an extension with a length", typeless, [0x91, 0xc7, 1, 0x65, 0]],
    ["the byte msgpack never uses", typeless, [0x91, 0xc1]],
    ["a 64-bit integer, which numbers never need", typeless, [0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["an array of 4 thousand million", short, [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["an array longer than the frame", short, [0xdc, 0, 2, 0]],
    ["a text of 4 gigabytes", short, [0x91, 0xdb, 0xff, 0xff, 0xff, 0xff]],
    ["a binary longer than the frame", short, [0x91, 0xc4, 2, 0]],
    ["a number cut short", short, [0x91, 0xcb, 0, 0]],
    ["a length cut short", short, [0x91, 0xc6, 0]],
  ])("refuses %s", (_, reason, values) => {
    expect(refusalOfBytes(...values)).toMatch(reason);
    expect(refusalOfBytes(...values)).toMatch(/^Cannot decode frame: /);
  });

  test("refuses arrays in arrays, however deep", () => {
    expect(refusalOfBytes(...new Array<number>(FRAME_DEPTH_MAX + 1).fill(0x91), 0)).toMatch(/levels deep/);
    expect(refusalOfBytes(...new Array<number>(FRAME_DEPTH_MAX).fill(0x91), 0)).toMatch(/expected a type/);
    expect(refusalOf(() => decodeFrame(link, new Uint8Array(FRAME_BYTES_MAX).fill(0x91)))).toMatch(/levels deep/);
  });

  test("refuses a frame that is too large before it looks at it", () => {
    expect(refusalOf(() => decodeFrame(link, new Uint8Array(FRAME_BYTES_MAX + 1)))).toMatch(
      /1048577 bytes are too many/,
    );
  });

  test("refuses too many messages", () => {
    const frame = Buffer.concat([Buffer.of(0xdc, 0x10, 0x01), Buffer.alloc(2 * 4097, Buffer.of(0x91, 3))]);
    expect(refusalOf(() => decodeFrame(link, frame))).toMatch(/4097 messages are more than 4096/);
  });

  test("keeps a name such as __proto__ a mere text", () => {
    const sent = [{ type: "note", key: "__proto__", count: 1 }] as const;
    expect(decodeFrame(link, encodeFrame(link, sent))).toStrictEqual(sent);
  });

  test("throws PeError alone", () => {
    expect(() => decodeFrame(link, new Uint8Array(0))).toThrow(PeError);
  });
});

describe("a link that a later version has added to", () => {
  const hello = { protocol: integer(1, 9), name: text(9) };
  const first = messages({ hello, note: { text: text(9) } });
  const added = {
    size: since(2, optional(integer(0, 9))),
    blob: since(2, optional(bytes(9))),
    rows: since(3, optional(list(oneOf("a", "b"), 3))),
    mood: since(3, optional(oneOf("good", "bad"))),
  };
  const later = messages({ hello: { ...hello, zone: since(3, optional(text(9))) }, note: { text: text(9), ...added } });
  const note = { type: "note", text: "x" } as const;
  const whole = { ...note, size: 1, blob: Uint8Array.of(2), rows: ["a"], mood: "bad" } as const;

  test("is read from those who do not know of it", () => {
    expect(decodeFrame(later, encodeFrame(first, [note]))).toStrictEqual([note]);
  });

  test("is written for them as they know it", () => {
    expect(decodeFrame(first, encodeChecked(later, [whole], FRAME_BYTES_MAX, 1))).toStrictEqual([note]);
    const { rows: _rows, mood: _mood, ...second } = whole;
    expect(decodeFrame(later, encodeChecked(later, [whole], FRAME_BYTES_MAX, 2))).toStrictEqual([second]);
    for (const version of [3, 4, undefined])
      expect(decodeFrame(later, encodeChecked(later, [whole], FRAME_BYTES_MAX, version))).toStrictEqual([whole]);
  });

  test("has the lengths of its versions and no other", () => {
    expect(refusalOf(() => decodeFrame(later, plain.pack([[1, "x", 1]])))).toMatch(/note: expected 5 fields, found 2$/);
    expect(refusalOf(() => decodeFrame(first, encodeFrame(later, [whole])))).toMatch(
      /note: expected 1 fields, found 5$/,
    );
  });

  test("is understood by an older side as far as it says which version speaks", () => {
    const newer = encodeFrame(later, [{ type: "hello", protocol: 3, name: "n", zone: "z" }]);
    expect(decodeFrame(first, newer)).toStrictEqual([{ type: "hello", protocol: 3, name: "n" }]);
  });
});
