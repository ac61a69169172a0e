/**
 * Goal: frames bring messages over unchanged, and bytes from anywhere become messages or a `PE_PROTOCOL` error.
 * Method: arbitrary messages of a link with every type of field, and of the links of this program; random bytes, and
 * frames with bytes changed, cut out or put in.
 * Replay: fast-check prints seed and path of a failure; give them as `{ seed, path }` to `fc.assert`.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clientToScheduler, schedulerToClient } from "../../../protocol/client-link.ts";
import { decodeFrame, encodeFrame, isProtocolError, measureMessage } from "../../../protocol/codec.ts";
import {
  bytes,
  check,
  flag,
  float,
  integer,
  list,
  messages,
  object,
  oneOf,
  optional,
  text,
  uint32s,
  type Messages,
} from "../../../protocol/schema.ts";
import { schedulerToWorker, workerToScheduler } from "../../../protocol/worker-link.ts";
import { arbitraryMessage } from "../../support/messages.ts";

const everything = messages({
  flat: {
    word: text(400),
    small: integer(-3, 3),
    any: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    real: float(),
    yes: flag(),
    blob: bytes(400),
    column: uint32s(400),
    state: oneOf("waiting", "running"),
  },
  nested: {
    rows: list(object({ name: text(8), cells: list(list(float(), 9), 9), maybe: optional(bytes(9)) }), 9),
    maybe: optional(object({ column: uint32s(9), state: optional(oneOf("on", "off")) })),
    last: optional(flag()),
  },
  empty: {},
});

const links: Record<string, Messages> = {
  everything,
  workerToScheduler,
  schedulerToWorker,
  clientToScheduler,
  schedulerToClient,
};

/** Either messages of the link or the one error. */
function decodesOrRefuses(link: Messages, frame: Uint8Array): boolean {
  try {
    for (const message of decodeFrame(link, frame)) check(link, message);
    return true;
  } catch (error) {
    if (isProtocolError(error)) return true;
    throw error;
  }
}

describe.each(Object.entries(links))("frames of %s", (_, link) => {
  test("decodeFrame() is the reverse of encodeFrame()", () => {
    fc.assert(
      fc.property(fc.array(arbitraryMessage(link, 200), { maxLength: 6 }), (sent) => {
        const frame = encodeFrame(link, sent);
        expect(decodeFrame(link, frame)).toStrictEqual(sent);
        const bytesMax = sent.reduce((sum, message) => sum + measureMessage(link, message), 5);
        expect(frame.byteLength).toBeLessThanOrEqual(bytesMax);
      }),
      { numRuns: 300 },
    );
  });

  test("decodeFrame() reads a changed frame as messages or refuses it", () => {
    const change = fc.record({ at: fc.nat(), cut: fc.nat({ max: 3 }), put: fc.uint8Array({ maxLength: 3 }) });
    fc.assert(
      fc.property(
        fc.array(arbitraryMessage(link), { maxLength: 4 }),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (sent, changes) => {
          let frame = Buffer.from(encodeFrame(link, sent));
          for (const { at, cut, put } of changes) {
            const place = at % (frame.length + 1);
            frame = Buffer.concat([frame.subarray(0, place), put, frame.subarray(place + cut)]);
          }
          expect(decodesOrRefuses(link, frame)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

test("decodeFrame() refuses random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), (frame) => {
      expect(decodesOrRefuses(everything, frame)).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});

test("decodeFrame() refuses random bytes in the place of a field", () => {
  const link = messages({ a: { value: list(object({ x: optional(text(9)), y: bytes(9) }), 9) } });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40, size: "max" }), (field) => {
      expect(decodesOrRefuses(link, Buffer.concat([Buffer.of(0x91, 0x92, 0x00), field]))).toBe(true);
    }),
    { numRuns: 20_000 },
  );
});
