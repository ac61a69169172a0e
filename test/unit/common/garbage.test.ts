import { expect, test } from "vitest";
import { collectGarbage } from "../../../common/garbage.ts";

test("collectGarbage() gives shared memory back that nobody refers to", async () => {
  const bytes = 32 * 2 ** 20;
  const before = process.memoryUsage().arrayBuffers;
  const use = (): number => new Uint8Array(new SharedArrayBuffer(bytes)).fill(1)[5]!;
  expect(use() + use()).toBe(2);
  for (let attempt = 0; process.memoryUsage().arrayBuffers - before > bytes && attempt < 1000; attempt++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(bytes);
});

test("collectGarbage() refuses to do it again at once", () => {
  for (let attempt = 0; !collectGarbage() && attempt < 1e6; attempt++);
  expect(collectGarbage()).toBe(false);
});
