import { describe, expect, test } from "vitest";
import { renderScan } from "../../../plot/index.ts";
import type { ScanFigure } from "../../../plot/index.ts";
import { LINE_COLOURS } from "../../../plot/colours.ts";
import { textWidth } from "../../../plot/text.ts";
import { readSize, readTexts } from "./read-figure.ts";

const LABELS_X_MIN = 520;

function scan(delays: number[], changes: Partial<ScanFigure> = {}): ScanFigure {
  const values = Float64Array.from(delays, (delay) => 0.9 - 0.001 * delay);
  return { delays, series: [{ label: "m = 5", values }], title: "A scan", ...changes };
}

/** Points of each drawn line of a colour, the samples beside the labels left out. */
function linesOf(svg: string, colour: string): { x: number; y: number }[][] {
  return [...svg.matchAll(new RegExp(`<path d="([^"]+)" fill="none" stroke="${colour}"`, "gu"))]
    .map(([, path]) =>
      [...path!.matchAll(/[ML]([-\d.]+) ([-\d.]+)/gu)].map(([, x, y]) => ({ x: Number(x), y: Number(y) })),
    )
    .filter((points) => points[0]!.x < LABELS_X_MIN);
}

function markersOf(svg: string, colour: string): number[] {
  return [...svg.matchAll(new RegExp(`<circle cx="([-\\d.]+)" cy="[-\\d.]+" r="[\\d.]+" fill="${colour}"`, "gu"))]
    .map(([, x]) => Number(x))
    .filter((x) => x < readSize(svg).width - 70);
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);
const BLUE = LINE_COLOURS[0];

describe("renderScan()", () => {
  test("renderScan() joins neighbouring delays only", () => {
    const svg = renderScan(scan([...range(1, 10), 22, 23, 24, 90]));
    expect(linesOf(svg, BLUE).map((points) => points.length)).toEqual([10, 3]);
    expect(markersOf(svg, BLUE)).toHaveLength(14);
  });

  test("renderScan() breaks the line where a value is missing, and marks points that stand alone", () => {
    const delays = range(1, 60);
    const values = Float64Array.from(delays, () => 0.5);
    values[20] = NaN;
    values[22] = NaN;
    const svg = renderScan(scan(delays, { series: [{ label: "m = 5", values }] }));
    expect(linesOf(svg, BLUE).map((points) => points.length)).toEqual([20, 37]);
    expect(markersOf(svg, BLUE)).toHaveLength(1);
  });

  test("renderScan() puts a dip at its delay on both axes", () => {
    const delays = range(1, 200);
    const values = Float64Array.from(delays, (delay) => (delay === 90 ? 0.6 : 0.9));
    const sampleInterval = { value: 50, unit: "ps" };
    const svg = renderScan(scan(delays, { series: [{ label: "m = 5", values }], sampleInterval }));
    const [line] = linesOf(svg, BLUE);
    const dip = line!.reduce((lowest, point) => (point.y > lowest.y ? point : lowest));
    const tick = (label: string, top: boolean): number =>
      readTexts(svg).find(({ text, anchor, y }) => text === label && anchor === "middle" && y < 150 === top)!.x;
    expect(dip.x).toBeCloseTo(tick("80", false) + (tick("100", false) - tick("80", false)) / 2, 1);
    expect(dip.x).toBeCloseTo(tick("4", true) + (tick("5", true) - tick("4", true)) / 2, 1);
    expect(readTexts(svg).map(({ text }) => text)).toEqual(expect.arrayContaining(["Delay (samples)", "Delay (ns)"]));
  });

  test("renderScan() has no axis of time without a sample interval", () => {
    expect(readTexts(renderScan(scan([1, 2]))).filter(({ text }) => text.startsWith("Delay"))).toHaveLength(1);
  });

  test("renderScan() sorts delays together with their values", () => {
    const sorted = scan([1, 2, 3], { series: [{ label: "a", values: Float64Array.of(0.1, 0.5, 0.3) }] });
    const shuffled = scan([3, 1, 2], { series: [{ label: "a", values: Float64Array.of(0.3, 0.1, 0.5) }] });
    expect(renderScan(shuffled)).toBe(renderScan(sorted));
  });

  test("renderScan() names every series beside the plot, no name over another", () => {
    const series = range(3, 9).map((order) => ({ label: `m = ${order}`, values: Float64Array.of(0.9, 0.9) }));
    const svg = renderScan(scan([1, 2], { series }));
    const labels = readTexts(svg).filter(({ text }) => text.startsWith("m = "));
    expect(labels).toHaveLength(7);
    const heights = labels.map(({ y }) => y).sort((a, b) => a - b);
    for (let at = 1; at < heights.length; at += 1) expect(heights[at]! - heights[at - 1]!).toBeGreaterThanOrEqual(14.9);
    const [frame] = [...svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*fill="none"/gu)];
    for (const { x } of labels) expect(x).toBeGreaterThan(Number(frame![1]) + Number(frame![2]));
  });

  test("renderScan() keeps a series without a value in the legend, and says so", () => {
    const series = [{ label: "m = 9", values: Float64Array.of(NaN, NaN) }];
    expect(readTexts(renderScan(scan([1, 2], { series }))).map(({ text }) => text)).toContain("m = 9 (no value)");
  });

  test("renderScan() sets the names of marks above the data, none over another", () => {
    const marks = [88, 90, 92, 500].map((delay) => ({ delay, label: `delay number ${delay}` }));
    const svg = renderScan(scan(range(1, 100), { marks }));
    const names = readTexts(svg).filter(({ text }) => text.startsWith("delay number"));
    expect(names.map(({ text }) => text)).toEqual(["delay number 88", "delay number 90", "delay number 92"]);
    const highest = Math.min(...linesOf(svg, BLUE).flatMap((points) => points.map(({ y }) => y)));
    for (const { y } of names) expect(y).toBeLessThan(highest);
    for (const [index, a] of names.entries())
      for (const b of names.slice(index + 1))
        expect(a.y !== b.y || a.x + textWidth(a.text, 11) < b.x || b.x + textWidth(b.text, 11) < a.x).toBe(true);
  });

  test("renderScan() refuses delays and series that do not fit", () => {
    expect(() => renderScan(scan([]))).toThrow("Cannot draw delay scan: there is no delay");
    expect(() => renderScan(scan([1, 1]))).toThrow("a delay comes twice");
    expect(() => renderScan(scan([1], { series: [] }))).toThrow("there is no series");
    expect(() => renderScan(scan([1], { series: [{ label: "m", values: new Float64Array(2) }] }))).toThrow(
      '"m" has 2 values for 1 delays',
    );
    expect(() => renderScan(scan([NaN]))).toThrow("not a finite number");
  });
});
