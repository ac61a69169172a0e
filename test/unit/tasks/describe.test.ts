import { expect, test } from "vitest";
import { createKinds } from "../../../tasks/registry.ts";

test("describe() of a job of maps names its input, orders, delays and maps, and its window where it has one", async () => {
  const { describe } = await (await createKinds()).load("pe");
  const common = {
    root: "/data",
    format: "hdf5",
    orders: [3, 4, 5, 7],
    delays: [1, 2, 10],
    measures: ["pe"],
    length: 9,
  };
  expect(describe?.(common)).toEqual({ input: "/data", orders: "3-5,7", delays: "1-2,10", maps: "12: pe" });
  const window = { x: { start: 0, stop: 4 }, y: { start: 2, stop: 3 } };
  expect(describe?.({ ...common, window })).toMatchObject({ cells: "x 0:4, y 2:3" });
});

test("describe() of a simulation names its model, grid and output", async () => {
  const { describe } = await (await createKinds()).load("simulate");
  const simulation = { model: "feedback", grid: { xSize: 4, ySize: 5 } };
  expect(describe?.({ simulation, output: "/out" })).toEqual({ model: "feedback", grid: "4 x 5", output: "/out" });
});
