import { describe, expect, test } from "vitest";
import { palette } from "../../../plot/colours.ts";
import { renderMap } from "../../../plot/index.ts";
import type { MapFigure } from "../../../plot/index.ts";
import { textWidth } from "../../../plot/text.ts";
import { readPictures, readSize, readTexts } from "./read-figure.ts";

const BAR = { label: "Permutation entropy" };

/** 5 x 4 cells, each with its own value: 0.1 x + 0.01 y, cell (1, 3) without one. */
function figure(changes: Partial<MapFigure> = {}): MapFigure {
  const values = Float64Array.from({ length: 20 }, (_, cell) => Math.floor(cell / 4) * 0.1 + (cell % 4) * 0.01);
  values[1 * 4 + 3] = NaN;
  return {
    values,
    xSize: 5,
    ySize: 4,
    xAxis: { label: "Current", unit: "mA", values: Float64Array.of(40, 42, 44, 46, 48) },
    yAxis: { label: "Feedback", values: Float64Array.of(-0.3, -0.1, 0.1, 0.3) },
    title: "A map",
    colourBar: BAR,
    ...changes,
  };
}

function evenly(size: number, first: number, last: number): Float64Array {
  return Float64Array.from({ length: size }, (_, index) => first + ((last - first) * index) / (size - 1));
}

/** The value at which a tick label stands, by the place of its text along the axis. */
function valuesAtTicks(svg: string, side: "bottom" | "left", first: number, last: number): [string, number][] {
  const { area } = readPictures(svg)[0]!;
  return readTexts(svg)
    .filter(({ anchor, rotated, x, y }) =>
      side === "left"
        ? anchor === "end"
        : anchor === "middle" && !rotated && y < area.y + area.height + 20 && x >= area.x - 1,
    )
    .map(({ text, x, y }) => {
      const fraction = side === "left" ? 1 - (y - 4.2 - area.y) / area.height : (x - area.x) / area.width;
      return [text, first + (last - first) * fraction];
    });
}

describe("cells", () => {
  test("renderMap() gives every cell the colour of its value, x to the right and y upwards", () => {
    const input = figure();
    const picture = readPictures(renderMap(input))[0]!;
    const colours = palette("viridis");
    const zoom = picture.width / 5;
    expect(picture.height).toBe(zoom * 4);
    for (let x = 0; x < 5; x += 1) {
      for (let y = 0; y < 4; y += 1) {
        if (x === 1 && y === 3) continue;
        const index = 1 + Math.min(254, Math.floor(((x * 0.1 + y * 0.01) / 0.43) * 255 + 1e-9));
        const expected = [...colours.subarray(index * 3, index * 3 + 3), 255];
        for (const [dx, dy] of [
          [0, 0],
          [zoom - 1, zoom - 1],
        ] as const) {
          expect(picture.pixel(x * zoom + dx, (3 - y) * zoom + dy), `cell (${x}, ${y})`).toEqual(expected);
        }
      }
    }
  });

  test("renderMap() leaves cells without a value transparent over a hatched ground, and names them", () => {
    const svg = renderMap(figure());
    const picture = readPictures(svg)[0]!;
    const zoom = picture.width / 5;
    expect(picture.pixel(1.5 * zoom, 0)[3]).toBe(0);
    expect(readTexts(svg).map(({ text }) => text)).toContain("no value");
    expect(svg).toContain("#ececec");
  });

  test("renderMap() says nothing of missing values when there are none", () => {
    const svg = renderMap(figure({ values: evenly(20, 0, 1) }));
    expect(svg).not.toContain("no value");
    expect(svg).not.toContain("#ececec");
  });

  test("renderMap() treats infinite values as missing", () => {
    const values = evenly(20, 0, 1);
    values[0] = Infinity;
    const picture = readPictures(renderMap(figure({ values })))[0]!;
    expect(picture.pixel(0, picture.height - 1)[3]).toBe(0);
  });

  test("renderMap() draws every cell of a published-size map with the same number of pixels", () => {
    const values = evenly(251 * 351, 0, 1);
    const svg = renderMap(figure({ values, xSize: 251, ySize: 351, xAxis: { label: "x" }, yAxis: { label: "y" } }));
    const { area, width, height } = readPictures(svg)[0]!;
    expect([width, height]).toEqual([2 * 251, 2 * 351]);
    expect((area.width / 251) * 2).toBe(Math.round((area.width / 251) * 2));
    expect(area.height / 351).toBe(area.width / 251);
    expect(svg.length).toBeLessThan(200_000);
  });
});

describe("colours", () => {
  test("renderMap() uses the given range, and points the ends of the bar that values exceed", () => {
    const shared = figure({ values: evenly(20, 0, 1), colourBar: { ...BAR, min: 0.25, max: 0.75 } });
    const clipped = readPictures(renderMap(shared))[0]!;
    const colours = palette("viridis");
    expect(clipped.pixel(0, clipped.height - 1).slice(0, 3)).toEqual([...colours.subarray(3, 6)]);
    expect(clipped.pixel(clipped.width - 1, 0).slice(0, 3)).toEqual([...colours.subarray(765, 768)]);
    const barHeight = (min: number, max: number): number =>
      readPictures(renderMap({ ...shared, colourBar: { ...BAR, min, max } }))[1]!.area.height;
    const point = barHeight(0, 1) - barHeight(0.25, 1);
    expect(point).toBeGreaterThan(0);
    expect(barHeight(0, 1) - barHeight(0, 0.75)).toBe(point);
    expect(barHeight(0, 1) - barHeight(0.25, 0.75)).toBe(2 * point);
  });

  test("renderMap() puts the highest colour at the top of the bar", () => {
    const [, bar] = readPictures(renderMap(figure()));
    const colours = palette("viridis");
    expect(bar!.pixel(0, 0).slice(0, 3)).toEqual([...colours.subarray(765, 768)]);
    expect(bar!.pixel(0, 254).slice(0, 3)).toEqual([...colours.subarray(3, 6)]);
  });

  test("renderMap() refuses a range that is empty or not finite", () => {
    expect(() => renderMap(figure({ colourBar: { ...BAR, min: 1, max: 0 } }))).toThrow(/minimum 1 is above/u);
    expect(() => renderMap(figure({ colourBar: { ...BAR, min: NaN } }))).toThrow(/not a finite number/u);
  });
});

describe("axes", () => {
  test("renderMap() writes tick labels where their physical values lie", () => {
    const [x, y] = [evenly(60, 0.9, 1.35), evenly(60, -35, 0.5)];
    const svg = renderMap(
      figure({
        values: evenly(3600, 0, 1),
        xSize: 60,
        ySize: 60,
        xAxis: { label: "J", values: x },
        yAxis: { label: "κ", values: y },
      }),
    );
    const half = (values: Float64Array): number => (values[1]! - values[0]!) / 2;
    const bottom = valuesAtTicks(svg, "bottom", x[0]! - half(x), x[59]! + half(x));
    const left = valuesAtTicks(svg, "left", y[0]! - half(y), y[59]! + half(y));
    expect(bottom.length).toBeGreaterThanOrEqual(4);
    expect(left.length).toBeGreaterThanOrEqual(4);
    for (const [label, value] of bottom) expect(value).toBeCloseTo(Number(label), 4);
    for (const [label, value] of left) expect(value).toBeCloseTo(Number(label.replace("−", "-")), 2);
    expect(left.map(([label]) => label)).toContain("−30");
  });

  test("renderMap() gives every cell of a tiny grid its own tick", () => {
    const texts = readTexts(renderMap(figure())).map(({ text }) => text);
    expect(texts).toEqual(expect.arrayContaining(["40", "42", "44", "46", "48", "−0.3", "−0.1", "0.1", "0.3"]));
    expect(texts).toContain("Current (mA)");
  });

  test("renderMap() counts cells, and says so, where no physical value is known", () => {
    const unknown = { label: "Current", unit: "mA", values: new Float64Array(5).fill(NaN) };
    const texts = readTexts(renderMap(figure({ xAxis: unknown, yAxis: { label: "y index" } }))).map(({ text }) => text);
    expect(texts).toEqual(expect.arrayContaining(["Current (cell index)", "y index", "0", "4"]));
  });
});

describe("layout", () => {
  test("renderMap() keeps every text inside of the figure, however long", () => {
    const long = "a name that goes on and on, as names in files do, ".repeat(4);
    const svg = renderMap(
      figure({
        title: long,
        subtitle: `${"x".repeat(200)} ${long}`,
        note: long,
        xAxis: { label: long, values: evenly(5, 1e7, 9e9) },
        yAxis: { label: long, values: evenly(4, -1e-7, 9e-8) },
        colourBar: { label: long },
      }),
    );
    const { width, height } = readSize(svg);
    for (const { text, x, y, size, anchor, rotated } of readTexts(svg)) {
      const extent = textWidth(text, size);
      const before = { start: 0, middle: extent / 2, end: extent }[anchor]!;
      const [from, to] = rotated ? [y - before, y + extent - before] : [x - before, x + extent - before];
      expect(from, text).toBeGreaterThanOrEqual(0);
      expect(to, text).toBeLessThanOrEqual(rotated ? height : width);
      expect(rotated ? x : y, text).toBeLessThanOrEqual(rotated ? width : height);
    }
  });

  test("renderMap() escapes what stands in titles and labels", () => {
    const svg = renderMap(figure({ title: `<b>"R&D"</b> '\u0001`, xAxis: { label: "a<b" } }));
    expect(svg).toContain("&lt;b&gt;&quot;R&amp;D&quot;&lt;/b&gt; &#39;\ufffd");
    expect(svg).not.toMatch(/<b>|[\u0001]/u); // oxlint-disable-line no-control-regex
    expect(readTexts(svg)[0]!.text).toBe(`<b>"R&D"</b> '\ufffd`);
  });

  test("renderMap() of the same figure gives the same bytes", () => {
    expect(renderMap(figure())).toBe(renderMap(figure()));
  });

  test("renderMap() says when no cell has a value, and draws no colour bar", () => {
    const svg = renderMap(figure({ values: new Float64Array(20).fill(NaN) }));
    expect(readTexts(svg).map(({ text }) => text)).toEqual(expect.arrayContaining(["No cell has a value", "no value"]));
    expect(readPictures(svg)).toHaveLength(0);
    expect(svg).not.toContain("Permutation entropy");
  });

  test("renderMap() of equal values has a bar of one colour, and says the value", () => {
    const svg = renderMap(figure({ values: new Float64Array(20).fill(0.5 + 1e-17) }));
    const [cells, bar] = readPictures(svg);
    const colours = palette("viridis");
    expect(cells!.pixel(0, 0).slice(0, 3)).toEqual([...colours.subarray(128 * 3, 128 * 3 + 3)]);
    expect(bar).toBeUndefined();
    expect(readTexts(svg).map(({ text }) => text)).toEqual(expect.arrayContaining(["0.5", "All values equal 0.5."]));
  });

  test("renderMap() refuses values that do not fill the grid", () => {
    expect(() => renderMap(figure({ ySize: 5 }))).toThrow(
      "Cannot draw map: 20 values do not fill a grid of 5 x 5 cells",
    );
    expect(() => renderMap(figure({ xSize: 0, values: new Float64Array(0) }))).toThrow("Cannot draw map");
  });
});
