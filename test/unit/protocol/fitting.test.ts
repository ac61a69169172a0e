import { describe, expect, test } from "vitest";
import { fitting } from "../../../protocol/fitting.ts";
import { text } from "../../../protocol/schema.ts";

describe("fitting()", () => {
  test("leaves text that fits as it is", () => {
    expect(fitting("a laser \u{1f52c}", 10)).toBe("a laser \u{1f52c}");
  });

  test("cuts what is too long, never within a character", () => {
    expect(fitting("abc", 2)).toBe("ab");
    expect(fitting("a\u{1f52c}", 2)).toBe("a");
  });

  test("gives what a field takes, whatever it is given", () => {
    for (const given of ["\ud800", "\ufeff\ufeffx", "a\udc00b", "\ud83d\ud83d\ud83d", "", "\u{1f52c}".repeat(9)])
      for (const max of [0, 1, 2, 3, 64]) expect(text(max).fault(fitting(given, max)), given).toBeUndefined();
  });
});
