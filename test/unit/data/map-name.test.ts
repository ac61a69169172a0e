import { describe, expect, it } from "vitest";
import { mapName, parseMapName } from "../../../data/map-name.ts";

describe("mapName()", () => {
  it("is the original's name for permutation entropy, with the measure behind it for the others", () => {
    expect(mapName({ order: 6, delay: 2, measure: "pe" })).toBe("m006t002");
    expect(mapName({ order: 10, delay: 1234, measure: "weighted" })).toBe("m010t1234_weighted");
  });
});

describe("parseMapName()", () => {
  it("reads what mapName() writes", () => {
    for (const measure of ["pe", "weighted", "complexity", "missing"] as const)
      for (const [order, delay] of [
        [3, 1],
        [6, 90],
        [10, 1234],
      ] as const)
        expect(parseMapName(mapName({ order, delay, measure }))).toEqual({ order, delay, measure });
  });
  it.each(["FBT_map", "m6t2", "m0006t002", "m006t002_pe", "m006t002_other", "am006t002", "m006t002 "])(
    "takes %j for no map",
    (name) => expect(parseMapName(name)).toBeUndefined(),
  );
});
