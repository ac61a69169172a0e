import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { termsForBitLength } from "../../../kernel/entropy.ts";
import { canStart, startModule } from "../../../kernel/wasm/module.ts";
import { WASM_BASE64, WASM_SHA256 } from "../../../kernel/wasm-bytes.ts";

describe("the WebAssembly module", () => {
  it("WASM_SHA256 is that of the embedded bytes, and another build of the same sources gives it again", () => {
    expect(createHash("sha256").update(Buffer.from(WASM_BASE64, "base64")).digest("hex")).toBe(WASM_SHA256);
    const build = fileURLToPath(new URL("../../../kernel/assembly/build.mjs", import.meta.url));
    expect(execFileSync(process.execPath, [build, "--dry-run"], { encoding: "utf8" }).trim()).toBe(WASM_SHA256);
  });

  it("startModule() starts at once and only once", () => {
    expect(canStart()).toBe(true);
    expect(startModule()).toBe(startModule());
  });

  it("termsForBitLength() never lets a sum reach 2^63, and its halves are the term", () => {
    for (let bitLength = 1; bitLength <= 31; bitLength++) {
      const { scaleBits, high, low } = termsForBitLength(bitLength);
      const windows = 2 ** bitLength - 1;
      expect(windows * Math.log(windows + 1) * 2 ** scaleBits).toBeLessThan(2 ** 62.5);
      const count = high.length - 1;
      const term = high[count]! * 2 ** 32 + low[count]!;
      const exact = count * Math.log(Math.max(count, 1));
      expect(Math.abs(term * 2 ** -scaleBits - exact)).toBeLessThanOrEqual(2 ** (-scaleBits - 1) + exact * 2 ** -51);
    }
  });
});
