import { expect, test } from "vitest";
import { createLog, LOG_TEXT_MAX } from "../../../common/log.ts";

const now = (): Date => new Date(Date.UTC(2025, 2, 1, 12));

function lines(json: boolean, ...texts: readonly string[]): string[] {
  const written: string[] = [];
  const log = createLog((line) => written.push(line), { json, now });
  for (const text of texts) log({ level: "warn", text });
  return written;
}

test("createLog() writes a line with time and level", () => {
  expect(lines(false, "the disk is full")).toEqual(["2025-03-01T12:00:00.000Z warn  the disk is full\n"]);
});

test("createLog() writes JSON for machines", () => {
  expect(lines(true, 'a "quote"').map((line) => JSON.parse(line) as unknown)).toEqual([
    { time: "2025-03-01T12:00:00.000Z", level: "warn", text: 'a "quote"' },
  ]);
});

test("createLog() keeps to one line that a terminal shows as it is, of bounded length", () => {
  expect(lines(false, "one\n  two")[0]).toMatch(/ one two\n$/);
  expect(lines(false, "\u001B[2Jgone")[0]).toMatch(/ \uFFFD\[2Jgone\n$/);
  expect(lines(true, "x".repeat(10_000))[0]!.length).toBeLessThan(LOG_TEXT_MAX + 100);
});
