import { describe, expect, test } from "vitest";
import { authorization, isTokenOf, tokenOf, valueToken } from "../../../protocol/access.ts";

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

describe("valueToken()", () => {
  test("is another one for each job and each worker's token", () => {
    const tokens = [valueToken("a", "job"), valueToken("a", "job 2"), valueToken("b", "job")];
    expect(new Set(tokens).size).toBe(3);
    for (const token of tokens) expect(token).toMatch(/^[0-9a-f]{64}$/);
    expect(valueToken("a", "job")).toBe(tokens[0]);
  });
});
