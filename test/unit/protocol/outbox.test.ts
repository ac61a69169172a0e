import { expect, test } from "vitest";
import type { Connection } from "../../../protocol/connection.ts";
import { pair } from "../../../protocol/memory.ts";
import { createOutbox, SENDING_BYTES_GOOD, type Outbox, type OutboxOptions } from "../../../protocol/outbox.ts";
import { bytes, integer, messages } from "../../../protocol/schema.ts";
import { until } from "../../support/journal.ts";

const link = messages({ data: { number: integer(0, 1e6), values: bytes(1 << 20) } });
type Data = { type: "data"; number: number; values: Uint8Array };
const data = (number: number): Data => ({ type: "data", number, values: new Uint8Array(100_000) });
const COUNT = 200;

function sides(more: Partial<OutboxOptions> = {}): {
  outbox: Outbox<Data>;
  reader: Connection<Data, Data>;
  got: number[];
  stalled: string[];
  errors: unknown[];
} {
  const [writer, reader] = pair({ link: { out: link, in: link }, bufferedBytesMax: 8 << 20 });
  const [got, stalled, errors]: [number[], string[], unknown[]] = [[], [], []];
  reader.onMessages((all) => got.push(...all.map(({ number }) => number)));
  const outbox = createOutbox(writer, {
    nowMs: () => performance.now(),
    onStalled: (reason) => stalled.push(reason),
    onError: (error) => errors.push(error),
    ...more,
  });
  return { outbox, reader, got, stalled, errors };
}

const numbers = Array.from({ length: COUNT }, (_, number) => number);

test("createOutbox() sends far more than a connection holds, in order", async () => {
  const { outbox, got, stalled } = sides();
  for (const number of numbers) outbox.send(data(number));
  expect(outbox.waiting.messages).toBeGreaterThan(100);
  expect(outbox.waiting.bytes).toBeLessThan(SENDING_BYTES_GOOD + 200_000);
  await until(() => got.length === COUNT);
  expect(got).toEqual(numbers);
  expect([stalled, outbox.waiting.messages]).toEqual([[], 0]);
});

test("createOutbox() waits for a reader that rests, and goes on", async () => {
  const { outbox, reader, got, stalled } = sides();
  reader.pause();
  for (const number of numbers) outbox.send(data(number));
  await new Promise((done) => setTimeout(done, 30));
  expect(got).toEqual([]);
  reader.resume();
  await until(() => got.length === COUNT);
  expect([got, stalled]).toEqual([numbers, []]);
});

test("createOutbox() tells once of a reader that takes nothing", async () => {
  let nowMs = 0;
  const { outbox, reader, stalled } = sides({ nowMs: () => (nowMs += 1000), stalledAfterMs: 20_000 });
  reader.pause();
  for (const number of numbers) outbox.send(data(number));
  await until(() => stalled.length > 0);
  expect(stalled).toEqual(["the other side does not read: nothing was taken for 20 s"]);
  expect(outbox.waiting.messages).toBe(0);
  await new Promise((done) => setTimeout(done, 20));
  expect(stalled).toHaveLength(1);
});

test("createOutbox() refuses what is no message at once, or tells of it when it had to wait", async () => {
  const { outbox, reader, errors } = sides();
  const odd = { type: "odd" } as unknown as Data;
  expect(() => outbox.send(odd)).toThrow(/^Cannot encode message/);
  reader.pause();
  for (const number of numbers) outbox.send(data(number));
  outbox.send(odd);
  reader.resume();
  await until(() => errors.length > 0);
  expect(String(errors[0])).toMatch(/Cannot encode message/);
});

test("createOutbox() drops what waits when it is closed", async () => {
  const { outbox, reader, got } = sides();
  reader.pause();
  for (const number of numbers) outbox.send(data(number));
  outbox.close();
  expect(outbox.waiting.messages).toBe(0);
  reader.resume();
  await new Promise((done) => setTimeout(done, 20));
  expect(got.length).toBeLessThan(COUNT);
});

test("createOutbox() sends later what nobody waits for: before the next message, at its end, or by itself", async () => {
  const { outbox, got } = sides();
  outbox.sendLater(data(1));
  outbox.sendLater(data(2));
  outbox.send(data(3));
  await until(() => got.length === 3);
  outbox.sendLater(data(4));
  await until(() => got.length === 4);
  outbox.sendLater(data(5));
  outbox.close();
  await until(() => got.length === 5);
  expect(got).toEqual([1, 2, 3, 4, 5]);
});
