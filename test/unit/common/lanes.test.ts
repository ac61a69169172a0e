import { expect, test } from "vitest";
import { inLanes } from "../../../common/lanes.ts";

const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test("inLanes() gives results in the order of the items, and runs no more than so many at once", async () => {
  let [running, most] = [0, 0];
  const results = await inLanes([5, 4, 3, 2, 1], 2, async (turns) => {
    most = Math.max(most, ++running);
    for (let left = turns; left > 0; left--) await turn();
    running--;
    return turns * 10;
  });
  expect(results).toEqual([50, 40, 30, 20, 10]);
  expect(most).toBe(2);
  expect(await inLanes([], 2, turn)).toEqual([]);
});

test("inLanes() begins nothing after the first error, and throws it when what runs has ended", async () => {
  const [begun, ended]: number[][] = [[], []];
  const act = inLanes([0, 1, 2, 3, 4], 2, async (item) => {
    begun!.push(item);
    if (item === 1) throw new Error("one");
    await turn();
    await turn();
    ended!.push(item);
  });
  await expect(act).rejects.toThrow("one");
  expect(begun).toEqual([0, 1]);
  expect(ended).toEqual([0]);
});
