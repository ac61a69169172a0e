import { describe, expect, test } from "vitest";
import { renderMap, renderScan, svgToPng } from "../../../plot/index.ts";
import { svgDocument, textLine } from "../../../plot/svg.ts";
import { textWidth } from "../../../plot/text.ts";
import { readPng, readSize, readTexts } from "./read-figure.ts";
import type { Picture } from "./read-figure.ts";

const FIGURE = renderMap({
  values: Float64Array.of(0.1, 0.2, 0.3, NaN),
  xSize: 2,
  ySize: 2,
  xAxis: { label: "x" },
  yAxis: { label: "y" },
  title: "Permutation entropy",
  subtitle: "m = 5, τ = 90",
  colourBar: { label: "PE" },
});

/** Columns of a band of rows that hold a dark pixel. */
function darkColumns(picture: Picture, top: number, bottom: number): number[] {
  const columns: number[] = [];
  for (let x = 0; x < picture.width; x += 1) {
    for (let y = Math.floor(top); y < Math.min(picture.height, bottom); y += 1) {
      const [red, green, blue] = picture.pixel(x, y);
      if (red + green + blue < 300) {
        columns.push(x);
        break;
      }
    }
  }
  return columns;
}

describe("svgToPng()", () => {
  test("svgToPng() draws as many pixels as asked for, and writes the resolution", () => {
    const { width, height } = readSize(FIGURE);
    const plain = readPng(svgToPng(FIGURE, { scale: 1 }));
    expect([plain.width, plain.height]).toEqual([width, height]);
    const fine = readPng(svgToPng(FIGURE, { scale: 2 }));
    expect([fine.width, fine.height]).toEqual([2 * width, 2 * height]);
    expect(readPng(svgToPng(FIGURE, { width: 1000 })).width).toBe(1000);
    expect(readPng(svgToPng(FIGURE)).pixelsPerMetre).toBe(Math.round(288 / 0.0254));
  });

  test("svgToPng() draws every text: a font is at hand whatever the machine has", () => {
    const scale = 2;
    const picture = readPng(svgToPng(FIGURE, { scale }));
    for (const { text, x, y, anchor, rotated } of readTexts(FIGURE)) {
      if (rotated || anchor !== "start") continue;
      const found = darkColumns(picture, (y - 9) * scale, y * scale).filter(
        (column) => column >= x * scale && column < (x + textWidth(text, 15)) * scale,
      );
      expect(found.length, text).toBeGreaterThan(text.length);
    }
  });

  test("textWidth() agrees with the letters as they are drawn, bold ones rather too wide than too narrow", () => {
    const samples = ["Permutation entropy (1/ns)", "−0.0123456789 × 10⁻⁶", "Wide MMMM and ill"];
    for (const [weight, least] of [
      ["normal", 0.97],
      ["bold", 0.92],
    ] as const) {
      for (const text of samples) {
        const line = textLine(`|${text}|`, 10, 60, { size: 40, weight });
        const picture = readPng(svgToPng(svgDocument({ width: 900, height: 90 }, "", [line]), { scale: 1 }));
        const columns = darkColumns(picture, 0, 90);
        const share = (columns.at(-1)! - columns[0]!) / (textWidth(text, 40, weight) + textWidth("|", 40, weight));
        expect(share, `${weight} ${text}`).toBeGreaterThan(least);
        expect(share, `${weight} ${text}`).toBeLessThan(1.02);
      }
    }
  });

  test("svgToPng() draws bold letters in the bold font", () => {
    const draw = (weight: "normal" | "bold"): string => {
      const line = textLine("Permutation entropy", 8, 30, { size: 24, weight });
      return Buffer.from(svgToPng(svgDocument({ width: 300, height: 40 }, "", [line]), { scale: 1 })).toString(
        "base64",
      );
    };
    expect(draw("bold")).not.toBe(draw("normal"));
  });

  test("svgToPng() has a glyph for the signs of the field", () => {
    const glyphs = Array.from("τκµΩ×·−±≤⁻²⁰₀°√αβωΔ", (sign) => {
      const svg = svgDocument({ width: 40, height: 40 }, "", [textLine(sign, 8, 30, { size: 24 })]);
      return Buffer.from(svgToPng(svg, { scale: 1 })).toString("base64");
    });
    const missing = svgDocument({ width: 40, height: 40 }, "", [textLine("\u{10ffff}", 8, 30, { size: 24 })]);
    const blank = svgDocument({ width: 40, height: 40 }, "", []);
    expect(new Set(glyphs).size).toBe(glyphs.length);
    expect(glyphs).not.toContain(Buffer.from(svgToPng(missing, { scale: 1 })).toString("base64"));
    expect(glyphs).not.toContain(Buffer.from(svgToPng(blank, { scale: 1 })).toString("base64"));
  });

  test("svgToPng() keeps cells crisp: a pixel is of one cell or of its neighbour, never of both", () => {
    const svg = renderMap({
      values: Float64Array.of(0, 1),
      xSize: 2,
      ySize: 1,
      xAxis: { label: "x" },
      yAxis: { label: "y" },
      title: "",
      colourBar: { label: "PE" },
    });
    const picture = readPng(svgToPng(svg, { scale: 2 }));
    const row = Array.from({ length: picture.width }, (_, x) => picture.pixel(x, 100).join());
    const [dark, light] = ["68,1,84,255", "253,231,37,255"];
    const boundary = row.indexOf(light);
    expect(row[boundary - 1]).toBe(dark);
  });

  test("svgToPng() of the same SVG gives the same bytes", () => {
    const svg = renderScan({
      delays: [1, 2],
      series: [{ label: "m = 3", values: Float64Array.of(1, 0.9) }],
      title: "",
    });
    expect(Buffer.compare(svgToPng(svg), svgToPng(svg))).toBe(0);
  });

  test("svgToPng() refuses what it cannot draw, and says why", () => {
    expect(() => svgToPng("<svg")).toThrow(/Cannot draw PNG: the text is no SVG/u);
    expect(() => svgToPng(FIGURE, { scale: 0 })).toThrow(/not a positive number/u);
    expect(() => svgToPng(FIGURE, { scale: Infinity })).toThrow(/not a positive number/u);
    expect(() => svgToPng(FIGURE, { width: 100_000 })).toThrow(/not from 16 to 16384/u);
    expect(() => svgToPng(FIGURE, { scale: 1e-6 })).toThrow(/not from 16 to 16384/u);
  });
});
