import { describe, expect, test } from "vitest";
import { COLOUR_TABLES, palette } from "../../../plot/colours.ts";
import { gridTicks } from "../../../plot/grid-axis.ts";
import { roomAcross } from "../../../plot/axis.ts";
import { axisUnit, engineeringUnit, fixed, formatQuantity, significant } from "../../../plot/number.ts";
import { encodePng } from "../../../plot/png.ts";
import { spread } from "../../../plot/spread.ts";
import { textWidth, wrapText } from "../../../plot/text.ts";
import { readPng } from "./read-figure.ts";

describe("palette()", () => {
  test.each(COLOUR_TABLES)("palette() of %s rises in lightness from each colour to the next", (table) => {
    const colours = palette(table);
    const lightness = Array.from({ length: 255 }, (_, index) => lightnessOf(colours.subarray((index + 1) * 3)));
    for (let index = 1; index < 255; index += 1)
      expect(lightness[index]!).toBeGreaterThan(lightness[index - 1]! - 0.15);
    for (let index = 16; index < 255; index += 1) expect(lightness[index]!).toBeGreaterThan(lightness[index - 16]! + 2);
    expect(lightness[254]! - lightness[0]!).toBeGreaterThan(60);
  });
});

/** CIE L* of an sRGB colour. */
function lightnessOf([red, green, blue]: Uint8Array): number {
  const linear = [red!, green!, blue!].map((byte) =>
    byte / 255 <= 0.04045 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4,
  );
  const luminance = 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
  return luminance <= 216 / 24389 ? (luminance * 24389) / 27 : 116 * Math.cbrt(luminance) - 16;
}

describe("numbers", () => {
  test("formatQuantity() chooses the prefix of the unit", () => {
    expect(formatQuantity(4500, "ps")).toBe("4.5 ns");
    expect(formatQuantity(50e-12, "s")).toBe("50 ps");
    expect(formatQuantity(0.00025, "mA")).toBe("250 nA");
    expect(formatQuantity(1000, "MHz")).toBe("1 GHz");
    expect(formatQuantity(-3, "dB")).toBe("−3 dB");
    expect(formatQuantity(2, "us")).toBe("2 µs");
    expect(formatQuantity(0, "ns")).toBe("0 ns");
  });

  test("engineeringUnit() takes m for the metre and leaves units without prefixes alone", () => {
    expect(engineeringUnit(5000, "m")).toEqual({ divisor: 1000, unit: "km" });
    expect(engineeringUnit(5000, "1/ns")).toEqual({ divisor: 1, unit: "1/ns" });
    expect(engineeringUnit(5000, "samples")).toEqual({ divisor: 1, unit: "samples" });
  });

  test("axisUnit() keeps the unit while numbers are readable in it", () => {
    expect(axisUnit(1200, "mA")).toEqual({ divisor: 1, unit: "mA" });
    expect(axisUnit(3e-5, "").unit).toBe("10⁻⁶");
    expect(axisUnit(4e6, "1/ns").unit).toBe("10⁶ 1/ns");
    expect(axisUnit(2e-9, "s").unit).toBe("ns");
  });

  test("fixed() and significant() write a true minus sign and never minus zero", () => {
    expect(fixed(-0.001, 2)).toBe("0.00");
    expect(fixed(-1.5, 1)).toBe("−1.5");
    expect(significant(-1.2e-12)).toBe("−1.2 × 10⁻¹²");
    expect(significant(0.9134567891)).toBe("0.913457");
  });
});

describe("gridTicks()", () => {
  const room = roomAcross(400);
  const placed = (values: Float64Array): Map<string, number> =>
    new Map(
      gridTicks({ label: "x", values }, values.length, room).ticks.map(({ label, position }) => [label, position]),
    );

  test("gridTicks() of a logarithmic sweep sets 1, 2, 5 where they lie between the cells", () => {
    const values = Float64Array.from({ length: 41 }, (_, index) => 10 ** (index / 20));
    const ticks = placed(values);
    expect([...ticks.keys()]).toEqual(expect.arrayContaining(["1", "10", "100", "2", "5"]));
    expect(ticks.get("10")).toBeCloseTo(20.5 / 41, 12);
    expect(ticks.get("100")).toBeCloseTo(40.5 / 41, 12);
  });

  test("gridTicks() of an uneven sweep interpolates over unknown cells", () => {
    const values = Float64Array.of(0, 1, 2, NaN, 4, 5, 10, 20, 30, 40, 50);
    expect(placed(values).get("20")).toBeCloseTo(7.5 / 11, 12);
    expect(placed(values).get("2")).toBeCloseTo(2.5 / 11, 12);
  });

  test("gridTicks() of an even sweep does not need every value", () => {
    const values = new Float64Array(100).fill(NaN);
    values[10] = 20;
    values[90] = 180;
    expect(placed(values).get("100")).toBeCloseTo(50.5 / 100, 12);
  });

  test("gridTicks() of a falling sweep has falling ticks", () => {
    const values = Float64Array.from({ length: 50 }, (_, index) => 100 - index);
    const ticks = placed(values);
    expect(ticks.get("100")).toBeCloseTo(0.5 / 50, 12);
    expect(ticks.get("60")).toBeCloseTo(40.5 / 50, 12);
  });

  test("gridTicks() of values that go up and down labels cells with their own values", () => {
    const values = Float64Array.of(5, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8);
    const { ticks } = gridTicks({ label: "x", values }, 12, room);
    expect(ticks.length).toBeGreaterThan(2);
    for (const { label, position } of ticks) expect(Number(label)).toBe(values[Math.round(position * 12 - 0.5)]);
  });

  test("gridTicks() never lets labels touch", () => {
    for (const length of [40, 90, 150, 400]) {
      for (const size of [1, 2, 7, 60, 351]) {
        for (const scale of [1e-9, 1, 12_345, 1e12]) {
          const values = Float64Array.from({ length: size }, (_, index) => (1000 + index) * scale);
          const { ticks } = gridTicks({ label: "x", unit: "Hz", values }, size, roomAcross(length));
          expect(ticks.length).toBeGreaterThan(0);
          expect(roomAcross(length).fits(ticks)).toBe(true);
        }
      }
    }
  });
});

describe("encodePng()", () => {
  test("encodePng() keeps every pixel", () => {
    let state = 7;
    const indices = Uint8Array.from({ length: 37 * 23 }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
    const colours = palette("inferno");
    const picture = readPng(encodePng({ width: 37, height: 23, indices }, colours));
    indices.forEach((index, at) => {
      const expected = [...colours.subarray(index * 3, index * 3 + 3), index === 0 ? 0 : 255];
      expect(picture.pixel(at % 37, Math.floor(at / 37))).toEqual(expected);
    });
  });
});

describe("spread()", () => {
  test("spread() leaves places that are far enough apart", () => {
    expect(spread([10, 40, 90], 15, [0, 100])).toEqual([10, 40, 90]);
  });

  test("spread() centres places that are too close on where they were", () => {
    expect(spread([50, 50, 50], 10, [0, 100])).toEqual([40, 50, 60]);
  });

  test("spread() stays within its limits", () => {
    expect(spread([0, 0, 1], 10, [0, 100])).toEqual([0, 10, 20]);
    expect(spread([99, 99, 100], 10, [0, 100])).toEqual([80, 90, 100]);
  });
});

describe("wrapText()", () => {
  test("wrapText() breaks at spaces, and inside words only where one is too wide", () => {
    expect(wrapText("one two three", textWidth("one two", 12), 12)).toEqual(["one two", "three"]);
    expect(wrapText("x".repeat(20), textWidth("x".repeat(8), 12), 12).map((line) => line.length)).toEqual([8, 8, 4]);
    expect(wrapText("  ", 100, 12)).toEqual([]);
    expect(wrapText("wide", 1, 12)).toEqual(["w", "i", "d", "e"]);
  });
});
