import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sha256Of, sha256OfFile } from "../../../data/hash.ts";
import { testFolder } from "../../support/folders.ts";

/** FIPS 180-2, appendix B.1. */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

describe("sha256Of()", () => {
  it("gives the published digest, of shared memory too", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set(Buffer.from("abc"));
    expect(sha256Of(Buffer.from("abc"))).toBe(ABC);
    expect(sha256Of(shared)).toBe(ABC);
  });
});

describe("sha256OfFile()", () => {
  it("gives the same of a file, also one of several pieces", async () => {
    const path = join(await testFolder(), "a");
    await writeFile(path, "abc");
    expect(await sha256OfFile(path)).toBe(ABC);
    const large = Buffer.alloc(3_000_000, "x");
    await writeFile(path, large);
    expect(await sha256OfFile(path)).toBe(sha256Of(large));
  });
  it("passes the error of the file system on", async () => {
    await expect(sha256OfFile(join(await testFolder(), "none"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
