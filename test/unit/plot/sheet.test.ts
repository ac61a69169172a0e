import { describe, expect, test } from "vitest";
import { palette } from "../../../plot/colours.ts";
import { renderSheet } from "../../../plot/index.ts";
import type { SheetFigure } from "../../../plot/index.ts";
import { textWidth } from "../../../plot/text.ts";
import { readPictures, readTexts } from "./read-figure.ts";

/** Map number k holds k everywhere. */
function sheet(count: number, changes: Partial<SheetFigure> = {}): SheetFigure {
  const maps = Array.from({ length: count }, (_, index) => ({
    title: `map ${index}`,
    values: new Float64Array(12).fill(index),
  }));
  const axis = { label: "x", values: Float64Array.of(0.9, 1, 1.1, 1.2) };
  const common = { xSize: 4, ySize: 3, xAxis: axis, yAxis: { label: "y" }, title: "Sheet", colourBar: { label: "PE" } };
  return { maps, ...common, ...changes };
}

describe("renderSheet()", () => {
  test("renderSheet() gives all maps one range of colours", () => {
    const pictures = readPictures(renderSheet(sheet(3)));
    const colours = palette("viridis");
    const colourOf = (index: number): number[] => [...colours.subarray(index * 3, index * 3 + 3)];
    expect(pictures).toHaveLength(4);
    expect(pictures[0]!.pixel(0, 0).slice(0, 3)).toEqual(colourOf(1));
    expect(pictures[1]!.pixel(0, 0).slice(0, 3)).toEqual(colourOf(128));
    expect(pictures[2]!.pixel(0, 0).slice(0, 3)).toEqual(colourOf(255));
  });

  test("renderSheet() sets maps row by row, each under its title, none over another", () => {
    const svg = renderSheet(sheet(11));
    const areas = readPictures(svg)
      .slice(0, 11)
      .map(({ area }) => area);
    const titles = readTexts(svg).filter(({ text }) => text.startsWith("map "));
    areas.forEach((area, index) => {
      expect(titles[index]!.x).toBe(area.x);
      expect(area.y - titles[index]!.y).toBeLessThan(10);
      for (const other of areas.slice(index + 1)) {
        const apart = area.x + area.width < other.x || area.y + area.height < other.y || other.x + other.width < area.x;
        expect(apart).toBe(true);
      }
    });
    expect(new Set(areas.map(({ x }) => x)).size).toBe(4);
    expect(new Set(readPictures(renderSheet(sheet(11, { columns: 2 }))).map(({ area }) => area.x)).size).toBe(3);
  });

  test("renderSheet() keeps tick labels of neighbouring panels apart", () => {
    const values = Float64Array.from({ length: 61 }, (_, index) => 20_000 + (40_000 * index) / 60);
    const maps = ["a", "b", "c"].map((title) => ({ title, values: new Float64Array(61 * 40).fill(0.5) }));
    const svg = renderSheet(sheet(3, { maps, xSize: 61, ySize: 40, xAxis: { label: "x", values } }));
    const texts = readTexts(svg).filter(({ text }) => /^\d{5}$/u.test(text));
    expect(texts.length).toBeGreaterThanOrEqual(3);
    const spans = texts.map(({ text, x }) => [x - textWidth(text, 12) / 2, x + textWidth(text, 12) / 2] as const);
    spans.sort((a, b) => a[0] - b[0]);
    for (let at = 1; at < spans.length; at += 1) expect(spans[at]![0]).toBeGreaterThan(spans[at - 1]![1]);
  });

  test("renderSheet() says which maps have no values", () => {
    const figure = sheet(2);
    figure.maps[1]!.values.fill(NaN);
    const texts = readTexts(renderSheet(figure)).map(({ text }) => text);
    expect(texts).toEqual(expect.arrayContaining(["no values", "no value"]));
  });

  test("renderSheet() refuses an empty sheet, a map of another shape, and half a column", () => {
    expect(() => renderSheet(sheet(0))).toThrow("there is no map");
    expect(() => renderSheet(sheet(1, { ySize: 4 }))).toThrow("Cannot draw map");
    expect(() => renderSheet(sheet(2, { columns: 0.5 }))).toThrow("not a whole number");
  });
});
