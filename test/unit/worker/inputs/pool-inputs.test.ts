import { expect, test } from "vitest";
import { inputBounds, PoolInputs } from "../../../../worker/inputs/pool-inputs.ts";

const MIB = 2 ** 20;

test("inputBounds() leaves most of a small memory to the tasks, and takes no more of a large one", () => {
  expect(inputBounds(1024 * MIB, 2)).toEqual({ contentCacheBytesMax: 128 * MIB, contentBytesMax: 128 * MIB });
  expect(inputBounds(128 * MIB, 8)).toEqual({ contentCacheBytesMax: 16 * MIB, contentBytesMax: 32 * MIB });
  expect(inputBounds(64 * 1024 * MIB, 8)).toEqual({ contentCacheBytesMax: 8192 * MIB, contentBytesMax: 512 * MIB });
  expect(inputBounds(1024 * 1024 * MIB, 8)).toMatchObject({ contentCacheBytesMax: 16 * 1024 * MIB });
});

test("PoolInputs.areWorthReading() only when a task has asked for an object of a store, and its kind names inputs", async () => {
  const inputs = new PoolInputs({ kinds: [], partAccess: {} }, {});
  inputs.useKinds([
    { name: "names", version: "1", namesInputs: true },
    { name: "silent", version: "1" },
  ]);
  const link = { postMessage: () => undefined };
  const file = { name: "a.hdf5", bytes: 1, modifiedMs: 1, once: false, task: 0 };
  inputs.exchange.onWant({ ...file, path: "/data/a.hdf5" }, link);
  expect(inputs.areWorthReading("names")).toBe(false);
  inputs.exchange.onWant({ ...file, path: "s3://lasers/a.hdf5" }, link);
  expect([inputs.areWorthReading("names"), inputs.areWorthReading("silent")]).toEqual([true, false]);
  await inputs.close();
});
