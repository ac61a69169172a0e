import { describe, expect, test } from "vitest";
import { authorization, isTokenOf, tokenOf } from "../../../protocol/access.ts";

describe("tokenOf()", () => {
  test("is the reverse of authorization()", () => expect(tokenOf(authorization("a-b_c.d~1+/="))).toBe("a-b_c.d~1+/="));

  test.each([
    undefined,
    "",
    "Bearer ",
    "Bearer",
    "Basic YTpi",
    "Bearer a b",
    "Bearer a\n",
    `Bearer ${"a".repeat(600)}`,
  ])("finds none in %j", (header) => expect(tokenOf(header)).toBeUndefined());
});

describe("isTokenOf()", () => {
  test("finds each of the tokens and no other", () => {
    for (const token of ["one", "two"]) expect(isTokenOf(token, ["one", "two"])).toBe(true);
    for (const token of ["", "on", "one ", "ONE", "three"]) expect(isTokenOf(token, ["one", "two"])).toBe(false);
    expect(isTokenOf("one", [])).toBe(false);
  });
});
