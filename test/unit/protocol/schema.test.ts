import { describe as suite, expect, expectTypeOf, test } from "vitest";
import { PeError } from "../../../common/errors.ts";
import {
  bytes,
  check,
  describe,
  flag,
  float,
  integer,
  linkHash,
  list,
  messages,
  object,
  oneOf,
  optional,
  since,
  text,
  uint32s,
  type Field,
  type Infer,
  type MessageOf,
} from "../../../protocol/schema.ts";

const attempt = integer(1, 1_000_000);
const link = messages({
  /** Every 0.5 s. */
  heartbeat: { held: list(object({ key: text(8), attempt }), 3) },
  done: {
    tasks: uint32s(4),
    results: bytes(8),
    state: oneOf("good", "bad"),
    seconds: float(),
    last: flag(),
    note: optional(text(4)),
  },
  leaving: {},
});

const done = {
  type: "done",
  tasks: Uint32Array.of(1, 2),
  results: new Uint8Array(3),
  state: "good",
  seconds: 0.5,
  last: true,
} as const;

function refusalOf(value: unknown): string {
  try {
    check(link, value);
  } catch (error) {
    if (error instanceof PeError && error.code === "PE_PROTOCOL") return error.message;
    throw error;
  }
  return "accepted";
}

suite("messages()", () => {
  test("infers the union of its messages", () => {
    expectTypeOf<MessageOf<typeof link, "heartbeat">>().toEqualTypeOf<{
      readonly type: "heartbeat";
      readonly held: readonly { readonly key: string; readonly attempt: number }[];
    }>();
    expectTypeOf<MessageOf<typeof link, "done">>().toEqualTypeOf<{
      readonly type: "done";
      readonly tasks: Uint32Array;
      readonly results: Uint8Array;
      readonly state: "good" | "bad";
      readonly seconds: number;
      readonly last: boolean;
      readonly note?: string | undefined;
    }>();
    expectTypeOf<Infer<typeof link>["type"]>().toEqualTypeOf<"heartbeat" | "done" | "leaving">();
    expectTypeOf<Field<typeof attempt>>().toEqualTypeOf<number>();
    const union: Infer<typeof link> = { type: "leaving" };
    expect(refusalOf(union)).toBe("accepted");
  });

  test("refuses declarations that could not be told apart", () => {
    expect(() => messages({ a: { type: text(1) } })).toThrow(/field called type/);
    expect(() => messages({ a: { __proto: text(1) } })).toThrow(/no name of a field/);
    expect(() => list(optional(text(1)), 1)).toThrow(/cannot be optional/);
    expect(() => optional(optional(text(1)))).toThrow(/once more/);
    expect(() => oneOf("a", "a")).toThrow(/must differ/);
    expect(() => integer(2, 1)).toThrow(/no integer/);
    expect(() => bytes(-1)).toThrow(/no limit/);
    const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`m${index}`, {}]));
    expect(() => messages(many)).toThrow(/at most 128/);
  });
});

suite("check()", () => {
  test.each([
    { type: "heartbeat", held: [] },
    { type: "heartbeat", held: [{ key: "a", attempt: 1 }] },
    { type: "heartbeat", held: [Object.assign(Object.create(null), { key: "a", attempt: 1_000_000 })] },
    done,
    { ...done, note: "four" },
    { ...done, note: undefined },
    { ...done, results: Buffer.from("abc"), seconds: -1e300, state: "bad" },
    { type: "leaving" },
  ])("takes %j", (value) => expect(refusalOf(value)).toBe("accepted"));

  const range = "expected an integer from 1 to 1000000";
  const refused: [unknown, string][] = [
    [{ type: "heartbeat", held: [{ key: "a", attempt: 0 }] }, `message heartbeat.held[0].attempt: ${range}`],
    [{ type: "heartbeat", held: [{ key: "a", attempt: 1.5 }] }, `message heartbeat.held[0].attempt: ${range}`],
    [{ type: "heartbeat", held: [{ key: "a", attempt: 1n }] }, `message heartbeat.held[0].attempt: ${range}`],
    [{ type: "heartbeat", held: [{ key: "a" }] }, "message heartbeat.held[0].attempt: the field is missing"],
    [
      { type: "heartbeat", held: [{ key: "a", attempt: 1, more: 1 }] },
      "message heartbeat.held[0].more: the field is unknown",
    ],
    [{ type: "heartbeat", held: [[]] }, "message heartbeat.held[0]: expected an object"],
    [{ type: "heartbeat", held: [new Map()] }, "message heartbeat.held[0]: expected an object"],
    [{ type: "heartbeat", held: {} }, "message heartbeat.held: expected a list of at most 3"],
    [{ type: "heartbeat", held: [1, 2, 3, 4] }, "message heartbeat.held: expected a list of at most 3"],
    [
      { type: "heartbeat", held: [{ key: "123456789", attempt: 1 }] },
      "message heartbeat.held[0].key: expected well-formed text of at most 8 characters",
    ],
    [
      { type: "heartbeat", held: [{ key: "\ud800", attempt: 1 }] },
      "message heartbeat.held[0].key: expected well-formed text of at most 8 characters",
    ],
    [
      { type: "heartbeat", held: [{ key: "\ufeffa", attempt: 1 }] },
      "message heartbeat.held[0].key: expected well-formed text of at most 8 characters",
    ],
    [{ type: "heartbeat" }, "message heartbeat.held: the field is missing"],
    [{ ...done, tasks: [1] }, "message done.tasks: expected a column of at most 4 numbers"],
    [{ ...done, tasks: new Uint32Array(5) }, "message done.tasks: expected a column of at most 4 numbers"],
    [{ ...done, results: new Uint8Array(9) }, "message done.results: expected at most 8 bytes"],
    [{ ...done, results: "abc" }, "message done.results: expected at most 8 bytes"],
    [{ ...done, state: "ugly" }, "message done.state: expected one of good, bad"],
    [{ ...done, seconds: NaN }, "message done.seconds: expected a finite number"],
    [{ ...done, last: 1 }, "message done.last: expected true or false"],
    [{ ...done, note: "five!" }, "message done.note: expected well-formed text of at most 4 characters"],
    [{ ...done, note: null }, "message done.note: expected well-formed text of at most 4 characters"],
    [{ ...done, more: 1 }, "message done.more: the field is unknown"],
    [{ ...done, note: "a", more: 1 }, "message done.more: the field is unknown"],
    [{ type: "leaving", type2: 1 }, "message leaving.type2: the field is unknown"],
    [{ type: "begone" }, "message.type: expected one of heartbeat, done, leaving"],
    [{ type: "constructor" }, "message.type: expected one of heartbeat, done, leaving"],
    [{}, "message.type: the field is missing"],
    [null, "message: expected an object"],
    [7, "message: expected an object"],
  ];
  test.each(refused.map(([value, reason]) => [reason, value] as const))("refuses with %s", (reason, value) =>
    expect(refusalOf(value)).toBe(`Cannot decode ${reason}`),
  );
});

suite("describe()", () => {
  test("says all that matters on the wire, as JSON", () => {
    const small = messages({ done: { at: optional(integer(0, 9)), state: oneOf("a", "b") } });
    expect(JSON.parse(JSON.stringify(describe(small)))).toEqual([
      {
        name: "done",
        fields: [
          { name: "at", type: { type: "optional", of: { type: "integer", min: 0, max: 9 } } },
          { name: "state", type: { type: "oneOf", words: ["a", "b"] } },
        ],
      },
    ]);
  });
});

suite("since()", () => {
  const first = messages({ note: { text: text(9) }, end: {} });
  const second = messages(
    { note: { text: text(9), size: since(2, optional(integer(0, 9))) }, end: {}, word: { text: text(9) } },
    { word: 2 },
  );

  test("leaves what a link is for versions before as it was", () => {
    expect(linkHash([second], 1)).toBe(linkHash([first]));
    expect(describe(second, 1)).toEqual(describe(first));
    expect(linkHash([second], 2)).toBe(linkHash([second]));
    expect(linkHash([second])).not.toBe(linkHash([first]));
    expect(describe(second)[2]).toMatchObject({ name: "word", since: 2 });
    expect(describe(second)[0]!.fields).toMatchObject([{ name: "text" }, { name: "size", since: 2 }]);
  });

  test("takes nothing but additions at the end", () => {
    const later = since(2, optional(flag()));
    expect(() => messages({ note: { later, text: text(9) } })).toThrow(
      "field text came before the one that it follows",
    );
    expect(() => messages({ note: { later: since(3, optional(flag())), before: later } })).toThrow("field before");
    expect(() => messages({ word: {}, note: {} }, { word: 2 })).toThrow("message note came before");
    expect(() => messages({ note: { part: object({ later }) } })).toThrow("a field of the message itself");
    expect(() => since(1, optional(flag()))).toThrow("1 is no later version");
  });
});

suite("linkHash()", () => {
  const hash = linkHash([messages({ a: { x: flag(), y: text(3) }, b: {} })]);

  test("is the same for the same declaration", () => {
    expect(linkHash([messages({ a: { x: flag(), y: text(3) }, b: {} })])).toBe(hash);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
  });

  test("changes with order, names, limits and presence", () => {
    const others = [
      messages({ b: {}, a: { x: flag(), y: text(3) } }),
      messages({ a: { y: text(3), x: flag() }, b: {} }),
      messages({ a: { x: flag(), z: text(3) }, b: {} }),
      messages({ a: { x: flag(), y: text(4) }, b: {} }),
      messages({ a: { x: flag(), y: optional(text(3)) }, b: {} }),
      messages({ a: { x: flag() }, b: {} }),
    ];
    expect(new Set([hash, ...others.map((link_) => linkHash([link_]))]).size).toBe(7);
  });
});
