import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openBytes } from "../../../../data/hdf5/bytes.ts";
import type { ByteSource } from "../../../../data/hdf5/bytes.ts";
import { testFolder } from "../../../support/folders.ts";

const LENGTH = 100_000;
const whole = Uint8Array.from({ length: LENGTH + 64 }, (_, index) => (index * 7) % 256);
/** Other bytes lie before and behind: to read them would be wrong numbers. */
const content = whole.subarray(32, 32 + LENGTH);

async function sources(): Promise<ByteSource[]> {
  const path = join(await testFolder(), "a");
  await writeFile(path, content);
  return [openBytes({ content }), openBytes({ path })];
}

describe("openBytes()", () => {
  it("gives the same bytes of a content and of a file, wherever they lie", async () => {
    for (const bytes of await sources()) {
      expect(bytes.size).toBe(LENGTH);
      for (const [position, length] of [
        [0, 8],
        [16_380, 8],
        [90_000, 10_000],
        [99_999, 1],
        [LENGTH, 0],
        [3, 50_000],
      ] as const) {
        const expected = [...content.subarray(position, position + length)];
        const view = bytes.block(position, length);
        expect([...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)]).toEqual(expected);
        expect([...bytes.data(position, length)]).toEqual(expected);
      }
      bytes.close();
    }
  });
  it("reads nothing beyond the end, before the start, or at no place at all", async () => {
    for (const bytes of await sources()) {
      for (const [position, length] of [
        [LENGTH - 7, 8],
        [LENGTH, 1],
        [-1, 4],
        [0, -1],
        [Infinity, 8],
        [NaN, 8],
        [8, Infinity],
      ] as const) {
        expect(() => bytes.block(position, length)).toThrow("where it says that something lies");
        expect(() => bytes.data(position, length)).toThrow("where it says that something lies");
      }
      bytes.close();
    }
  });
});
