import { expect, test } from "vitest";
import { inputBounds } from "../../../../worker/inputs/pool-inputs.ts";

const MIB = 2 ** 20;

test("inputBounds() leaves most of a small memory to the tasks, and takes no more of a large one", () => {
  expect(inputBounds(1024 * MIB, 2)).toEqual({ contentCacheBytesMax: 128 * MIB, contentBytesMax: 128 * MIB });
  expect(inputBounds(128 * MIB, 8)).toEqual({ contentCacheBytesMax: 16 * MIB, contentBytesMax: 32 * MIB });
  expect(inputBounds(64 * 1024 * MIB, 8)).toEqual({ contentCacheBytesMax: 256 * MIB, contentBytesMax: 512 * MIB });
});
