import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { contentFile, pathFile } from "../../../../data/hdf5/host-file.ts";
import { testFolder } from "../../../support/folders.ts";

describe("pathFile()", () => {
  it("touches nothing once it is closed, as its number may be another file's by then", async () => {
    const path = join(await testFolder(), "a");
    const file = pathFile(path, "wx+");
    file.write(Buffer.from("abc"), 0);
    file.close();
    file.close();
    const other = pathFile(join(await testFolder(), "b"), "wx+");
    expect(() => file.write(Buffer.from("xyz"), 0)).toThrow("the file is closed");
    expect(() => file.read(new Uint8Array(3), 0)).toThrow("the file is closed");
    expect(other.size()).toBe(0);
    other.close();
    expect(await readFile(path, "utf8")).toBe("abc");
  });

  it("remembers the first error, which the library would not tell", async () => {
    const file = pathFile(join(await testFolder(), "a"), "wx+");
    expect(() => file.truncate(-1.5)).toThrow();
    expect(file.failure.error).toBeInstanceOf(Error);
    file.close();
  });
});

describe("contentFile()", () => {
  it("is read-only, and lets go of its bytes when it is closed", () => {
    const file = contentFile(Buffer.from("abc"));
    const into = new Uint8Array(5);
    expect([file.read(into, 1), ...into]).toEqual([2, 98, 99, 0, 0, 0]);
    expect(() => file.write(into, 0)).toThrow("the content is read-only");
    file.close();
    expect(file.size()).toBe(0);
  });
});
