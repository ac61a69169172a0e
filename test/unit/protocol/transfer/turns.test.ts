import { describe, expect, test } from "vitest";
import { Turns } from "../../../../protocol/transfer/turns.ts";

/** Runs streams that always want to send; who got each turn. */
async function race(pieces: readonly number[]): Promise<string> {
  const turns = new Turns();
  let order = "";
  await Promise.all(
    pieces.map(async (count, place) => {
      const number = turns.enter();
      for (let piece = 0; piece < count; piece++) {
        await turns.next(number);
        order += String.fromCodePoint(97 + place);
      }
    }),
  );
  return order;
}

describe("Turns", () => {
  test("gives the one that came first three of four, and the rest in turn to the others", async () => {
    expect(await race([9, 3, 2])).toBe("aaabaaacaaacbb");
  });

  test("goes on with the next one when the first has all", async () => {
    expect(await race([2, 6, 3])).toBe("aabcbbbcbbc");
  });

  test("keeps nobody waiting who is alone", async () => {
    expect(await race([5])).toBe("aaaaa");
  });

  test("lets the event loop go round between two turns", async () => {
    const turns = new Turns();
    let rounds = 0;
    const timer = setInterval(() => undefined, 0);
    const count = (): void => {
      rounds++;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    for (let turn = 0; turn < 10; turn++) await turns.next(0);
    clearImmediate(counting);
    clearInterval(timer);
    expect(rounds).toBeGreaterThanOrEqual(9);
  });
});
