import { expect, test } from "vitest";
import { layOut, readValue } from "../../../../protocol/large-values.ts";
import { shareLaidOut } from "../../../../worker/threads/shared-value.ts";

test("shareLaidOut() writes a blob that threads read", () => {
  const numbers = Float64Array.from({ length: 10_000 }, (_, index) => index);
  expect(readValue(shareLaidOut(layOut({ numbers })))).toEqual({ numbers });
});

test("shareLaidOut() says in plain words that there is no memory", () => {
  const huge = { ...layOut(1), bytes: Number.MAX_SAFE_INTEGER };
  expect(() => shareLaidOut(huge)).toThrow(
    expect.objectContaining({ code: "PE_LIMIT", message: expect.stringContaining("has not the memory") }),
  );
});
